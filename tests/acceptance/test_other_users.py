"""Another user of this machine was there first: made the folder for the sockets, or the one for the data."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.services.alone import only_stack
from devkit.settings.load import load
from devkit.settings.paths import Paths, paths_for
from tests.acceptance.harness import DEVKIT, PYTHON, Project

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")

STRANGER = 12345
# All that devkit asks is answered as devkit's own would, and with a variable by which code comes in.
SQUATTER = """
import encodings.idna, array, json, os, socket, sys, threading
os.setgid(12345), os.setuid(12345)
os.umask(0)
folder, code, project = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
environ = {"PYTHONPATH": code, "CELERY_BROKER_URL": "memory://"}
service = {"name": "worker", "state": "ready", "pid": 1, "url": None, "ready_s": 1.0, "restarts": 0, "generation": 1,
           "note": "", "how": "squatted"}
answers = {
    "control.sock": {"project": project, "pid": 1, "uptime_s": 1.0, "services": [service], "celery": "tasks:app",
                     "tasks": ["tasks.add"], "python": sys.executable, "folder": project, "environ": environ},
    "containers.sock": {},
    "loans.sock": {"pid": os.getpid()},
}

def serve(name, answer):
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.join(folder, name))
    server.listen()
    os.write(1, b"ready\\n")
    while True:
        connection, _ = server.accept()
        os.write(1, b"asked at " + name.encode() + b"\\n")
        try:
            connection.recvmsg(1 << 16, socket.CMSG_SPACE(64))
            connection.sendall(json.dumps(answer).encode() + b"\\n")
        except OSError:
            pass

for name, answer in answers.items():
    threading.Thread(target=serve, args=(name, answer)).start()
