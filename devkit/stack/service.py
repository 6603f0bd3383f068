"""What the supervisor is told about a service: plain values, no settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Poll:
    """Ready when `check` returns true; it is asked again and again, in a thread, and must return within a second."""

    check: Callable[[], bool]
    what: str


@dataclass(frozen=True)
class Notice:
    """Ready when the process itself says so on its notify pipe (services started through `devkit.agent`)."""

    what: str


@dataclass(frozen=True)
class Finish:
    """Ready when the process has ended with exit code 0: a migration, a seeding script."""

    what: str = "exit code 0"


@dataclass(frozen=True)
class Service:
    """One process to keep running.

    `order` is for services started through `devkit.agent`: the process is started early, imports what it can,
    and waits on its standard input for this line, which says what to run.
    `external` services run already and are only shown; their `ready` tells whether they still do.
    `optional`: the others start without it where it does not, unless one that is not optional depends on it.
    `program`: one of those for which there is a stack: without any of them it ends, without one its start has failed.
    `signal_group` sends the stop signals to the whole process group: a shell does not pass them on.
    `stdin_open` keeps standard input open for as long as devkit lives.
    `advice` tells what mends a start that failed, by the end of the service's output.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    ready: Poll | Notice | Finish | None
    depends_on: tuple[str, ...] = ()
    url: str | None = None
    how: str = ""
    order: bytes | None = None
    external: bool = False
    optional: bool = False
    program: bool = False
    signal_group: bool = False
    stdin_open: bool = False
    grace_s: float = 5.0
    advice: Callable[[str], Sequence[str]] = field(default=lambda _: (), compare=False)
