"""A command as some file has it, before anybody has understood what it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Piece:
    """Text for a shell, or words that none sees. `service` is the name that the file has for it, `folder` the one
    where it is run, as it is written there."""

    command: str | tuple[str, ...]
    line: int
    service: str = ""
    folder: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
