"""The services of a project's compose files, as far as they tell how the project is run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devkit.settings.evidence.compose_file import NAME, candidates, has_services, services_in, stacks
from devkit.settings.evidence.compose_service import ComposeService, layers, service
from devkit.settings.evidence.variables import Variable, file_values
from devkit.settings.evidence.yaml_tree import UnreadableError, Value

__all__ = ["Compose", "ComposeService", "Variable", "compose_services", "has_compose_file", "read_compose"]


@dataclass(frozen=True)
class Compose:
    """What the compose files say, the likeliest file first; `notes` tell which could not be read, and why."""

    services: tuple[ComposeService, ...]
    notes: tuple[str, ...]


def compose_services(root: Path) -> tuple[ComposeService, ...]:
    """The services of all compose files in this folder, below it, and above it in its repository."""
    return read_compose(root.resolve()).services


def has_compose_file(root: Path) -> bool:
    """Whether the project may run in containers. devkit's own file counts, too."""
    return any(map(has_services, candidates(root.resolve())))


@cache
def read_compose(root: Path) -> Compose:
    """A file of standard name has what its override changes; what only changes another file's is put upon that."""
    documents: dict[Path, Mapping[str, Value]] = {}
    notes: list[str] = []
    for file in candidates(root):
        try:
            if found := services_in(file):
                documents[file] = found
        except UnreadableError as error:
            if NAME.fullmatch(file.name):
                notes.append(f"{os.path.relpath(file, root)} is passed over: {error}")
    services = []
    for file, name, parts in stacks(documents):
        values = file_values(root / ".env") | file_values(file.parent / ".env")
        services.append(service(name, [layer for part in parts for layer in layers(part)], values))
    return Compose(tuple(services), tuple(notes))
