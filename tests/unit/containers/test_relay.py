"""Connections through a command: all arrives, and whatever comes to nothing says why."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from devkit.containers import relay
from devkit.containers.execs import Exec, InContainer, InPod
from devkit.containers.relay import LOCAL, Pipe, Relay
from devkit.containers.script import UnreachableError
from tests.unit.containers.places import Here, container, needs_docker
from tests.unit.waiting import wait_for

MUCH = os.urandom(3_000_000)
SHOUTS = """
import socketserver
class Shout(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())
        self.wfile.write(b'bye')
socketserver.TCPServer(('127.0.0.1', 7000), Shout).serve_forever()
"""


@contextmanager
def serving(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port at which each connection is served like this, one after the other."""

    def run() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                serve(connection)

    with socket.create_server((LOCAL, 0)) as server:
        thread = Thread(target=run)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def all_of(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    found = b""
    while data := connection.recv(1 << 16):
        found += data
    return found


def echo(connection: socket.socket) -> None:
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def echo_late(connection: socket.socket) -> None:
    """Nothing before the end: what is sent has to be taken meanwhile."""
    connection.sendall(all_of(connection))


def unused_port() -> int:
    with socket.create_server((LOCAL, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_all_arrives_in_both_directions() -> None:
    with serving(echo_late) as port, Pipe(Here()) as pipe:
        connection = pipe.connect(LOCAL, port)
        connection.sendall(MUCH)
        connection.shutdown(socket.SHUT_WR)
        assert all_of(connection) == MUCH


def test_both_may_talk_at_once() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(MUCH)  # to one who does not listen yet
        assert len(all_of(connection)) == len(MUCH)

    with serving(talk) as port, Pipe(Here()) as pipe:
        connection = pipe.connect(LOCAL, port)
        connection.sendall(MUCH)
        connection.shutdown(socket.SHUT_WR)
        assert all_of(connection) == MUCH


def test_who_talks_there_sees_the_end() -> None:
    ended: list[bytes] = []
    with serving(lambda connection: ended.append(all_of(connection))) as port:
        with Pipe(Here()) as pipe:
            pipe.connect(LOCAL, port)
        wait_for(lambda: ended == [b""])


def test_the_end_there_is_seen() -> None:
    with serving(lambda connection: connection.sendall(b"bye")) as port, Pipe(Here()) as pipe:
        assert all_of(pipe.connect(LOCAL, port)) == b"bye"


def test_names_are_looked_up_there() -> None:
    with serving(lambda connection: connection.sendall(b"hello")) as port, Pipe(Here()) as pipe:
        assert all_of(pipe.connect("localhost", port)) == b"hello"


def test_nobody_listens() -> None:
    port = unused_port()
    with Pipe(Here()) as pipe:
        with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}: Connection refused") as caught:
            pipe.connect(LOCAL, port)
        assert caught.value.refused


def test_there_is_no_such_host() -> None:
    with Pipe(Here()) as pipe:
        with pytest.raises(UnreachableError, match=r"nowhere\.invalid:80: ") as caught:
            pipe.connect("nowhere.invalid", 80)
        assert not caught.value.refused


def test_a_modules_name_in_the_working_directory_does_no_harm(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    for name in ("os", "_socket", "_thread"):
        with open(f"{name}.py", "w") as file:  # noqa: PTH123
            file.write("raise SystemExit('the wrong module')")
    with serving(lambda connection: connection.sendall(b"hello")) as port, Pipe(Here()) as pipe:
        assert all_of(pipe.connect(LOCAL, port)) == b"hello"


@pytest.mark.parametrize("connect", ["pipe", "relay"])
def test_python_may_have_its_other_name(connect: str) -> None:
    there = Here(lacks=("python3",))
    with serving(echo) as port:
        if connect == "pipe":
            with Pipe(there) as pipe:
                check_echo(pipe.connect(LOCAL, port))
        else:
            with Relay(there, LOCAL, port) as relayed, socket.create_connection((LOCAL, relayed.port)) as connection:
                check_echo(connection)


def check_echo(connection: socket.socket) -> None:
    connection.sendall(b"hello")
    assert connection.recv(100) == b"hello"


def test_there_is_no_python() -> None:
    there = Here("proj-web-1", lacks=("python3", "python"))
    with Pipe(there) as pipe, pytest.raises(UnreachableError, match="there is no Python in proj-web-1"):
        pipe.connect(LOCAL, 80)
    with Relay(there, LOCAL, 80) as relayed, socket.create_connection((LOCAL, relayed.port)) as connection:
        assert all_of(connection) == b""
        assert relayed.problem == "there is no Python in proj-web-1"


def test_there_is_no_docker() -> None:
    with pytest.raises(UnreachableError, match="cannot run /nowhere/docker: No such file"):
        Pipe(InContainer("x", "x", docker="/nowhere/docker"))
    with Relay(Here(before=("/nowhere/docker",)), LOCAL, 80) as relayed:
        with socket.create_connection((LOCAL, relayed.port)) as connection:
            assert all_of(connection) == b""
        assert "/nowhere/docker" in relayed.problem


def test_a_relay_takes_connections_one_beside_the_other() -> None:
    with serving_many() as port, Relay(Here(), LOCAL, port) as relayed:
        connections = [socket.create_connection((LOCAL, relayed.port)) for _ in range(3)]
        for number, connection in enumerate(connections):
            connection.sendall(b"%d" % number)
        for number, connection in reversed(list(enumerate(connections))):
            assert connection.recv(100) == b"%d" % number
            connection.close()
        assert relayed.problem == ""


@contextmanager
def serving_many() -> Iterator[int]:
    """Like `serving`, several at once."""
    connections: list[Thread] = []

    def apart(connection: socket.socket) -> None:
        mine = connection.dup()
        mine.settimeout(10)

        def serve() -> None:
            with mine:
                echo(mine)

        connections.append(Thread(target=serve))
        connections[-1].start()

    with serving(apart) as port:
        yield port
    for thread in connections:
        thread.join(10)


def test_a_relay_tells_why_nothing_came_of_a_connection() -> None:
    with Relay(Here(), LOCAL, port := unused_port()) as relayed:
        with socket.create_connection((LOCAL, relayed.port)) as connection:
            assert all_of(connection) == b""
        wait_for(lambda: relayed.problem)
        assert relayed.problem == f"127.0.0.1:{port}: Connection refused"


def test_a_relays_port_lives_as_long_as_it_does() -> None:
    with serving(echo) as port:
        with Relay(Here(), LOCAL, port) as relayed, socket.create_connection((LOCAL, relayed.port)) as connection:
            check_echo(connection)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOCAL, relayed.port))


def test_what_was_sent_last_arrives() -> None:
    received: list[bytes] = []
    with serving(lambda connection: received.append(all_of(connection))) as port:
        with Relay(Here(), LOCAL, port) as relayed, socket.create_connection((LOCAL, relayed.port)) as connection:
            wait_for(lambda: relayed._connections)
            connection.sendall(MUCH)
        wait_for(lambda: received)
    assert received == [MUCH]


def test_a_relay_ends_connections_that_nobody_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "LAST_WORDS_S", 0.1)
    events: list[str] = []

    def serve(connection: socket.socket) -> None:
        events.append("begun")
        assert all_of(connection) == b""
        events.append("ended")

    with serving(serve) as port:
        with Relay(Here(), LOCAL, port) as relayed:
            connection = socket.create_connection((LOCAL, relayed.port))
            wait_for(lambda: events)
        with connection:
            assert all_of(connection) == b""
        wait_for(lambda: events == ["begun", "ended"])


