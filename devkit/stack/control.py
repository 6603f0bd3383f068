"""The control socket: how `status`, `down` and `restart` reach the stack that runs.

One request and one answer a connection, each a line of JSON. The socket lies in a folder that only its user can
enter.
"""

import json
import socket
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from devkit.stack.messages import Asked, Taker

ANSWER_TIMEOUT_S = 5.0
LONGEST_REQUEST = 1 << 16


class ControlServer:
    """Listens on `path` and puts each request into `inbox`; `close` removes the socket."""

    def __init__(self, path: Path, inbox: Taker) -> None:
        self._path = path
        self._inbox = inbox
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(128)
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
        with suppress(OSError, ValueError, Empty), connection, connection.makefile("rb") as lines:
            request = json.loads(lines.readline(LONGEST_REQUEST))
            reply: SimpleQueue[dict[str, Any]] = SimpleQueue()
            self._inbox.put(Asked(request, reply))
            connection.sendall(json.dumps(reply.get(timeout=ANSWER_TIMEOUT_S)).encode() + b"\n")


def ask(path: Path, **request: Any) -> dict[str, Any] | None:
    """The running stack's answer to a request, or None where no stack answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
                return answer
    except (OSError, ValueError):
        return None
