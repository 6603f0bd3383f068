"""Who talks to debuggers, for benchmarks/debug.py: over the wire, and on a terminal; and the pdb that is the floor."""

import json
import os
import select
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks._common import DEVKIT, HOST, TIMEOUT_S, clean_environ, end, process

PROMPT = b"(Pdb)"

# pdb for each connection; the port is printed first. Arguments: the number of steps.
FLOOR = """
import pdb, socket, sys

def steps(count):
    debugger.set_trace()
    for number in range(count):
        number += 1

server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rw")
    debugger = pdb.Pdb(stdin=stream, stdout=stream)
    steps(int(sys.argv[1]))
    stream.close()
    connection.close()
"""


class Talk:
    """A connection to a debugger: devkit's, with a token, or the floor's."""

    def __init__(self, port: int, token: str = "") -> None:
        self._socket = socket.create_connection((HOST, port), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._token = token
        self._data = b""
        if token:
            self.tell("hello", token=token, columns=100)

    def tell(self, kind: str, **fields: object) -> None:
        """Send a message."""
        self._socket.sendall(b"\xff\xfa\xc9" + f"devkit.{kind} {json.dumps(fields)}".encode() + b"\xff\xf0")

    def hear(self, text: bytes = PROMPT) -> None:
        """Wait until that was said."""
        while text not in self._data:
            piece = self._socket.recv(1 << 16)
            if not piece:
                raise RuntimeError(f"the connection ended without {text!r}: {self._data[-500:]!r}")
            self._data += piece
        self._data = self._data.partition(text)[2]

    def command(self, text: str) -> None:
        """Send a command."""
        if self._token:
            self.tell("command", text=text)
        else:
            self._socket.sendall(f"{text}\n".encode())

    def close(self) -> None:
        self._socket.close()


class Screen:
    """A devkit command on a terminal of its own."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *arguments: str) -> None:
        self._screen, side = os.openpty()
        termios.tcsetwinsize(side, (50, 160))
        self.shown = b""
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [DEVKIT, *arguments],
            cwd=folder,
            # Nobody here answers when it asks where the cursor is.
            env={**environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"},
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
        )
        os.close(side)

    def shows(self, text: bytes) -> float:
        """Wait until that is on the screen; returns when."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.shown:
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            piece = b""
            with suppress(OSError):  # the terminal's other side is gone
                piece = os.read(self._screen, 1 << 16) if ready else b""
            if not piece:
                raise RuntimeError(f"no {text!r} on the screen:\n{self.shown.decode(errors='replace')}")
            self.shown += piece
        return time.monotonic()

    def type(self, line: str) -> None:
        """Type a line that ends the command, and wait for that."""
        os.write(self._screen, f"{line}\r".encode())
        with suppress(OSError):
            while os.read(self._screen, 1 << 16):
                pass
        self._process.wait(TIMEOUT_S)

    def close(self) -> None:
        end(self._process)
        os.close(self._screen)


@contextmanager
def floor_program(steps: int) -> Iterator[int]:
    """Yields the port of a pdb."""
    argv = [sys.executable, "-c", FLOOR, str(steps)]
    with process(argv, Path.cwd(), clean_environ(), stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        yield int(started.stdout.readline())


def timed(ask: Callable[[], None], hear: Callable[[], None]) -> float:
    """Milliseconds from question to answer."""
    began = time.perf_counter()
    ask()
    hear()
    return (time.perf_counter() - began) * 1000
