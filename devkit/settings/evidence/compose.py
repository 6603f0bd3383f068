"""The services of a project's compose files, as far as they tell how the project is run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Variable:
    """An environment variable as a file sets it."""

    name: str
    value: str
    file: Path
    line: int


@dataclass(frozen=True)
class ComposeService:
    """One service. `ports` are pairs: the one published on this machine, the one inside."""

    name: str
    file: Path
    line: int
    image: str = ""
    context: Path | None = None
    dockerfile: str = ""
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    command_line: int = 0
    working_dir: str = ""
    environment: Sequence[Variable] = ()
    env_files: Sequence[Path] = ()
    ports: Sequence[tuple[int, int]] = ()
    depends_on: Sequence[str] = ()
    profiles: Sequence[str] = ()
    mounts: Sequence[tuple[Path, str]] = ()
