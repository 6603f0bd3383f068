"""A debugger that follows a script, over a real socket: the other side of the protocol, written down once more."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

MESSAGE = re.compile(rb"\xff\xfa\xc9devkit\.(\w+) (.*?)\xff\xf0", re.DOTALL)
DEADLINE_S = 10.0
STOPPED = {
    "file": "/project/tasks.py",
    "line": 8,
    "function": "divide",
    "event": "line",
    "detail": "",
    "source": [[7, "def divide(x, y):"], [8, "    return x / y"], [9, ""]],
}


class Peer:
    """The debugger's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(DEADLINE_S)
        self._received = b""

    def tell(self, kind: str, **data: Any) -> None:
        self.send(message(kind, **data))

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def heard(self, kind: str) -> dict[str, Any]:
        """The next message, which has to be of this kind."""
        while not (found := MESSAGE.search(self._received)):
            self._receive()
        self._received = self._received[found.end() :]
        assert found[1].decode() == kind, found[0]
        data: dict[str, Any] = json.loads(found[2].replace(b"\xff\xff", b"\xff"))
        return data

    def read(self, wanted: bytes) -> bytes:
        """All that comes, up to these bytes."""
        while wanted not in self._received:
            self._receive()
        before, _, self._received = self._received.partition(wanted)
        return before + wanted

    def rest(self) -> bytes:
        """All that comes until the client closes."""
        with suppress(EOFError):
            while True:
                self._receive()
        return self._received

    def _receive(self) -> None:
        data = self._connection.recv(1 << 16)
        if not data:
            raise EOFError
        self._received += data


def message(kind: str, **data: Any) -> bytes:
    body = f"devkit.{kind} {json.dumps(data, ensure_ascii=False)}".encode()
    return b"\xff\xfa\xc9" + body.replace(b"\xff", b"\xff\xff") + b"\xff\xf0"


@contextmanager
def scripted(script: Callable[[Peer], Any]) -> Iterator[int]:
    """A debugger that does this for its one client, then closes; yields its port. What fails there fails here."""
    outcome: SimpleQueue[BaseException | None] = SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)

        def serve() -> None:
            try:
                connection, _ = server.accept()
                with connection:
                    script(Peer(connection))
            except BaseException as error:  # noqa: BLE001 - told to the test
                outcome.put(error)
            else:
                outcome.put(None)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:  # what went wrong in the script is the better explanation
            thread.join(DEADLINE_S)
            with suppress(Empty):
                if error := outcome.get_nowait():
                    raise error
        assert not thread.is_alive(), "the script did not come to its end"
