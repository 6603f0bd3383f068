"""Paths in variables: what a container has at /code/data is in the project's folder on this machine."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from devkit.settings.evidence.compose import ComposeService
from devkit.settings.evidence.containers import image
from devkit.settings.evidence.places import Places, places

# A path alone, or in the URL of a file: sqlite:////code/db.sqlite3.
_PATH = re.compile(r"((?:\w+\+)*(?:sqlite|file)[\w+]*:(?://)?/?)?(/[^:?,;\s]+)(\?.*)?")
_TOP = 2  # parts of a path that has only the root above it


@dataclass(frozen=True)
class Inside:
    """What the containers of some services have of this machine's files."""

    places: Sequence[Places]

    def here(self, value: str) -> str | None:
        """The value with its path as it is here; None for a path of the containers' own, which is not here."""
        found = _PATH.fullmatch(value)
        if found is None:
            return value
        before, path, after = found[1] or "", PurePosixPath(found[2]), found[3] or ""
        for one in self.places:
            if outside := one.outside(str(path)):
                return f"{before}{outside}{after}"
            # What is not there yet is made in its folder.
            if len(path.parts) > _TOP and (outside := one.outside(str(path.parent))):
                return f"{before}{outside / path.name}{after}"
        return value if Path(path).exists() else None


def inside(services: Sequence[ComposeService], among: Sequence[ComposeService]) -> Inside:
    """That of these services; the images of some may be built by others."""
    found = []
    for service in services:
        made = image(service, among)
        found.append(places(service.mounts, made[1].copies if made else (), made[2] if made else None))
    return Inside(found)
