"""Forks of a real zygote, lent to whoever wants to replay."""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil
import pytest

from devkit.agent.fork.loan import Loans
from devkit.reload.zygote import ZygoteProcess
from devkit.services.commands import zygote_argv
from devkit.services.project.target import Target
from devkit.services.replay.process import KILLED, Lent, ReplayProcess, borrow, start
from devkit.settings.discover import AppRef
from tests.unit.agent.replay.rerunning import failure
from tests.unit.waiting import wait_for

SHOP = """
import os, signal, sys, time
from celery import Celery
app = Celery("shop", broker="redis://127.0.0.1:1/0")
@app.task(name="shop.ask")
def ask():
    print("printed", os.environ["COLOUR"], os.environ.get("OF_THE_ZYGOTE"), os.getcwd(), sys.path[0])
    return [len(os.listdir("/proc/self/fd")), signal.getsignal(signal.SIGINT) is signal.default_int_handler]
@app.task(name="shop.end")
def end(code):
    os._exit(code)
@app.task(name="shop.hang")
def hang(path):
    try:
        open(path, "w").close()
        time.sleep(60)
    finally:
        os.rename(path, path + ".done")
@app.task(name="shop.deaf")
def deaf(path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    open(path, "w").close()
    time.sleep(60)
"""


class Borrowed:
    """One that was lent, and what it prints."""

    def __init__(self, loans: Path, target: Target, how: "Callable[..., ReplayProcess | None]") -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self.printed, out = os.pipe()
        fds = (0, out, out, orders, answers)
        self.process = borrow(loans, target, fds) if how is borrow else start(target, fds)
        for fd in (orders, answers, out):
            os.close(fd)
        self._lines = os.fdopen(self._answers)

    def ask(self, task: str, *args: Any) -> dict[str, Any]:
        """What becomes of the task; empty if its process ended."""
        made = failure(task, list(args))
        order = {"do": "run", "record": made.to_record(), "args": list(args), "kwargs": {}}
        os.write(self._orders, json.dumps(order).encode() + b"\n")
        for line in self._lines:
            answer: dict[str, Any] = json.loads(line)
            if "outcome" in answer or "cannot" in answer:
                return answer
        return {}

    def close(self) -> None:
        os.close(self._orders)
        self._lines.close()
        os.close(self.printed)
        if self.process:
            self.process.kill()
            self.process.wait()


Make = Callable[..., Borrowed]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop").resolve()
    (folder / "shop.py").write_text(SHOP)
    return folder


def _lends(loans: Path, target: Target) -> bool:
    borrowed = Borrowed(loans, target, borrow)
    borrowed.close()
    return borrowed.process is not None


@pytest.fixture(scope="module")
def loans(project: Path) -> Iterator[Path]:
    """The socket of a zygote that lends."""
    path = project / "loans.sock"
    argv = zygote_argv(sys.executable, "worker", str(project / "learned.json"), "", str(path))
    environ = {**os.environ, "OF_THE_ZYGOTE": "yes"}
    zygote = ZygoteProcess(argv, cwd=project, env=environ, keep=(), inbox=SimpleQueue())
    try:
        wait_for(path.exists)
        target = Target(AppRef(project, "shop", "app"), sys.executable, dict(os.environ))
        wait_for(lambda: _lends(path, target))  # it may still be importing, for longer than anybody waits
        yield path
    finally:
        zygote.close()
        zygote.kill()


@pytest.fixture
def target(project: Path) -> Target:
    return Target(AppRef(project, "shop", "app"), sys.executable, {**os.environ, "COLOUR": "blue"})


@pytest.fixture
def make(loans: Path, target: Target) -> Iterator[Make]:
    """Borrows, or starts, a process."""
    made = []

    def one(how: Any = borrow, wanted: Target = target) -> Borrowed:
        made.append(Borrowed(loans, wanted, how))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.mark.parametrize("how", [borrow, start])
