"""The control socket: how `status`, `down` and `restart` reach the stack that runs.

One request and one answer a connection, each a line of JSON, between processes of one user.
"""

import socket
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Unpack

from devkit.model.lines import Lines, line
from devkit.model.peer import is_another_user, listen
from devkit.model.private import connect
from devkit.model.status import StackStatus
from devkit.model.wire import ControlRequest, Json
from devkit.stack.messages import Asked, Taker

ANSWER_TIMEOUT_S = 5.0
LONGEST_REQUEST, LONGEST_ANSWER = 1 << 16, 1 << 24


class ControlServer:
    """Listens on `path` and puts each request into `inbox`; `close` removes the socket."""

    def __init__(self, path: Path, inbox: Taker) -> None:
        self._path = path
        self._inbox = inbox
        self._socket = listen(str(path))
        Thread(target=self._listen, name="control", daemon=True).start()

    def close(self) -> None:
        """Stop listening; requests under way get no answer."""
        self._path.unlink(missing_ok=True)
        self._socket.close()

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                Thread(target=self._serve, args=(connection,), name="control request", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(ANSWER_TIMEOUT_S)
        with suppress(OSError, ValueError, Empty), connection:
            if is_another_user(connection):
                return
            request = Lines(connection.recv, Json, LONGEST_REQUEST).next()
            if request is None:
                return
            reply: SimpleQueue[Json] = SimpleQueue()
            self._inbox.put(Asked(request, reply))
            connection.sendall(line(reply.get(timeout=ANSWER_TIMEOUT_S)))


def ask(path: Path, **request: Unpack[ControlRequest]) -> Json | None:
    """The running stack's answer to a request, or None where no stack answers.

    Raises DevkitError where it would be another user who answers.
    """
    try:
        with connect(path, ANSWER_TIMEOUT_S) as connection:
            connection.sendall(line(request))
            deadline = time.monotonic() + ANSWER_TIMEOUT_S

            def receive(most: int) -> bytes:
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                return connection.recv(most)

            return Lines(receive, Json, LONGEST_ANSWER).next()
    except (OSError, ValueError):
        return None


def ask_status(path: Path) -> StackStatus | None:
    """How the running stack stands, or None where none answers. Raises DevkitError for one of another version."""
    answer = ask(path, ask="status")
    return None if answer is None else StackStatus.from_wire(answer)
