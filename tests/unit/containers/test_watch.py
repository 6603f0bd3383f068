"""What is told of the processes in a place: the debuggers that wait there, and what lives there at all."""

import ast
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from devkit.containers.execs import Exec, InContainer
from devkit.containers.inside.scan import host
from devkit.containers.script import text
from devkit.containers.watch import ContainerWatch, Inside, script
from devkit.model.container import container_id
from devkit.model.rdb import BASE_PORT, DEBUG_FOLDER
from devkit.model.session import Session, Waiting
from devkit.store.sessions import Sessions, process_started
from tests.unit.containers.places import Here, container, needs_docker
from tests.unit.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is told comes from /proc")

# A process that looks like a Celery worker, and waits where an rdb would.
LISTENS = """
import os, socket, sys
if sys.argv[1] != "-":
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[2], "-", "", *sys.argv[3:]])
server = socket.create_server((sys.argv[3], int(sys.argv[4])))
print(server.getsockname()[1], flush=True)
connection = server.accept()[0]
print("talks", flush=True)
connection.recv(1)
connection.close()
print("talks no more", flush=True)
sys.stdin.read()
"""
NOBODY = 65534
NO_PROCESS = 0x7FFFFFFF


@dataclass
class Worker:
    process: "subprocess.Popen[str]"
    port: int

    def wait_for(self, line: str) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == f"{line}\n"


def command(address: str, port: int, user: str = "-") -> list[str]:
    return ["-c", LISTENS, user, LISTENS, address, str(port), "celery", "-A", "x", "worker"]


@contextmanager
def worker(address: str = "127.0.0.1", *, base: int | None = None, folder: str = "") -> Iterator[Worker]:
    """One whose rdb's first port is the one at which it listens, or `base`; devkit's own with a debug folder."""
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        port: int = server.getsockname()[1]
    environ = {**os.environ, BASE_PORT: str(base or port), **({DEBUG_FOLDER: folder} if folder else {})}
    with subprocess.Popen(
        [sys.executable, *command(address, port)], env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            one = Worker(process, port)
            one.wait_for(str(port))
            yield one
        finally:
            process.kill()


@contextmanager
def watching(exec_: Exec) -> Iterator[ContainerWatch]:
    watch = ContainerWatch(exec_)
    try:
        yield watch
    finally:
        watch.close()
        watch._thread.join(10)
        assert not watch._thread.is_alive()


def wait_until_told(watch: ContainerWatch, condition: Callable[[Inside], object]) -> Inside:
    def found() -> bool:
        assert watch.problem is None, watch.problem
        return watch.inside is not None and bool(condition(watch.inside))

    wait_for(found)
    assert watch.inside
    return watch.inside


def told_of(inside: Inside, one: Worker) -> list[Waiting]:
    return [waiting for waiting in inside.plain if waiting.pid == one.process.pid]


def sessions_of(inside: Inside, one: Worker) -> list[Session]:
    return [session for session in inside.sessions if session.pid in (one.process.pid, NO_PROCESS)]


def session(one: Worker, **fields: object) -> Session:
    pid = one.process.pid
    known = Session(
        id="a", task="tasks.divide", task_id="a", args="1, 2", file="/app/tasks.py", line=3, function="divide",
        host=socket.gethostname(), container=container_id(), pid=pid, pid_started=process_started(pid), main_pid=1,
        thread="", port=6900, token="", since=1.0, state="paused", paused_s=0.0, why="breakpoint",
    )  # fmt: skip
    return replace(known, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "reached"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")]
)
def test_an_rdb_that_waits(address: str, reached: str) -> None:
    with worker(address) as one, watching(Here()) as watch:
        inside = wait_until_told(watch, lambda inside: told_of(inside, one))

        assert told_of(inside, one) == [Waiting(one.process.pid, reached, one.port)]
        assert inside.alive[one.process.pid] == process_started(one.process.pid)


def test_whoever_talks_already_does_not_wait() -> None:
    with worker() as one, watching(Here()) as watch:
        wait_until_told(watch, lambda inside: told_of(inside, one))
        with socket.create_connection(("127.0.0.1", one.port)):
            one.wait_for("talks")
            wait_until_told(watch, lambda inside: not told_of(inside, one))
        one.wait_for("talks no more")
        wait_until_told(watch, lambda inside: told_of(inside, one))


def test_the_end_of_a_process() -> None:
    with worker() as one, watching(Here()) as watch:
        wait_until_told(watch, lambda inside: told_of(inside, one))
        one.process.kill()
        inside = wait_until_told(watch, lambda inside: one.process.pid not in inside.alive)
        assert told_of(inside, one) == []


def test_other_ports_of_a_worker_are_no_rdb() -> None:
    with worker(base=1) as one, worker() as other, watching(Here()) as watch:
        inside = wait_until_told(watch, lambda inside: told_of(inside, other))
        assert told_of(inside, one) == []


def test_sessions_of_devkits_own_workers(tmp_path: Path) -> None:
    store = Sessions(str(tmp_path / "sessions"))
    with worker(folder=str(tmp_path)) as one, watching(Here()) as watch:
        store.put(session(one))
        store.put(session(one, id="of another host", host="another"))
        store.put(session(one, id="of a process before", pid_started=1.0))
        store.put(session(one, id="of no process", pid=NO_PROCESS))
        (tmp_path / "sessions" / "nonsense.json").write_text("[]")
        (tmp_path / "sessions" / "broken.json").write_text("{")

        inside = wait_until_told(watch, lambda inside: sessions_of(inside, one))
        assert sessions_of(inside, one) == [session(one)]
        assert told_of(inside, one) == []  # its own debugger is none of Celery's

        store.remove("a")
        wait_until_told(watch, lambda inside: not sessions_of(inside, one))


def test_it_ends_with_whoever_wants_to_know() -> None:
    with watching(Here()) as watch:
        wait_until_told(watch, lambda _: True)
        assert watch._process
        pid = watch._process.pid
        watch.close()
        wait_for(lambda: process_started(pid) == -1.0)
        wait_for(lambda: watch.inside is None)
        assert watch.problem is None


def test_nothing_is_left_where_the_command_is_killed() -> None:
    """As `docker exec` is when devkit is killed: what runs inside sees only the end of its input."""
    ours, theirs = os.pipe()
    line = ascii(script()).encode() + b"\n"
    inside = "import sys; exec(eval(sys.stdin.buffer.raw.readline()))"
    with subprocess.Popen([sys.executable, "-c", inside], stdin=ours, stdout=subprocess.PIPE) as process:
        os.close(ours)
        os.write(theirs, line)
        assert process.stdout
        json.loads(process.stdout.readline())
        os.close(theirs)
        assert process.wait(10) == 0


@pytest.mark.parametrize("lacks", [("python3",), ("python3", "python")])
def test_without_a_python(lacks: tuple[str, ...]) -> None:
    with watching(Here("proj-web-1", lacks)) as watch:
        wait_for(lambda: watch.inside or watch.problem)
        assert watch.lacks_python == (len(lacks) == 2)
        assert str(watch.problem) == ("there is no Python in proj-web-1" if watch.lacks_python else "None")


def test_a_place_that_is_not_there() -> None:
    with watching(InContainer("x", "x", docker="/nowhere/docker")) as watch:
        wait_for(lambda: watch.problem)
        assert "/nowhere/docker" in str(watch.problem)
        assert not watch.lacks_python


@dataclass(frozen=True)
class Says:
    """Any command says this there."""

    said: str
    code: int = 0
    name: str = "there"

    def argv(self, command: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", f"print({self.said!r}); raise SystemExit({self.code})"]


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        ("Error response from daemon: Container 4f1c is paused", 1, "Container 4f1c is paused"),
        ("", 3, "the command ended with exit code 3"),
        ('{"plain": 3}', 0, "'int' object is not iterable"),
        ("{}", 0, "'plain'"),
        ("{", 0, "Expecting property name"),
    ],
)
def test_what_makes_no_sense_is_said(said: str, code: int, why: str) -> None:
    with watching(Says(said, code)) as watch:
        wait_for(lambda: watch.problem)
        assert why in str(watch.problem)


