"""How devkit and its agent talk: lines of JSON, orders on standard input, what is to be told on a pipe of its own."""

import os
import select
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ..model.lines import Lines, line, write
from ..model.wire import NOTIFY_FD, Note, ZygoteOrder

if TYPE_CHECKING:
    from typing import Unpack
# Several processes may write to one notify pipe; the kernel keeps a write of this size in one piece (PIPE_BUF).
ATOMIC_BYTES = 4096


class Orders(Lines[ZygoteOrder]):
    """The orders that arrive at a file descriptor, which may get another number."""

    def __init__(self, fd: int = 0) -> None:
        super().__init__(lambda size: os.read(self.fd, size), ZygoteOrder)
        self.fd = fd

    def waiting(self) -> bool:
        """Whether the next one has begun to arrive, or there will be no more."""
        return bool(self._unread or select.select([self.fd], [], [], 0)[0])

    def arrived(self) -> "Iterator[ZygoteOrder | None]":
        """Those that have arrived; the last one is None when there will be no more. Never waits."""
        more = self.fill() if select.select([self.fd], [], [], 0)[0] else True
        yield from iter(self.take, None)
        if not more:
            yield None


class Notify:
    """The pipe on which devkit hears of this process and of those that it forks."""

    def __init__(self) -> None:
        self._fd = int(os.environ.pop(NOTIFY_FD))

    def tell(self, **message: "Unpack[Note]") -> None:
        """Tell one thing; of a text that is too long to arrive in one piece, the middle is left out."""
        data = line(message)
        text, keep = message.get("text", ""), ATOMIC_BYTES
        while text and len(data) > ATOMIC_BYTES and keep:
            keep //= 2
            data = line({**message, "text": f"{text[:keep]}\n…\n{text[len(text) - keep :]}"})
        with suppress(BrokenPipeError):  # devkit was killed: what runs here ends on its own
            write(self._fd, data)
