"""The compose files of a project: which they are, and what each one says."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from devkit.settings.evidence.walk import above, walk
from devkit.settings.evidence.yaml_tree import UnreadableError, Value, parse
from devkit.settings.files import read

FOLDERS_DEEP = 3
# How `devkit init --docker` begins its own, which tells nothing of the project's.
OWN = "# The development stack in containers. Either of these starts it:"
NAME = re.compile(r".*compose.*\.ya?ml", re.IGNORECASE)
# Those that `docker compose` takes when none is named.
STANDARD = re.compile(r"(docker-)?compose\.ya?ml", re.IGNORECASE)
OVERRIDE = re.compile(r"(docker-)?compose\.override\.ya?ml", re.IGNORECASE)

_DEVELOPMENT = re.compile(r"local|dev", re.IGNORECASE)
_ELSEWHERE = re.compile(r"prod|stag|test|\bci\b|deploy|swarm|traefik|live", re.IGNORECASE)
_SERVICES = re.compile(rb"^\s*[\"']?services[\"']?\s*:", re.MULTILINE)


def candidates(root: Path) -> list[Path]:
    """What may be a compose file, the likeliest first: for development, near, no example."""
    tree = walk(root)
    found = [Path(file) for file in tree.launch if file.endswith((".yml", ".yaml"))]
    found = [file for file in found if tree.depth(file) <= FOLDERS_DEEP and not file.name.startswith(".")]
    for folder in above(root):
        with suppress(OSError):
            found += [file for file in folder.iterdir() if file.suffix in (".yml", ".yaml") and file.is_file()]
    found = [file for file in found if file.name.isprintable()]

    def rank(file: Path) -> tuple[bool, bool, int, int, str]:
        variant = 0 if STANDARD.fullmatch(file.name) else 1 if _DEVELOPMENT.search(file.name) else 2
        return tree.is_aside(file), is_for_elsewhere(file), tree.depth(file), variant, str(file)

    return sorted(found, key=rank)


def is_for_elsewhere(file: Path) -> bool:
    """Whether it is, by its name, for production, tests and the like, not for development."""
    return _ELSEWHERE.search(file.name) is not None


def has_services(file: Path) -> bool:
    """Whether it looks like a compose file, without reading all of it."""
    with suppress(OSError):
        return bool(_SERVICES.search(read(file)))
    return False


def services_in(file: Path) -> Mapping[str, Value]:
    """The services of a compose file by name; none if it is something else, or devkit's own. Raises UnreadableError."""
    try:
        source = read(file)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    text = source.decode("utf-8", "replace").removeprefix("\ufeff")
    if not _SERVICES.search(source) or text.startswith(OWN):
        return {}
    document = parse(file, text)
    every = document.items["services"].items if document and "services" in document.items else {}
    services = {name: one for name, one in every.items() if name.isprintable()}
    return services if NAME.fullmatch(file.name) or any(map(is_whole, services.values())) else {}


def is_whole(service: Value) -> bool:
    """Whether it can be started as it stands, and does not only change another file's."""
    return not {"image", "build", "extends"}.isdisjoint(service.items)


def stacks(documents: Mapping[Path, Mapping[str, Value]]) -> Iterator[tuple[Path, str, list[Value]]]:
    """Each service that these files start: its file, its name, and what makes it up, the lowest first."""
    for file, own in documents.items():
        beside = {other: found for other, found in documents.items() if other.parent == file.parent}
        bases = [found for other, found in beside.items() if STANDARD.fullmatch(other.name)]
        if STANDARD.fullmatch(file.name):
            stack = [own, *(found for other, found in beside.items() if OVERRIDE.fullmatch(other.name))]
            for name in dict.fromkeys(name for one in stack for name in one):
                yield file, name, [one[name] for one in stack if name in one]
        elif not (bases and OVERRIDE.fullmatch(file.name)):  # its base has it
            for name, service in own.items():
                below = [] if is_whole(service) else [base[name] for base in bases[:1] if name in base]
                yield file, name, [*below, service]
