"""Connections to ports inside containers and pods, through nothing but a command that runs there."""

import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock, Thread, current_thread
from typing import Self

from devkit.containers.execs import Exec
from devkit.containers.inside.connect import READY
from devkit.containers.script import PYTHONS, UnreachableError, lacks, python_in, said, text
from devkit.model.peer import is_another_user

LOCAL = "127.0.0.1"
# What was sent last still arrives.
LAST_WORDS_S = 1.0
WAITING = 64


class Pipe:
    """One connection into a place, begun before it is known where in there it has to lead. No port is opened here."""

    def __init__(self, exec_: Exec) -> None:
        """Raises UnreachableError where there is no such command."""
        self.exec = exec_
        self._pythons = iter(PYTHONS)
        self._socket, self._process = self._begin(next(self._pythons))

    def connect(self, host: str, port: int) -> socket.socket:
        """What is joined with that port now. Raises UnreachableError."""
        while True:
            with suppress(OSError):  # it has ended already, and tells why
                self._socket.sendall(f"{host} {port}\n".encode())
            problem = _problem(self._process)
            if problem is None:
                return self._socket
            if not lacks(self._process.returncode, str(problem)):
                raise problem
            self.close()
            python = next(self._pythons, None)
            if python is None:
                raise UnreachableError(f"there is no Python in {self.exec.name}")
            self._socket, self._process = self._begin(python)

    def close(self) -> None:
        """End it; who talks there sees that the connection is gone."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, python: Sequence[str]) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                return ours, _join(self.exec, python, (), theirs)
            except UnreachableError:
                ours.close()
                raise


class Relay:
    """A port on 127.0.0.1 that leads to one inside, for as long as this lives.

    `problem` tells why the last connection came to nothing; empty: it did not.
    """

    def __init__(self, exec_: Exec, host: str, port: int) -> None:
        self.problem = ""
        self._exec = exec_
        self._place = host, str(port)
        self._connections: dict[Thread, subprocess.Popen[bytes]] = {}
        self._lock = Lock()
        self._closed = False
        self._server = socket.create_server((LOCAL, 0), backlog=WAITING)
        self.port: int = self._server.getsockname()[1]
        for work in (self._find_python, self._serve):
            Thread(target=work, name=f"relay on port {self.port}", daemon=True).start()

    def close(self) -> None:
        """No more connections; those that there are end, after their last words."""
        with self._lock:
            self._closed = True
            connections = list(self._connections.items())
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        deadline = time.monotonic() + LAST_WORDS_S
        for thread, process in connections:
            thread.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find_python(self) -> None:
        """Ahead of the first connection, whose bytes must not go to a command that there is not."""
        with suppress(UnreachableError):
            python_in(self._exec)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            if is_another_user(connection):
                connection.close()
            else:
                Thread(target=self._connect, args=(connection,), daemon=True).start()

    def _connect(self, connection: socket.socket) -> None:
        """Start what this connection needs, and see it to its end."""
        with connection:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                python = python_in(self._exec)
                with self._lock:
                    if self._closed:
                        return
                    process = _join(self._exec, python, self._place, connection)
                    self._connections[current_thread()] = process
            except (OSError, UnreachableError) as error:
                self.problem = str(error)
                return
        with process:
            self.problem = str(_problem(process) or "")
        with self._lock:
            del self._connections[current_thread()]


def _join(exec_: Exec, python: Sequence[str], place: Sequence[str], stream: socket.socket) -> subprocess.Popen[bytes]:
    """Start what joins the stream with a place inside; without one, with that of its first line.

    Raises UnreachableError.
    """
    argv, fd = exec_.argv([*python, text("connect"), *place]), stream.fileno()
    try:
        # Its own process group: a Ctrl-C in the terminal is for what runs in the task.
        return subprocess.Popen(argv, stdin=fd, stdout=fd, stderr=subprocess.PIPE, process_group=0)
    except OSError as error:
        raise UnreachableError(f"cannot run {argv[0]}: {error.strerror}") from error


def _problem(process: subprocess.Popen[bytes]) -> UnreachableError | None:
    """Why it is not connected, as soon as that is known; None: it is."""
    assert process.stderr is not None
    first = process.stderr.readline()
    if first == READY:
        return None
    stderr = (first + process.stderr.read()).decode(errors="replace")
    return UnreachableError(said(stderr, process.wait()), refused="Connection refused" in stderr)
