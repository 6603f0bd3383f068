"""JSON objects, one a line: how devkit's processes talk, through pipes and sockets."""

import json
import os
import select
from collections.abc import Callable, Iterator
from typing import Any

CHUNK = 1 << 16
LONGEST = 1 << 30  # bytes of a line: arguments of tasks are in some


class Lines:
    """What arrives, in pieces of any size."""

    def __init__(self, receive: "Callable[[int], bytes]", longest: int = LONGEST) -> None:
        """`receive` returns at most so many bytes, none at the end: a socket's `recv`, or `os.read` of a descriptor."""
        self._receive = receive
        self._longest = longest
        self._unread = bytearray()
        self._searched = 0

    def __iter__(self) -> "Iterator[dict[str, Any]]":
        return iter(self.next, None)

    def next(self) -> "dict[str, Any] | None":
        """Wait for the next one; None at the end of the stream, where whoever wrote may have died within a line.

        Raises ValueError as `take` does, and what `receive` raises.
        """
        while (found := self.take()) is None:
            if not self.fill():
                return None
        return found

    def fill(self) -> bool:
        """Receive once; false at the end of the stream."""
        piece = self._receive(CHUNK)
        self.feed(piece)
        return bool(piece)

    def feed(self, piece: bytes) -> None:
        """Take what has arrived in another way."""
        self._unread += piece

    def take(self) -> "dict[str, Any] | None":
        """The next one, if it has arrived. Raises ValueError for a line that is no JSON object, or too long."""
        end = self._unread.find(b"\n", self._searched)
        self._searched = len(self._unread) if end < 0 else 0
        if max(end, self._searched) > self._longest:
            raise ValueError(f"a line of more than {self._longest} bytes")
        if end < 0:
            return None
        text = self._unread[:end]
        del self._unread[: end + 1]
        try:
            found = json.loads(text)
        except RecursionError:
            raise ValueError("a line that is nested too deep") from None
        if not isinstance(found, dict):
            raise ValueError("a line that is no JSON object")
        return found


def line(message: "Any", default: "Callable[[Any], Any] | None" = None) -> bytes:
    """The object as a line, in ASCII: half characters go, too. `default` is json's, for what is no JSON value."""
    return json.dumps(message, default=default).encode() + b"\n"


def write(fd: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:  # another program that has this terminal made it non-blocking
            select.select([], [fd], [])
