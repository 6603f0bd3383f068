"""One start of a program, from its fork to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol, Unpack

from devkit.model.wire import ZygoteOrder


class Phase(Enum):
    """Where a generation is in its life."""

    STARTING = auto()
    LIVE = auto()
    STANDBY = auto()  # drained, but it could take over again
    LEAVING = auto()  # finishes what it runs
    ABANDONED = auto()  # was told to give that up
    REPLACED = auto()  # by a newer one before it was live


class ZygoteHandle(Protocol):
    """What is needed of a started zygote (`devkit.reload.zygote`)."""

    pid: int

    def order(self, **order: Unpack[ZygoteOrder]) -> None: ...
    def close(self) -> None: ...
    def kill(self) -> None: ...
    def kill_generation(self, pid: int) -> None: ...


@dataclass
class Generation:
    """One start of the program. Times are seconds on the handover's clock."""

    number: int
    zygote: ZygoteHandle
    spawned: bool
    changed: Sequence[Path]
    noticed_at: float
    phase: Phase = Phase.STARTING
    pid: int | None = None
    live_at: float = 0.0
    running: int = 0
    tasks: Sequence[str] = ()
    given_back: int = 0
    abandoned: bool = False
    deadline: float | None = None

    def leave(self, deadline: float | None) -> None:
        """It is not needed any more, and finishes what it runs."""
        self.phase, self.deadline = Phase.LEAVING, deadline
        self.order("stop")

    def resume(self) -> None:
        """The one that took over is gone."""
        self.phase, self.deadline = Phase.LIVE, None
        self.order("resume")

    def replace(self, deadline: float) -> None:
        """A newer one takes its place before it was live."""
        self.phase, self.deadline = Phase.REPLACED, deadline
        self.order("stop")

    def abandon(self, deadline: float) -> None:
        """It has had its time."""
        self.phase, self.deadline = Phase.ABANDONED, deadline
        self.order("abandon")

    def order(self, what: str) -> None:
        if self.spawned:  # it is its own zygote
            self.zygote.order(order=what)
        else:
            self.zygote.order(tell=self.number, order=what)

    def kill(self) -> None:
        if self.spawned:
            self.zygote.kill()
        elif self.pid:
            self.zygote.kill_generation(self.pid)
