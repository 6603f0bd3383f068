"""A world for the loops that decide: their inbox and their clock in one. Time passes only while a loop waits."""

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus

M = TypeVar("M")
TOO_LATE_S = 100_000.0


class StuckError(AssertionError):
    """The loop waits for what can never happen any more."""


class World(SimpleQueue[M], Generic[M]):
    """What happens to a loop: each message arrives at its moment, and may change the world before it does.

    `log` tells what came of it: each entry with the second at which it did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.log: list[str] = []
        self.errors: list[DevkitError] = []
        self._future: list[tuple[float, int, Callable[[], M | None]]] = []
        self._order = count()

    # What happens

    def at(self, moment: float, event: M | Callable[[], M | None]) -> None:
        """Something that will happen; of what is called only what it returns is a message."""
        happens: Callable[[], M | None] = event if callable(event) else lambda: event
        heapq.heappush(self._future, (moment, next(self._order), happens))

    def do(self, moment: float, what: Callable[[], object]) -> None:
        """Change the world."""

        def event() -> None:
            what()

        self.at(moment, event)

    def get(self, block: bool = True, timeout: float | None = None) -> M:
        """The inbox's next message; raises StuckError where a real loop would never return."""
        assert block
        assert timeout is None or timeout >= 0
        assert self.now < TOO_LATE_S, f"it goes on for ever: {self.log[-20:]}"
        while True:
            if not self._future and timeout is None:
                raise StuckError(f"it waits for ever: {self.log}")
            if timeout is not None and (not self._future or self._future[0][0] > self.now + timeout):
                self.now += timeout
                raise Empty
            moment, _, happens = heapq.heappop(self._future)
            waited = max(0.0, moment - self.now)
            self.now += waited
            timeout = None if timeout is None else max(0.0, timeout - waited)
            if (message := happens()) is not None:
                return message

    # What is known afterwards

    def note(self, text: str) -> None:
        self.log.append(f"{round(self.now, 3):g} {text}")

    def told(self, *words: str) -> list[str]:
        """The entries of the log in which one of these words occurs."""
        return [entry for entry in self.log if any(word in entry for word in words)]


class ReportingWorld(World[M]):
    """A world in which people are told what happens, too."""

    def output(self, name: str, chunk: bytes) -> None:
        pass

    def ended(self, name: str) -> None:
        pass

    def ready(self, name: str) -> None:
        self.note(f"{name} ready")

    def all_ready(self, services: Sequence[ServiceStatus]) -> None:
        self.note(f"all ready: {', '.join(service.name for service in services)}")

    def notice(self, text: str) -> None:
        self.note(f"devkit: {text}")

    def stopping(self) -> None:
        self.note("stopping")

    def failed(self, error: DevkitError) -> None:
        self.errors.append(error)
        self.note(f"failed: {error.what}")

    def tail(self, name: str) -> str:
        return f"last words of {name}"
