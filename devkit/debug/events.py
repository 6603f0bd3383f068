"""What a debugger tells its client, in the order in which it does."""

from dataclasses import dataclass, field
from typing import Any

DETACHED = "detached"


@dataclass(frozen=True)
class Output:
    """Text: what a command or the task printed. Lines end in a newline alone."""

    text: str


@dataclass(frozen=True)
class Welcome:
    """The session that begins; empty where the debugger does not tell."""

    session: dict[str, Any]


@dataclass(frozen=True)
class Stopped:
    """It stands at this line. `source` are numbered lines around it, `shown` is pdb's own text where that came.

    `changed`: the file is younger than the code that runs.
    """

    file: str
    line: int
    function: str
    event: str = "line"
    detail: str = ""
    source: tuple[tuple[int, str], ...] = field(default=())
    shown: str = ""
    changed: bool = False


@dataclass(frozen=True)
class Prompted:
    """It waits for a command."""

    text: str


@dataclass(frozen=True)
class Running:
    """The task goes on."""


@dataclass(frozen=True)
class Ended:
    """The task came to its end."""

    state: str
    result: str | None
    exception: str | None


@dataclass(frozen=True)
class Left:
    """The debugger ended the conversation as agreed, in these words."""

    why: str


@dataclass(frozen=True)
class Refused:
    """It does not talk to this client."""

    why: str


@dataclass(frozen=True)
class Lost:
    """The connection is gone, and nobody had said so."""


Event = Output | Welcome | Stopped | Prompted | Running | Ended | Left | Refused | Lost
# After these nothing comes any more.
Last = Ended | Left | Refused | Lost
