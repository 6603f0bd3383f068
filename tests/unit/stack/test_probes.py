"""Readiness, asked of real servers."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from devkit.stack import probes
from devkit.stack.probes import command_succeeds, http_answers, postgres_answers, redis_answers, tcp_answers


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on; held, so that nobody else comes to listen on it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that answers one connection."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@contextmanager
def website(status: Callable[[str], int]) -> Iterator[str]:
    """The address of an HTTP server; `status` gives the answer to a request line like "GET /"."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status(f"{self.command} {self.path}"))
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - http.server's naming

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (302, True), (404, True), (500, False), (503, False)])
def test_a_website_is_ready_with_any_answer_but_a_server_error(status: int, ready: bool) -> None:
    with website(lambda _: status) as url:
        assert http_answers(url).check() is ready


@pytest.mark.parametrize("path", ["/", "/health", "/health?deep=1"])
def test_a_website_is_asked_for_all_that_its_url_names(path: str) -> None:
    def status(request: str) -> int:
        return 200 if request == f"HEAD {path}" else 500

    with website(status) as url:
        assert http_answers(url + path, "HEAD").check()


def test_nobody_answers(closed_port: int) -> None:
    assert not http_answers(f"http://127.0.0.1:{closed_port}").check()
    assert not tcp_answers("127.0.0.1", closed_port).check()
    assert not redis_answers(closed_port).check()


def test_a_server_that_never_answers_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        assert not http_answers(f"http://127.0.0.1:{port}").check()
        assert not redis_answers(port).check()
        assert tcp_answers("127.0.0.1", port).check()


def test_what_is_no_http_is_no_website() -> None:
    with answering(b"+PONG\r\n") as port:
        assert not http_answers(f"http://127.0.0.1:{port}").check()


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"+PONG\r\n", True),
        (b"-LOADING Redis is loading the dataset in memory\r\n", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"", False),
    ],
)
def test_redis_is_ready_when_it_answers_ping(answer: bytes, ready: bool) -> None:
    with answering(answer) as port:
        assert redis_answers(port).check() is ready


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0", True),
        (b"E\0\0\0\x40SFATAL\0C57P03\0Mthe database system is starting up\0\0", False),
        (b"", False),
    ],
)
def test_postgres_is_ready_when_it_asks_who_one_is(answer: bytes, ready: bool) -> None:
    with answering(answer) as port:
        assert postgres_answers(port, "clerk", "shop").check() is ready


def test_a_command_is_run_by_the_shell_in_the_folder_with_the_environment(tmp_path: Path) -> None:
    (tmp_path / "up").touch()
    check = command_succeeds("test -e up && test $MARK = x", tmp_path, {"MARK": "x", "PATH": os.environ["PATH"]}).check
    assert check()

    (tmp_path / "up").unlink()

    assert not check()


def test_a_command_that_hangs_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TIMEOUT_S", 0.01)

    assert not command_succeeds("exec sleep 60", tmp_path, dict(os.environ)).check()


def test_each_probe_says_what_it_waits_for(tmp_path: Path) -> None:
    whats = [
        http_answers("http://127.0.0.1:1/x", "HEAD").what,
        tcp_answers("127.0.0.1", 1).what,
        redis_answers(1).what,
        postgres_answers(1, "clerk", "shop").what,
        command_succeeds("pg_isready", tmp_path, {}).what,
    ]

    assert whats == [
        "HEAD http://127.0.0.1:1/x",
        "a connection to 127.0.0.1:1",
        "PING at 127.0.0.1:1",
        "Postgres at 127.0.0.1:1",
        "success of `pg_isready`",
    ]
