"""Files that only their user reads, and that are never half there."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.store.files import make_private, replace

# Writes the file again and again, until it is killed.
WRITES = """
import sys
from devkit.store.files import replace
while True:
    for letter in "ab":
        replace(sys.argv[1], letter * 100_000)
        print(flush=True)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Whatever others may read by default."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_folders_and_files_are_the_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    make_private(str(folder))
    replace(str(folder / "x.json"), "{}")

    assert [mode(path) for path in (tmp_path / "a", tmp_path / "a" / "b", folder)] == [0o700] * 3
    assert mode(folder / "x.json") == 0o600


def test_a_file_that_others_could_read_is_private_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("old")
    file.chmod(0o644)

    replace(str(file), "new ü")

    assert file.read_text(encoding="utf-8") == "new ü"
    assert mode(file) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_folders_that_are_there_are_left_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(str(tmp_path))

    assert mode(tmp_path) == 0o755


def test_a_folder_below_the_working_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_private("a/b")

    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_in_somebodys_folder_becomes_theirs(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 5678)
    make_private(str(tmp_path / "a" / "b"))
    replace(str(tmp_path / "a" / "b" / "x.json"), "{}")

    made = [path.stat() for path in tmp_path.rglob("*")]
    assert [(stat.st_uid, stat.st_gid) for stat in made] == [(1234, 5678)] * 3


def test_another_process_may_be_quicker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = os.mkdir

    def slow(folder: str, mode: int) -> None:
        mkdir(folder, mode)
        mkdir(folder, mode)

    monkeypatch.setattr(os, "mkdir", slow)
    make_private(str(tmp_path / "a" / "b"))

    assert (tmp_path / "a" / "b").is_dir()


def test_whoever_is_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):  # noqa: PT011 - the words are the system's
        make_private(str(tmp_path / "file" / "b"))
    with pytest.raises(NotADirectoryError):
        replace(str(tmp_path / "file" / "x.json"), "{}")
    with pytest.raises(FileNotFoundError):
        replace(str(tmp_path / "nothing" / "x.json"), "{}")


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    file = tmp_path / "x.json"
    file.write_text("old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(error)):
        replace(str(file), "new")

    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_text_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        replace(str(tmp_path / "x.json"), "\ud800")

    assert list(tmp_path.iterdir()) == []


def test_readers_see_one_text_or_the_other(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    with subprocess.Popen(
        [sys.executable, "-c", WRITES, str(file)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"\n"
            seen = {file.read_text() for _ in range(300)}
        finally:
            process.kill()

    assert seen <= {"a" * 100_000, "b" * 100_000}