def test_it_is_like_one_that_was_started(make: Make, project: Path, how: Any) -> None:
    borrowed = make(how)

    outcome = borrowed.ask("shop.ask")["outcome"]
    open_fds, hears_ctrl_c = json.loads(outcome["result"].replace("T", "t").replace("F", "f"))

    assert os.read(borrowed.printed, 4096).decode() == f"printed blue None {project} {project}\n"
    assert hears_ctrl_c
    assert open_fds <= 8  # the standard streams, the two pipes, and what looks at the folder


def test_each_one_finds_the_code_as_it_is_now(make: Make, project: Path) -> None:
    later = project / "later.py"
    for answer in ("one", "two"):
        later.write_text(f'from shop import app\n@app.task(name="shop.later")\ndef later():\n    return "{answer}"\n')
        borrowed = make(borrow, replace(Target(AppRef(project, "later", "app"), sys.executable, dict(os.environ))))
        assert borrowed.ask("shop.later")["outcome"]["result"] == f"'{answer}'"


@pytest.mark.parametrize("how", [borrow, start])
def test_how_it_ended(make: Make, how: Any) -> None:
    borrowed = make(how)

    assert borrowed.ask("shop.end", 3) == {}
    assert borrowed.process
    assert borrowed.process.wait() == 3


def test_it_can_be_ended(make: Make, tmp_path: Path) -> None:
    for task, left in (("shop.hang", "hang.done"), ("shop.deaf", "deaf")):
        borrowed, path = make(), tmp_path / task.partition(".")[2]
        order = {"do": "run", "record": failure(task, []).to_record(), "args": [str(path)], "kwargs": {}}
        os.write(borrowed._orders, json.dumps(order).encode() + b"\n")
        wait_for(path.exists)
        pid = running(borrowed)

        assert borrowed.process
        borrowed.process.kill()

        assert borrowed.process.wait() in (130, -signal.SIGKILL, -signal.SIGINT)
        assert not psutil.pid_exists(pid)
        assert (tmp_path / left).exists()


def running(borrowed: Borrowed) -> int:
    """The pid that it tells."""
    pid: int = json.loads(next(line for line in borrowed._lines if "running" in line))["running"]["pid"]
    return pid


def test_another_interpreter_is_not_lent(make: Make, target: Target) -> None:
    assert make(borrow, replace(target, python="/usr/bin/other")).process is None


@pytest.mark.parametrize("sent", [b"", b"\n", b"[]\n", b'{"python": 1}\n', b"\xff\n", b'{"python": "cut'])
def test_nonsense_is_refused_and_the_next_one_served(loans: Path, make: Make, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(loans))
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""

    assert make().ask("shop.ask")["outcome"]["state"] == "SUCCESS"


def test_without_a_zygote_nothing_is_lent(target: Target, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("none", "file"):
        assert borrow(tmp_path / path, target, (0, 1, 2, 0, 1)) is None


def test_the_zygotes_end_is_an_end(project: Path, target: Target) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b'{"pid": 1}\n')
    lent = Lent(ours)
    theirs.close()

    assert lent.wait() == KILLED
    ours.close()


def test_one_that_cannot_even_begin_leaves_the_zygote_as_it_was(make: Make, target: Target, tmp_path: Path) -> None:
    gone = make(borrow, replace(target, app=AppRef(tmp_path / "gone", "shop", "app")))
    assert gone.process
    assert gone.process.wait() == 1

    assert make().ask("shop.ask")["outcome"]["state"] == "SUCCESS"


def test_who_lends_no_more_keeps_nobody_waiting(target: Target, short_folder: Path) -> None:
    lends = Loans(str(short_folder / "loans.sock"))
    lends.close()

    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(ConnectionRefusedError):
        connection.connect(str(short_folder / "loans.sock"))
    assert borrow(short_folder / "loans.sock", target, (0, 1, 2, 0, 1)) is None
