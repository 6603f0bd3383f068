"""Whether the project may run in containers: a look that costs next to nothing."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from devkit.settings.discover.project import is_ignored

SERVICES = re.compile(rb"^\s*[\"']?services[\"']?\s*:", re.MULTILINE)


def has_compose_file(root: Path) -> bool:
    """Whether one lies in this folder, in one right in it, or in one above, whatever its name."""
    return any(map(_is_compose_file, _yaml_files(root)))


def _yaml_files(root: Path) -> Iterator[Path]:
    for folder in (root, *root.parents):
        yield from _yaml_files_in(folder)
    with suppress(OSError):
        for folder in root.iterdir():
            if not is_ignored(folder.name) and folder.is_dir():
                yield from _yaml_files_in(folder)


def _yaml_files_in(folder: Path) -> Iterator[Path]:
    """Not those whose names begin with a dot: a forge's have services, too."""
    with suppress(OSError):
        yield from (path for path in folder.iterdir() if path.suffix in (".yml", ".yaml") and path.name[0] != ".")


def _is_compose_file(path: Path) -> bool:
    with suppress(OSError):
        return bool(SERVICES.search(path.read_bytes()))
    return False
