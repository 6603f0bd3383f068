"""A client's end of a connection to the debugger: the protocol once more, from the other side."""

import json
import re
import socket
from contextlib import suppress
from typing import Any

MESSAGE = re.compile(rb"\xff\xfa\xc9devkit\.(\w+) (.*?)\xff\xf0", re.DOTALL)
DEADLINE_S = 10.0


def message(kind: str, **data: Any) -> bytes:
    """A message of a client that does not escape what JSON need not: more of the ways to say the same."""
    body = f"devkit.{kind} {json.dumps(data, ensure_ascii=False)}".encode(errors="surrogatepass")
    return b"\xff\xfa\xc9" + body.replace(b"\xff", b"\xff\xff") + b"\xff\xf0"


class FarEnd:
    """Somebody who connects; what arrives is read in order, and nothing is passed over."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self._unread = b""

    def __enter__(self) -> "FarEnd":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def tell(self, kind: str, **data: Any) -> None:
        self.send(message(kind, **data))

    def read(self, wanted: bytes) -> bytes:
        """All that comes, up to and with these bytes."""
        while wanted not in self._unread:
            assert self._receive(), f"closed after {self._unread!r}"
        before, _, self._unread = self._unread.partition(wanted)
        return before + wanted

    def heard(self, kind: str) -> dict[str, Any]:
        """The next message, of this kind, with nothing before it."""
        data = self.read(b"\xff\xf0")
        found = MESSAGE.fullmatch(data)
        assert found, data
        assert found[1].decode() == kind, data
        fields: dict[str, Any] = json.loads(found[2])
        return fields

    def rest(self) -> bytes:
        """All that comes until the other end closes, which it has to do."""
        with suppress(ConnectionResetError):
            while self._receive():
                pass
        return self._unread

    def _receive(self) -> bool:
        data = self.socket.recv(1 << 16)
        self._unread += data
        return bool(data)
