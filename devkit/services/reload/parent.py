"""Whoever started `devkit worker` or `devkit api`: the pipes on which it orders and is told."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Unpack

from devkit.model.lines import Lines, line, write
from devkit.model.wire import NOTIFY_FD, Note, ServiceOrder, State


def has_parent() -> bool:
    """Whether there is somebody: to be asked before a `Parent` is made."""
    return NOTIFY_FD in os.environ


class Parent:
    """Whoever started this command through `devkit.stack.process.Process`: `devkit up`, or nobody."""

    def __init__(self) -> None:
        fd = os.environ.pop(NOTIFY_FD, None)
        self._fd = None if fd is None else int(fd)
        self._ready = False
        if self._fd is not None:
            os.set_inheritable(self._fd, False)

    def __bool__(self) -> bool:
        return self._fd is not None

    def orders(self) -> Iterator[ServiceOrder]:
        """The lines on standard input, until the one that says what to run."""
        return iter(Lines(partial(os.read, 0), ServiceOrder))

    def tell(self, **note: Unpack[Note]) -> None:
        """Answer, or tell what is new; one that is gone needs no answer."""
        if self._fd is not None:
            with suppress(OSError):
                write(self._fd, line(note))

    def progress(self, generation: int, state: State, note: str) -> None:
        """The first generation that is ready is what a start waits for, or that there is none."""
        if state == "ready" and not self._ready:
            self._ready = True
            self.tell(ready=True)
        if self._ready or state == "failed":
            self.tell(progress={"generation": generation, "state": state, "note": note})
