"""Folders and sockets that have to be this user's alone; what another user does is in tests/acceptance."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.model.peer import listen
from devkit.model.private import check_data, check_runtime, connect, make_runtime


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# --- the folder for sockets ---


def test_the_runtime_folder_is_the_users_alone(tmp_path: Path) -> None:
    (tmp_path / "devkit").mkdir(mode=0o755)
    folder = tmp_path / "devkit" / "project"

    make_runtime(folder)
    make_runtime(folder)

    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


@pytest.mark.parametrize("part", ["devkit", "devkit/project"])
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / part).mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(DevkitError, match=f"{tmp_path / 'devkit'} belongs to somebody else"):
        make_runtime(tmp_path / "devkit" / "project")


@pytest.mark.parametrize("part", ["devkit", "devkit/project"])
def test_a_link_is_refused(tmp_path: Path, part: str) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / part).parent.mkdir(exist_ok=True)
    (tmp_path / part).symlink_to(tmp_path / "elsewhere")

    for use in (make_runtime, check_runtime):
        with pytest.raises(DevkitError, match=f"{tmp_path / part} belongs to somebody else"):
            use(tmp_path / "devkit" / "project")

    assert mode(tmp_path / "elsewhere") == 0o755


def test_a_runtime_folder_cannot_lie_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DevkitError, match=f"cannot make {tmp_path}/file/devkit: ") as caught:
        make_runtime(tmp_path / "file" / "devkit")

    assert "XDG_RUNTIME_DIR" in caught.value.mend[0]


def test_a_folder_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    check_runtime(tmp_path / "devkit" / "project")
    (tmp_path / "file").write_text("")
    check_runtime(tmp_path / "file" / "project")


@pytest.mark.parametrize("open_to", [0o770, 0o707, 0o1777])
def test_a_folder_in_which_others_may_write_is_refused(tmp_path: Path, open_to: int) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    folder.chmod(open_to)

    with pytest.raises(DevkitError, match=f"others may write to {folder}") as caught:
        check_runtime(folder)

    assert caught.value.mend[0] == f"chmod 700 {folder}"
    make_runtime(folder)
    check_runtime(folder)


# --- sockets ---


def test_who_listens_is_connected_to(short_folder: Path) -> None:
    path = short_folder / "x.sock"
    path.write_text("left by a crash")
    with closing(listen(str(path))) as server, connect(path, 5) as far:
        near = server.accept()[0]
        near.sendall(b"hello")
        assert far.recv(5) == b"hello"
        near.close()
        assert mode(path) == 0o600


def test_nobody_listens(short_folder: Path) -> None:
    path = short_folder / "x.sock"
    with pytest.raises(FileNotFoundError):
        connect(path, 5)
    listen(str(path)).close()
    with pytest.raises(ConnectionRefusedError):
        connect(path, 5)


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_is_no_socket_is_not_connected_to(short_folder: Path, what: str) -> None:
    with closing(listen(str(short_folder / "real.sock"))) as server:
        server.setblocking(False)
        path = short_folder / "x.sock"
        if what == "link":
            path.symlink_to("real.sock")
        else:
            path.write_text("")

        with pytest.raises(DevkitError if what == "link" else OSError, match=str(path)):
            connect(path, 5)
        with pytest.raises(BlockingIOError):
            server.accept()


# --- the data folder ---


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def test_data_in_the_project_is_as_safe_as_its_code(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_data(project / ".devkit", project)
    (project / ".devkit").mkdir(mode=0o700)
    check_data(project / ".devkit", project)
    check_data(project, project)

    monkeypatch.setattr(os, "getuid", lambda: project.stat().st_uid + 1)  # as root in a user's project
    check_data(project / ".devkit", project)


@pytest.mark.parametrize(("of_project", "fine"), [(0o755, False), (0o775, False), (0o777, True)])
def test_data_may_be_as_open_as_the_project_and_no_more(project: Path, of_project: int, fine: bool) -> None:
    """On some file systems everything looks as if everybody could write to it."""
    data = project / ".devkit"
    data.mkdir()
    data.chmod(0o777)
    project.chmod(of_project)

    if fine:
        check_data(data, project)
        return
    with pytest.raises(DevkitError, match=f"others may write to {data}") as caught:
        check_data(data, project)
    assert caught.value.mend[0] == f"chmod go-w {data}"


# As this user, but without root's power to read everything; and as if outside of a container.
READS = """
import sys
from pathlib import Path
from devkit.errors import DevkitError
from devkit.model import private
private.in_container = lambda: sys.argv[2] == "in a container"
try:
    private.check_data(Path(sys.argv[1]), Path(sys.argv[1]).parent)
except DevkitError as error:
    print(error)
"""
BOUND = [] if os.getuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("where", ["here", "in a container"])
def test_data_that_is_closed_to_us(project: Path, where: str) -> None:
    """A worker in a container has a place of its own for its data, then."""
    data = project / ".devkit"
    data.mkdir()
    data.chmod(0)

    command = [*BOUND, sys.executable, "-c", READS, str(data), where]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said == (f"{data} belongs to somebody else\n" if where == "here" else "")
