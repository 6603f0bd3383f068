"""Where in the project's files an environment variable has a value: for people to choose from, never the value."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devkit.settings.evidence.compose import compose_services
from devkit.settings.evidence.variables import file_variables
from devkit.settings.evidence.walk import above, walk
from devkit.settings.files import text_of

_ENV_FILE = re.compile(r"\.?(?:dot)?env(?:[._-].*)?|.*[._-]env(?:\.(?!py$).*)?", re.IGNORECASE)
_EXAMPLE = re.compile(r"example|sample|template|dist|default", re.IGNORECASE)
_ENV_FOLDERS = frozenset((".envs", "envs", "env", ".env", "environments"))
_HIDDEN_DEEP = 4  # .envs/.local/.django


@dataclass(frozen=True)
class Place:
    """A file that sets it, and whose: `service` is that of a compose file."""

    kind: Literal["env file", "compose", "example", "Dockerfile"]
    name: str
    file: Path
    line: int
    service: str = ""


def places(root: Path, names: Collection[str]) -> list[Place]:
    """Where these are set, the best places to take them from first. Names count in any case, as pydantic reads them."""
    wanted = {name.upper() for name in names}
    found = [*_in_env_files(root, wanted), *_in_compose(root, wanted), *_in_dockerfiles(root, wanted)]
    order = ("env file", "compose", "example", "Dockerfile")
    return sorted(found, key=lambda one: order.index(one.kind))


def env_files(root: Path) -> list[Path]:
    """The files of variables in the project, and those in the folders above it."""
    found = [Path(file) for file in walk(root).launch]
    for folder in (root, *above(root)):
        with suppress(OSError):
            found += [file for file in folder.iterdir() if file.name[:1] == "."]
            for hidden in (folder / name for name in _ENV_FOLDERS if name.startswith(".")):
                found += list(_below(hidden, _HIDDEN_DEEP))
    return [file for file in dict.fromkeys(found) if _is_env_file(file, root) and file.is_file()]


def _below(folder: Path, deep: int) -> Iterator[Path]:
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                yield from _below(path, deep - 1) if deep else ()
            else:
                yield path


def _is_env_file(file: Path, root: Path) -> bool:
    inside = file.relative_to(root).parts[:-1] if file.is_relative_to(root) else file.parts[-3:-1]
    return _ENV_FILE.fullmatch(file.name) is not None or not _ENV_FOLDERS.isdisjoint(inside)


def _in_env_files(root: Path, wanted: Collection[str]) -> Iterator[Place]:
    for file in env_files(root):
        for one in file_variables(file):
            if one.name.upper() in wanted and one.value:
                yield Place("example" if _EXAMPLE.search(file.name) else "env file", one.name, file, one.line)


def _in_compose(root: Path, wanted: Collection[str]) -> Iterator[Place]:
    for service in compose_services(root):
        for one in service.environment:
            if one.name.upper() in wanted and (one.value or one.unset):
                yield Place("compose", one.name, one.file, one.line, service.name)


def _in_dockerfiles(root: Path, wanted: Collection[str]) -> Iterator[Place]:
    choice = "|".join(map(re.escape, sorted(wanted)))
    pattern = re.compile(rf"^\s*(?:ENV\s+(?:.*\s)?|[A-Za-z_]\w*=\S+\s+)?({choice})[= ]\S", re.IGNORECASE)
    for path in walk(root).launch:
        if "dockerfile" in path.rpartition("/")[2].lower():
            for number, line in enumerate(text_of(Path(path)).splitlines(), 1):
                if line.lstrip().upper().startswith("ENV ") and (match := pattern.search(line)):
                    yield Place("Dockerfile", match[1], Path(path), number)


def by_file(found: Sequence[Place]) -> dict[Path, set[str]]:
    """Which names each file has."""
    files: dict[Path, set[str]] = {}
    for one in found:
        files.setdefault(one.file, set()).add(one.name.upper())
    return files
