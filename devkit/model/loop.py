"""The loop that decides: threads and signal handlers only put messages into its queue, all else happens here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
Clock = Callable[[], float]


@dataclass(frozen=True)
class Signalled:
    """Somebody asked to stop (SIGINT, SIGTERM, SIGHUP)."""

    signum: int


class Decider(Protocol[M_contra]):
    """What is decided in such a loop. Times are seconds on its clock."""

    def deadlines(self) -> Iterable[float | None]:
        """When something becomes due though no message comes; None is never."""

    def advance(self, now: float) -> None:
        """Do what is due by now."""

    def over(self) -> bool:
        """Whether there is nothing left to decide."""

    def handle(self, message: M_contra) -> None:
        """Something has happened."""


def decide(decider: Decider[M], inbox: SimpleQueue[M], clock: Clock = time.monotonic) -> None:
    """Until it is over: what is due first, then the next message. So no flood of messages puts off a deadline."""
    while True:
        decider.advance(clock())
        if decider.over():
            return
        known = [deadline for deadline in decider.deadlines() if deadline is not None]
        with suppress(Empty):
            decider.handle(inbox.get(timeout=max(0.0, min(known) - clock()) if known else None))
