"""The control socket, with a thread in the supervisor's place."""

import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest

from devkit.model.peer import listen
from devkit.stack import control
from devkit.stack.control import ControlServer, ask
from devkit.stack.messages import Asked, Inbox
from tests.unit.waiting import wait_for


@pytest.fixture
def path(short_folder: Path) -> Path:
    return short_folder / "control.sock"


@pytest.fixture
def inbox(path: Path) -> Iterator[Inbox]:
    """What reaches the supervisor from a server that runs for the test."""
    inbox: Inbox = SimpleQueue()
    with closing(ControlServer(path, inbox)):
        yield inbox


def answering(inbox: Inbox, answer: Callable[[Any], dict[str, Any]], times: int = 1) -> Thread:
    """A thread that answers like the supervisor."""

    def run() -> None:
        for _ in range(times):
            message = inbox.get(timeout=10)
            assert isinstance(message, Asked)
            message.reply.put(answer(message.request))

    thread = Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_request_gets_its_answer(path: Path, inbox: Inbox) -> None:
    thread = answering(inbox, lambda request: {"got": request, "text": "ž\n"})

    assert ask(path, ask="restart", services=["api"]) == {
        "got": {"ask": "restart", "services": ["api"]},
        "text": "ž\n",
    }
    thread.join()


@pytest.mark.parametrize("piece", [b"x", b"x" * (1 << 20)])
def test_an_answer_that_has_no_end_is_none(path: Path, piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_TIMEOUT_S", 0.3)
    gone = threading.Event()

    def answer(server: socket.socket) -> None:
        connection = server.accept()[0]
        with connection, suppress(OSError):
            while not gone.wait(0.01):
                connection.sendall(piece)

    with closing(listen(str(path))) as server:
        thread = Thread(target=answer, args=(server,), daemon=True)
        thread.start()
        assert ask(path, ask="status") is None
        gone.set()
        thread.join()


def test_many_ask_at_once(path: Path, inbox: Inbox) -> None:
    answers: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    askers = [Thread(target=lambda n=n: answers.put((n, ask(path, services=[str(n)]))), daemon=True) for n in range(20)]
    for asker in askers:
        asker.start()

    answering(inbox, lambda request: {"number": int(request["services"][0])}, times=20).join()

    for asker in askers:
        asker.join()
    assert all(answer == {"number": number} for number, answer in [answers.get_nowait() for _ in askers])


def test_a_large_answer_arrives_whole(path: Path, inbox: Inbox) -> None:
    thread = answering(inbox, lambda _: {"text": "x" * 5_000_000})

    answer = ask(path, ask="status")

    assert answer is not None
    assert answer["text"] == "x" * 5_000_000
    thread.join()


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b"{\n", b"{}", b"[1]\n", b"\xff\xfe\n"),
        pytest.param(b"x" * 200_000 + b"\n", id="long"),
        pytest.param(b'{"a":' * 10_000 + b"\n", id="deep"),
    ],
    ids=repr,
)
def test_garbage_gets_no_answer_and_does_no_harm(path: Path, inbox: Inbox, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        client.settimeout(10)
        try:
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # it did not even listen to the end

    thread = answering(inbox, lambda _: {"fine": True})
    assert ask(path, ask="status") == {"fine": True}
    thread.join()


def test_who_hangs_up_disturbs_nobody(path: Path, inbox: Inbox) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        client.sendall(b'{"ask": "status"}\n')

    thread = answering(inbox, lambda _: {"text": "x" * 1_000_000}, times=2)
    assert ask(path, ask="status") is not None
    thread.join()


def test_a_supervisor_that_does_not_answer(path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that just ends takes no more messages; and no thread may complain of that on the terminal."""
    complaints: list[object] = []
    monkeypatch.setattr(threading, "excepthook", complaints.append)
    monkeypatch.setattr(control, "ANSWER_TIMEOUT_S", 0.05)

    assert ask(path, ask="status") is None

    wait_for(lambda: all(thread.name != "control request" for thread in threading.enumerate()))
    assert complaints == []


def test_without_a_server_there_is_no_answer(path: Path) -> None:
    assert ask(path, ask="status") is None

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as crashed:
        crashed.bind(str(path))
    assert path.exists()
    assert ask(path, ask="status") is None


def test_the_socket_is_the_users_alone_and_goes_with_its_server(path: Path) -> None:
    path.write_text("left by a crash")
    server = ControlServer(path, SimpleQueue())
    mode = path.stat().st_mode

    server.close()

    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600
    assert not path.exists()
    assert ask(path, ask="status") is None
