"""How devkit and its agent talk: lines of JSON, orders on standard input, what is to be told on a pipe of its own."""

import json
import os
import select
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

NOTIFY_FD = "DEVKIT_NOTIFY_FD"
# Several processes may write to one notify pipe; the kernel keeps a write of this size in one piece (PIPE_BUF).
ATOMIC_BYTES = 4096


class Orders:
    """The orders that arrive at a file descriptor, one JSON object a line."""

    def __init__(self, fd: int = 0) -> None:
        self.fd = fd
        self._unread = b""

    def waiting(self) -> bool:
        """Whether the next one has begun to arrive, or there will be no more."""
        return bool(self._unread or select.select([self.fd], [], [], 0)[0])

    def next(self) -> "dict[str, Any] | None":
        """Wait for the next order; None when there will be no more."""
        while b"\n" not in self._unread:
            if not self._read():
                return None
        return self._take()

    def arrived(self) -> "Iterator[dict[str, Any] | None]":
        """Those that have arrived; the last one is None when there will be no more. Never waits."""
        more = self._read() if select.select([self.fd], [], [], 0)[0] else True
        while b"\n" in self._unread:
            yield self._take()
        if not more:
            yield None

    def _read(self) -> bool:
        piece = os.read(self.fd, 65536)
        self._unread += piece
        return bool(piece)

    def _take(self) -> "dict[str, Any]":
        line, _, self._unread = self._unread.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order


class Notify:
    """The pipe on which devkit hears of this process and of those that it forks."""

    def __init__(self) -> None:
        self._fd = int(os.environ.pop(NOTIFY_FD))

    def tell(self, **message: Any) -> None:
        """Tell one thing; of a text that is too long to arrive in one piece, the middle is left out."""
        data = _line(message)
        text, keep = message.get("text", ""), ATOMIC_BYTES
        while text and len(data) > ATOMIC_BYTES and keep:
            keep //= 2
            data = _line({**message, "text": f"{text[:keep]}\n…\n{text[len(text) - keep :]}"})
        with suppress(BrokenPipeError):  # devkit was killed: what runs here ends on its own
            while data:
                data = data[os.write(self._fd, data) :]


def _line(message: "dict[str, Any]") -> bytes:
    return (json.dumps(message) + "\n").encode()
