"""All that can happen to a running stack. Everything arrives in one queue, and one loop decides."""

from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from devkit.model.loop import Signalled
from devkit.model.wire import Json, State


@dataclass(frozen=True)
class Ready:
    """A service answered for the first time; `pid` tells which of its processes."""

    name: str
    pid: int


@dataclass(frozen=True)
class Progressed:
    """A service that reloads itself has something new: which generation is live, its state, a note for people."""

    name: str
    pid: int
    generation: int
    state: State
    note: str


@dataclass(frozen=True)
class Exited:
    """A service's process ended; its output has been read to the end. `code` is as `subprocess` gives it."""

    name: str
    pid: int
    code: int


@dataclass(frozen=True)
class Gone:
    """What is none of this stack's services, and is used all the same, answers no more."""

    name: str


@dataclass(frozen=True)
class Asked:
    """A request over the control socket; the answer goes into `reply`."""

    request: Json
    reply: "SimpleQueue[Json]"


@dataclass(frozen=True)
class OutputLost:
    """Nobody reads what devkit prints any more (`devkit up | head`)."""


Message = Ready | Progressed | Exited | Gone | Signalled | Asked | OutputLost
Inbox = SimpleQueue[Message]


class Taker(Protocol):
    """A queue that takes these two from whoever serves the control socket and the terminal, and maybe others."""

    def put(self, item: Asked | OutputLost, /) -> None: ...
