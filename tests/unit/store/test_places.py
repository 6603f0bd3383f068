"""Where the workers that run now keep their failures."""

import json
import os
import stat
import subprocess
from pathlib import Path

from devkit.store.places import Places


def other(folder: Path, pid: int, where: object, started: object = None) -> Path:
    """The note of another process."""
    path = folder / f"worker-{pid}.json"
    path.write_text(json.dumps({"where": where, "started": started}))
    return path


def test_a_note_is_found_while_its_process_lives_and_is_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".devkit" / "failures"
    Places(str(folder)).note("redis://:secret@localhost/1")

    assert Places(str(folder)).living() == ["redis://:secret@localhost/1"]
    assert stat.S_IMODE((folder / f"worker-{os.getpid()}.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_newest_is_first_and_each_is_named_once(tmp_path: Path) -> None:
    parent = os.getppid()
    os.utime(other(tmp_path, parent, "redis://old"), (1, 1))
    os.utime(other(tmp_path, 1, "redis://new"), (2, 2))
    Places(str(tmp_path)).note("redis://old")

    assert Places(str(tmp_path)).living() == ["redis://old", "redis://new"]


def test_notes_of_processes_that_are_gone_are_cleared_away(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone = other(tmp_path, ended.pid, "redis://gone")
    reused = other(tmp_path, os.getpid(), "redis://reused", started="long ago")

    assert Places(str(tmp_path)).living() == []
    assert not gone.exists()
    assert not reused.exists()


def test_what_is_no_note_is_passed_over(tmp_path: Path) -> None:
    assert Places(str(tmp_path / "none")).living() == []
    for name, text in (("worker-x.json", "{}"), ("worker-1.json", "{"), ("worker-2.json", "[]"), ("other", "")):
        (tmp_path / name).write_text(text)
    other(tmp_path, os.getpid(), ["no text"])

    assert Places(str(tmp_path)).living() == []