def test_other_users_do_not_get_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "is_another_user", lambda _: True)
    with Relay(Here(), LOCAL, 80) as relayed, socket.create_connection((LOCAL, relayed.port)) as connection:
        assert all_of(connection) == b""
        assert relayed._connections == {}


def test_a_pipe_that_is_not_needed_after_all() -> None:
    with Pipe(Here()) as pipe:
        process = pipe._process
        pipe._socket.close()  # what becomes of it when devkit ends
        assert process.wait(10) == 0


def test_a_ctrl_c_is_not_for_the_command() -> None:
    """It goes to the terminal's whole process group."""
    with serving(echo) as port, Pipe(Here()) as pipe:
        pipe.connect(LOCAL, port)
        assert os.getpgid(pipe._process.pid) == pipe._process.pid


def test_the_commands() -> None:
    assert InContainer("4f1c", "proj-worker-2").argv(["python3"]) == ["docker", "exec", "-i", "4f1c", "python3"]
    assert InPod("worker-0").argv(["python3"]) == ["kubectl", "exec", "-i", "worker-0", "--", "python3"]
    named = InPod("worker-0", "shop", "celery")
    assert named.argv(["a"]) == ["kubectl", "-n", "shop", "exec", "-i", "worker-0", "-c", "celery", "--", "a"]
    assert named.name == "shop/worker-0"


@needs_docker
def test_a_real_container() -> None:
    with container("python3", "-c", SHOUTS) as there:
        wait_for(lambda: listens(there))
        with Pipe(there) as pipe:
            connection = pipe.connect(LOCAL, 7000)
            connection.sendall(b"hello\n")
            assert connection.recv(100) == b"HELLO\n"
        with Relay(there, LOCAL, 7000) as relayed, socket.create_connection((LOCAL, relayed.port)) as connection:
            connection.sendall(b"hello\n")
            assert connection.recv(100) == b"HELLO\n"
            connection.shutdown(socket.SHUT_WR)
            assert all_of(connection) == b"bye"
        with Pipe(there) as pipe:
            with pytest.raises(UnreachableError) as caught:
                pipe.connect(LOCAL, 7001)
            assert caught.value.refused
        wait_for(lambda: scripts_in(there) == 0)

        with Pipe(there) as pipe:
            connection = pipe.connect(LOCAL, 7000)
            subprocess.run(["docker", "kill", there.container], check=True, capture_output=True, timeout=30)
            assert all_of(connection) == b""
        wait_for(lambda: is_gone(there))


def listens(there: Exec) -> bool:
    with Pipe(there) as pipe:
        try:
            return bool(pipe.connect(LOCAL, 7000))
        except UnreachableError:
            return False


def scripts_in(there: InContainer) -> int:
    """How many of our processes run there."""
    top = subprocess.run(["docker", "top", there.container], check=True, capture_output=True, text=True, timeout=30)
    return top.stdout.count("start_new_thread")


def is_gone(there: Exec) -> bool:
    with Pipe(there) as pipe:
        try:
            pipe.connect(LOCAL, 7000)
        except UnreachableError as error:
            return "No such container" in str(error)
    return False
