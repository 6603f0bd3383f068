"""All that can happen to a reloading program. Everything arrives in one queue, and one loop decides."""

from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from devkit.model.loop import Signalled
from devkit.model.wire import Note


@dataclass(frozen=True)
class Changed:
    """Files whose content changed, or that came or went; `at` is when the first was noticed, on time.monotonic."""

    paths: tuple[Path, ...]
    at: float


@dataclass(frozen=True)
class Reinstalled:
    """A package was installed, changed or removed in the project's environment."""

    names: tuple[str, ...]
    at: float


@dataclass(frozen=True)
class Told:
    """What a zygote, or one of its generations, told on the notify pipe (`devkit.agent.fork.zygote`)."""

    zygote: int
    message: Note


@dataclass(frozen=True)
class ZygoteEnded:
    """A zygote's process ended; its generations may go on for a while."""

    zygote: int
    code: int


@dataclass(frozen=True)
class AllGone:
    """A zygote and every process that it forked have ended."""

    zygote: int


Message = Changed | Reinstalled | Told | ZygoteEnded | AllGone | Signalled
Inbox = SimpleQueue[Message]
