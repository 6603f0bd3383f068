"""The book of zygotes: which ones there are, and what is left of those that have ended."""

from collections.abc import Callable
from dataclasses import dataclass

from devkit.reload.generation import ZygoteHandle


@dataclass
class _Entry:
    handle: ZygoteHandle
    ended: bool = False
    alone: bool = False  # all that it forked is gone


class Zygotes:
    """The processes that generations come from: true as long as anything is left of one.

    `make` starts one; who replaces it says what further ones are to be.
    """

    def __init__(self, make: Callable[[], ZygoteHandle]) -> None:
        self.make = make
        self._entries: dict[int, _Entry] = {}
        self._proven: set[int] = set()
        self.current = self._start()

    def __bool__(self) -> bool:
        return bool(self._entries)

    def renew(self) -> ZygoteHandle:
        """From now on another one is current; returns the one before. Raises DevkitError if it cannot be started."""
        before, self.current = self.current, self._start()
        return before

    def usable(self) -> ZygoteHandle:
        """The current one; a new one where that has ended."""
        entry = self._entries.get(self.current.pid)
        if entry is None or entry.ended:
            self.renew()
        return self.current

    def prove(self, zygote: ZygoteHandle) -> None:
        """A generation of it was live."""
        self._proven.add(zygote.pid)

    def proven(self, pid: int | None = None) -> bool:
        """Whether a generation of this one, or of any, was live."""
        return bool(self._proven) if pid is None else pid in self._proven

    def get(self, pid: int) -> ZygoteHandle:
        return self._entries[pid].handle

    def ended(self, pid: int) -> bool:
        """Its process ended; whether now nothing is left of it."""
        self._entries[pid].ended = True
        return self._forgotten(pid)

    def alone(self, pid: int) -> bool:
        """All that it forked is gone; whether now nothing is left of it."""
        self._entries[pid].alone = True
        return self._forgotten(pid)

    def close(self) -> None:
        """None of them is needed any more."""
        for entry in self._entries.values():
            entry.handle.close()

    def kill(self) -> None:
        for entry in self._entries.values():
            entry.handle.kill()

    def _start(self) -> ZygoteHandle:
        zygote = self.make()
        self._entries[zygote.pid] = _Entry(zygote)
        return zygote

    def _forgotten(self, pid: int) -> bool:
        entry = self._entries[pid]
        if not (entry.ended and entry.alone):
            return False
        del self._entries[pid]
        return True
