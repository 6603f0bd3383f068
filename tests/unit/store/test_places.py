"""Where the workers that run now keep their failures."""

import json
import os
import socket
import stat
import subprocess
import time
from pathlib import Path

from devkit.model.container import container_id
from devkit.store.places import OLD_S, Elsewhere, Places


def other(folder: Path, pid: int, where: object, started: object = None, container: str = container_id()) -> Path:
    """The note of another process."""
    path = folder / f"worker-{container}-{pid}.json"
    host = "host" if container != container_id() else socket.gethostname()
    path.write_text(json.dumps({"where": where, "started": started, "pid": pid, "host": host, "container": container}))
    return path


def test_a_note_is_found_while_its_process_lives_and_is_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".devkit" / "failures"
    Places(str(folder)).note("redis://:secret@localhost/1")

    assert Places(str(folder)).living() == ["redis://:secret@localhost/1"]
    (note,) = folder.glob(f"worker-*-{os.getpid()}.json")
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
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


def test_what_containers_noted_is_told_apart_and_left_alone(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    os.utime(other(tmp_path, ended.pid, "redis://redis/1", container="c1"), (1e9, time.time() - 60))
    os.utime(other(tmp_path, ended.pid, "redis://redis/2", container="c2"), (1e9, time.time() - 30))
    old = other(tmp_path, 1, "redis://old", container="c3")
    os.utime(old, (1e9, time.time() - OLD_S - 60))
    Places(str(tmp_path)).note("redis://here")

    assert Places(str(tmp_path)).living() == ["redis://here"]
    assert Places(str(tmp_path)).elsewhere() == [Elsewhere("c2", "redis://redis/2"), Elsewhere("c1", "redis://redis/1")]
    assert not old.exists()


def test_a_new_note_clears_away_those_of_workers_that_have_ended(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone = other(tmp_path, ended.pid, "redis://gone")

    Places(str(tmp_path)).note("redis://here")

    assert not gone.exists()
