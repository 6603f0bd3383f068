"""What the loop that watches a stack in containers hears, and whom it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from devkit.containers.docker import Container
from devkit.containers.streams import Event
from devkit.errors import DevkitError
from devkit.model.loop import Signalled
from devkit.stack.messages import Asked, OutputLost
from devkit.stack.supervisor import Reporter


@dataclass(frozen=True)
class Composed:
    """Compose's `up` ended."""

    code: int


@dataclass(frozen=True)
class Happened:
    """Docker told of something."""

    event: Event


@dataclass(frozen=True)
class EventsEnded:
    """Docker tells nothing any more: its engine has ended."""


@dataclass(frozen=True)
class Down:
    """Everything is gone, or could not be brought down: `problem` says why."""

    problem: str


Message = Composed | Happened | EventsEnded | Down | Signalled | Asked | OutputLost
Inbox = SimpleQueue[Message]


class Engine(Protocol):
    """What the loop asks of docker and compose."""

    def look(self, containers: Sequence[str] = ()) -> list[Container]:
        """How these stand now, or all of the project. Raises DockerError."""

    def follow(self, name: str, container: Container) -> None:
        """Show what a container prints, from its last start on."""

    def last_words(self, container: Container) -> str:
        """What it printed last, for an error about it."""

    def keep(self, times: Mapping[str, float]) -> None:
        """All is ready: keep how long each container took, by its key."""

    def explain(self) -> DevkitError:
        """Why compose failed."""

    def stop_compose(self, *, kill: bool) -> None:
        """Have compose's `up` end."""

    def take_down(self, *, kill: bool) -> None:
        """Begin to end all containers; a message tells when they are gone."""


class ContainersReporter(Reporter, Protocol):
    """Hears of the containers' names once there are any."""

    def add(self, names: Sequence[str]) -> None: ...