"""
# Python imports it by itself.
INTRUDER = "import os, pathlib\npathlib.Path({!r}).write_text(str(os.getpid()))\n"
# Without such a file its case is not even looked for.
CASE = '{"devkit": "case"}'
COMMANDS = {
    "status": 1,
    "status --json": 1,
    "logs": 1,
    "restart worker": 1,
    "down": 1,
    "up": 1,
    "up -d": 1,
    "run add --args [1,2]": 1,
    "failures": 1,
    "show 1234": 1,
    "debug --list": 1,
    "debug add --timeout 1": 1,
    "replay 1234": 125,
    "replay --all": 125,
    "replay case.json": 125,
}


@pytest.fixture
def temp(small: Project) -> Iterator[Path]:
    """A folder for temporary files that is everybody's, in which the project's sockets would lie."""
    with tempfile.TemporaryDirectory(prefix="dk-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        small.environ |= {"XDG_RUNTIME_DIR": "", "TMPDIR": name}
        yield folder
        small.environ["XDG_RUNTIME_DIR"] = name  # by which its processes are found


def paths_of(project: Project, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(tempfile, "tempdir", project.environ["TMPDIR"])
    return paths_for(project.root, ".devkit", {})


@contextmanager
def squatting(folder: Path, code: Path, project: Path) -> "Iterator[subprocess.Popen[str]]":
    """A process of the other user, who has made the folder and listens there at all of devkit's sockets."""
    argv = [sys.executable, "-S", "-c", SQUATTER, str(folder), str(code), str(project)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert [process.stdout.readline() for _ in range(3)] == ["ready\n"] * 3
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_else_speaks_for_the_stack(
    small: Project, temp: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.write({"case.json": CASE})
    code = temp / "code"
    code.mkdir()
    came_in = temp / "came in"
    (code / "sitecustomize.py").write_text(INTRUDER.format(str(came_in)))
    runtime = paths_of(small, monkeypatch).runtime
    assert runtime.is_relative_to(temp)

    with squatting(runtime, code, small.root) as squatter:
        done = small.devkit(*command.split())
        squatter.kill()
        assert squatter.stdout
        heard = squatter.stdout.read()

    assert not came_in.exists()
    done.expect(COMMANDS[command])
    assert f"{runtime.parent} belongs to somebody else" in done.err
    assert f"uid {STRANGER}" in done.err
    assert "XDG_RUNTIME_DIR" in done.err
    assert heard == ""
    assert done.out == ""


def test_a_folder_of_ones_own_in_which_others_may_write_is_nobodys(
    small: Project, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = paths_of(small, monkeypatch).runtime
    runtime.mkdir(parents=True)
    runtime.chmod(0o777)

    with squatting(runtime, temp, small.root):
        done = small.devkit("run", "add", "--args", "[1, 2]").expect(1)

    assert f"others may write to {runtime}" in done.err
    assert f"chmod 700 {runtime}" in done.err


def test_with_a_folder_of_ones_own_it_works_all_the_same(
    small: Project, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the error says that mends it does."""
    runtime = paths_of(small, monkeypatch).runtime
    own = temp / "own"
    own.mkdir(mode=0o700)

    with squatting(runtime, temp, small.root):
        small.environ["XDG_RUNTIME_DIR"] = str(own)
        small.up("worker", "-P", "solo")
        assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
        small.devkit("down").expect(0)
        small.wait_until_gone()


ASKS = """
import encodings.idna, os, socket, sys
os.setgid(12345), os.setuid(12345)
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
connection.connect(sys.argv[1])
try:
    connection.sendall(b'{"ask": "stop"}\\n')
    print(connection.recv(100))
except ConnectionError:
    print(b"")
"""


@pytest.mark.parametrize("socket", ["control.sock", "loans.sock"])
def test_the_stack_answers_nobody_else(small: Project, socket: str) -> None:
    """Not even one who can reach the socket, as where a folder was opened by mistake."""
    small.up("worker")
    runtime = next(Path(small.environ["XDG_RUNTIME_DIR"]).glob("devkit/*"))
    for path in (runtime, *runtime.parents):
        if path != Path("/tmp") and path != Path("/"):
            path.chmod(0o755)
    (runtime / socket).chmod(0o777)

    asked = [sys.executable, "-S", "-c", ASKS, str(runtime / socket)]
    heard = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout

    (runtime / socket).chmod(0o600)
    assert heard == "b''\n"
    assert small.status()["pid"]


# The data folder


def as_stranger(*command: str) -> None:
    subprocess.run(["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", *command], check=True)


HOSTILE_BREAKPOINT = (
    '[{{"number": 1, "kind": "task", "task": "tasks.add", "condition": "open({!r}, chr(119)).close()"}}]'
)


@pytest.mark.parametrize("command", ["up", "worker", "status", "run add --args [1,2]", "failures", "debug --list"])
def test_a_data_folder_of_somebody_else(small: Project, temp: Path, command: str) -> None:
    data = temp / "data"
    as_stranger("mkdir", "-p", str(data / "debug"))
    (data / "debug" / "breakpoints.json").write_text(HOSTILE_BREAKPOINT.format(str(temp / "came in")))
    os.chown(data / "debug" / "breakpoints.json", STRANGER, STRANGER)

    done = small.devkit(*command.split(), env={"DEVKIT_DATA_DIR": str(data)}).expect(1)

    assert f"{data} belongs to somebody else" in done.err
    assert "DEVKIT_DATA_DIR" in done.err
    assert not (data / "lock").exists()


def test_a_link_of_somebody_else_to_a_folder_of_ones_own(small: Project, temp: Path) -> None:
    """It is not theirs to say where data goes."""
    own = temp / "own"
    own.mkdir(mode=0o700)
    as_stranger("ln", "-s", str(own), str(temp / "data"))

    done = small.devkit("up", env={"DEVKIT_DATA_DIR": str(temp / "data")}).expect(1)

    assert f"{temp / 'data'} belongs to somebody else" in done.err
    assert list(own.iterdir()) == []


def test_a_data_folder_in_which_others_may_write(small: Project, temp: Path) -> None:
    done = small.devkit("up", env={"DEVKIT_DATA_DIR": str(temp)}).expect(1)

    assert f"others may write to {temp}" in done.err
    assert f"chmod go-w {temp}" in done.err


@pytest.mark.parametrize("made", [True, False])
def test_a_data_folder_that_others_may_put_another_in_the_place_of(small: Project, temp: Path, made: bool) -> None:
    """Later, too: a worker looks for breakpoints as long as it runs."""
    temp.chmod(0o777)  # and not sticky
    if made:
        (temp / "data").mkdir(mode=0o700)

    done = small.devkit("up", env={"DEVKIT_DATA_DIR": str(temp / "data")}).expect(1)

    assert f"others may write to {temp}" in done.err
    assert f"chmod o-w {temp}" in done.err


def test_a_data_folder_of_somebody_else_in_a_folder_of_the_project_that_is_everybodys(small: Project) -> None:
    for path in (small.root, *small.root.parents):
        if path != Path("/tmp") and path != Path("/"):
            path.chmod(0o755)
    (small.root / "tmp").mkdir()
    (small.root / "tmp").chmod(0o1777)
    as_stranger("mkdir", str(small.root / "tmp" / "data"))

    done = small.devkit("up", env={"DEVKIT_DATA_DIR": "tmp/data"}).expect(1)

    assert f"{small.root / 'tmp' / 'data'} belongs to somebody else" in done.err


def test_somebody_who_is_quicker_than_a_stack_that_makes_its_data_folder(small: Project, temp: Path) -> None:
    data = temp / "data"
    as_stranger("mkdir", "-p", str(data / "logs"))  # after it was looked for, and was not there

    with (
        pytest.raises(DevkitError, match=f"{data} belongs to somebody else"),
        only_stack(replace(load(small.root, {}, {}), paths=Paths(data, temp / "x" / "y"))),
    ):
        pytest.fail("it is believed")
    assert not (data / "lock").exists()


def test_the_lock_cannot_lead_to_somebody_elses_socket(
    small: Project, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the data folder was open for a while, say: what is in it is no reason to trust a socket."""
    small.up("redis")
    lock = small.root / ".devkit" / "lock"
    there = temp / "devkit" / "hostile"
    told = lock.read_text()
    lock.write_text(told.replace(str(paths_of(small, monkeypatch).runtime), str(there)))
    assert lock.read_text() != told

    with squatting(there, temp, small.root):
        done = small.devkit("run", "add", "--args", "[1, 2]").expect(1)
    lock.write_text(told)

    assert "belongs to somebody else" in done.err
    small.devkit("down").expect(0)


# The project's folder


def test_a_project_of_somebody_else_around_ones_own_folder(small: Project, temp: Path) -> None:
    """Its settings name an interpreter, which would be run."""
    evil = temp / "python"
    evil.write_text(f"#!/bin/sh\ntouch '{temp}/came in'\nexec {PYTHON} \"$@\"\n")
    evil.chmod(0o755)
    (temp / "pyproject.toml").write_text(f'[tool.devkit]\npython = "{evil}"\n')
    os.chown(temp / "pyproject.toml", STRANGER, STRANGER)
    own = temp / "mine"
    own.mkdir()
    (own / "tasks.py").write_text("from celery import Celery\napp = Celery('mine', broker='memory://')\n")

    for command in ("status", "run add", "up"):
        done = small.run(DEVKIT, *command.split(), cwd=own).expect(1)
        assert f"{temp / 'pyproject.toml'} belongs to somebody else" in done.err
        assert f"devkit -C {temp}" in done.err
    assert not (temp / "came in").exists()