@pytest.mark.parametrize(
    ("address", "family", "name"),
    [
        ("0100007F", socket.AF_INET, "127.0.0.1"),
        ("00000000", socket.AF_INET, "127.0.0.1"),
        ("05021EAC", socket.AF_INET, "172.30.2.5"),
        ("0" * 32, socket.AF_INET6, "::1"),
        ("00000000000000000000000001000000", socket.AF_INET6, "::1"),
        ("B80D0120000000000000000001000000", socket.AF_INET6, "2001:db8::1"),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the addresses are those of such a machine")
def test_addresses_as_the_kernel_writes_them(address: str, family: int, name: str) -> None:
    assert host(address, family) == name


@pytest.mark.parametrize("source", [text("connect"), script()], ids=["connect", "scan"])
def test_what_runs_there_is_python_3_7_and_needs_nothing(source: str) -> None:
    tree = ast.parse(source, feature_version=(3, 7))
    modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]

    assert {module.partition(".")[0] for module in modules} <= sys.stdlib_module_names


@needs_docker
def test_a_real_container_in_which_root_has_given_up_its_rights() -> None:
    """Not even root may look into others' processes there."""
    arguments = command("127.0.0.1", 6900, str(NOBODY))
    with container("python3", *arguments) as there, watching(there) as watch:
        wait_for(lambda: watch.inside or watch.problem)
        inside = wait_until_told(watch, lambda inside: inside.plain)

        (one,) = inside.plain
        assert (one.host, one.port) == ("127.0.0.1", 6900)
        subprocess.run(["docker", "kill", there.container], check=True, capture_output=True, timeout=30)
        wait_for(lambda: watch.problem and watch.inside is None)
