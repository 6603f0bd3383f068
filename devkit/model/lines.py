"""JSON objects, one a line: how devkit's processes talk, through pipes and sockets (`devkit.model.wire`)."""

import json
import os
import select
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar, cast

from .shape import fits

CHUNK = 1 << 16
LONGEST = 1 << 30  # bytes of a line: arguments of tasks are in some
M = TypeVar("M")


class Lines(Generic[M]):
    """The messages of one kind that arrive, in pieces of any size."""

    def __init__(
        self, receive: "Callable[[int], bytes]", kind: "type[M]", longest: int = LONGEST, *, bear: bool = False
    ) -> None:
        """`receive` returns at most so many bytes, none at the end: a socket's `recv`, or `os.read` of a descriptor.
        To `bear` lines of another kind is to pass over them."""
        self._receive = receive
        self._kind = kind
        self._longest = longest
        self._bears_others = bear
        self._unread = bytearray()
        self._searched = 0

    def __iter__(self) -> "Iterator[M]":
        return iter(self.next, None)

    def next(self) -> "M | None":
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

    def take(self) -> "M | None":
        """The next one, if it has arrived. Raises ValueError for a line of another kind, or too long."""
        while (text := self._line()) is not None:
            with suppress(ValueError, RecursionError):
                if fits(found := json.loads(text), self._kind):
                    return cast("M", found)
            if not self._bears_others:
                raise ValueError(f"what is no {self._kind.__name__}: {bytes(text[:200])!r}")
        return None

    def _line(self) -> "bytearray | None":
        end = self._unread.find(b"\n", self._searched)
        self._searched = len(self._unread) if end < 0 else 0
        if max(end, self._searched) > self._longest:
            raise ValueError(f"a line of more than {self._longest} bytes")
        if end < 0:
            return None
        text = self._unread[:end]
        del self._unread[: end + 1]
        return text


def line(message: object, default: "Callable[[object], object] | None" = None) -> bytes:
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
