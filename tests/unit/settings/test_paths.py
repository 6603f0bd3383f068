"""Where a stack's files go."""

import os
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.settings.paths import SOCKET_PATH_BYTES, Paths, make_data, paths_for


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# --- which folders ---


def test_data_is_in_the_project_and_the_socket_in_the_users_runtime_folder(tmp_path: Path) -> None:
    paths = paths_for(tmp_path, ".devkit", {"XDG_RUNTIME_DIR": "/run/user/1"})

    assert paths.data == tmp_path / ".devkit"
    assert paths.logs == tmp_path / ".devkit" / "logs"
    assert paths.debug == tmp_path / ".devkit" / "debug"
    assert paths.sessions == tmp_path / ".devkit" / "debug" / "sessions"
    assert paths.failures == tmp_path / ".devkit" / "failures"
    assert paths.preload == tmp_path / ".devkit" / "preload"
    assert paths.runtime.parent == Path("/run/user/1/devkit")
    assert paths.socket == paths.runtime / "control.sock"
    assert not paths.data.exists()


def test_the_data_may_lie_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    assert paths_for(tmp_path, "/var/x", {}).data == Path("/var/x")
    assert paths_for(tmp_path, "~/x", {}).data == Path("/home/someone/x")


def test_each_project_has_its_own_runtime_folder(tmp_path: Path) -> None:
    one, again, other = (paths_for(tmp_path / name, ".devkit", {}).runtime for name in ("a", "a", "b"))

    assert one == again != other


def test_a_runtime_folder_belongs_to_the_data_by_whatever_way_that_is_reached(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)

    one = paths_for(tmp_path / "a", ".devkit", {}).runtime

    assert one == paths_for(tmp_path / "link" / "a", ".devkit", {}).runtime
    assert one == paths_for(tmp_path / "b", str(tmp_path / "a" / ".devkit"), {}).runtime
    assert one != paths_for(tmp_path / "a", "elsewhere", {}).runtime


def test_without_a_runtime_folder_the_temp_folder_has_one_for_each_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/var/tmp")

    assert paths_for(Path("/p"), ".devkit", {}).runtime.parent == Path(f"/var/tmp/devkit-{os.getuid()}")


@pytest.mark.parametrize("temp", ["short", "long"])
def test_a_folder_too_deep_for_a_socket_is_passed_over(temp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "/" + "ä" * (SOCKET_PATH_BYTES // 2)  # counted in bytes, not in characters
    monkeypatch.setattr("tempfile.tempdir", deep if temp == "long" else "/var/tmp")

    runtime = paths_for(Path("/p"), ".devkit", {"XDG_RUNTIME_DIR": deep}).runtime

    home = "/tmp" if temp == "long" else "/var/tmp"
    assert runtime.parent == Path(f"{home}/devkit-{os.getuid()}")


def test_the_deepest_folder_that_fits_is_taken() -> None:
    socket = len("/devkit/0123456789ab/control.sock")
    fits = "/" + "x" * (SOCKET_PATH_BYTES - socket - 1)

    paths = paths_for(Path("/p"), ".devkit", {"XDG_RUNTIME_DIR": fits})

    assert len(str(paths.socket)) == SOCKET_PATH_BYTES
    assert paths_for(Path("/p"), ".devkit", {"XDG_RUNTIME_DIR": fits + "x"}).runtime.parent.name != "devkit"


# --- the data folder ---


def test_the_data_folder_is_private_and_ignores_itself_in_git(tmp_path: Path) -> None:
    paths = Paths(tmp_path / ".devkit", tmp_path)

    make_data(paths)
    make_data(paths)

    assert paths.logs.is_dir()
    assert mode(paths.data) == 0o700
    assert (paths.data / ".gitignore").read_text() == "*\n"


def test_a_gitignore_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")

    make_data(Paths(tmp_path, tmp_path))

    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_a_folder_that_was_there_before_stays_as_it_is(tmp_path: Path) -> None:
    """`data_dir` may name the project itself, or a folder that others use: not devkit's to hide from git or people."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "notes.txt").touch()

    make_data(Paths(shared, tmp_path))

    assert mode(shared) == 0o755
    assert not (shared / ".gitignore").exists()
    assert mode(shared / "logs") == 0o700


@pytest.mark.parametrize("place", ["file", "file/below", "file/far/below"])
def test_data_cannot_lie_below_a_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DevkitError, match=f"cannot write to {tmp_path / place}: ") as caught:
        make_data(Paths(tmp_path / place, tmp_path))

    assert "DEVKIT_DATA_DIR" in caught.value.mend[1]
