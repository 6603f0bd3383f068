"""Where a command is run: from which folders it is looked for and imported, on this machine or in a container."""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from devkit.settings.evidence.options import is_open
from devkit.settings.evidence.places import Places
from devkit.settings.evidence.starts import Start

_OWN_FOLDER = re.compile(r"\$\(\s*(?:cd\s+)?.*?dirname.*\)|`[^`]*dirname[^`]*`|\$\{?BASH_SOURCE.*\}")


@dataclass(frozen=True)
class Where:
    """`folders` are where it may be run on this machine, the likeliest first; `inside` is that folder in a container.

    `besides` are further places that it may import from.
    """

    file: Path
    folders: tuple[Path, ...]
    besides: tuple[Path, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    service: str = ""
    inside: str = ""
    places: Places = field(default_factory=Places)

    def after(self, changes: Iterable[str]) -> "Where":
        """The same after `cd` to each of these."""
        where = self
        for change in changes:
            where = where._changed(change) if change else where
        return where

    def _changed(self, folder: str) -> "Where":
        if own := _OWN_FOLDER.match(folder):  # cd "$(dirname "$0")/.."
            rest = folder[own.end() :].lstrip("/")
            return replace(self, folders=(_normal(self.file.parent / rest), *self.folders), inside="")
        if is_open(folder):
            return self
        if self.inside:
            inside = posixpath.join(self.inside, folder)
            outside = self.places.outside(inside)
            return replace(self, inside=inside, folders=(outside,) if outside else ())
        if folder.startswith("/") and (outside := self.places.outside(folder)):  # it is meant for a container
            return replace(self, folders=(outside,))
        found = tuple(_normal(one / Path(folder).expanduser()) for one in self.folders)
        there = tuple(one for one in found if one.is_dir())
        return replace(self, folders=there or self.folders)

    def paths(self, name: str) -> Iterator[Path]:
        """Where a file of this name may lie."""
        inside = posixpath.join(self.inside, name)
        if inside.startswith("/") and (outside := self.places.outside(inside)):
            yield outside
        if not name.startswith("/"):
            yield from (_normal(one / name) for one in (*self.folders, *self.besides))

    def imports(self, start: Start) -> tuple[Path, ...]:
        """The folders that the program's app may be imported from, those that have such a module first."""
        told = [*start.imports, *start.environ.get("PYTHONPATH", "").split(":")]
        added = [path for name in told if name and not is_open(name) for path in self.paths(name)]
        first = added[: len(start.imports)]
        every = [*first, *self.folders, *added, *self.besides]
        there = [folder for folder in dict.fromkeys(every) if folder.is_dir()]
        return tuple(sorted(there, key=lambda folder: distance(folder, start)))


def distance(folder: Path, start: Start) -> int:
    """How far the app is from being found when this folder is the first on the path; 0: it is there."""
    module = start.spec.partition(":")[0]
    if not module:
        usual = "manage.py" if start.server == "django" else "*.py"
        return 0 if next(folder.glob(usual), None) else 1
    if module.endswith(".py") or "/" in module:
        return 0 if (folder / module).exists() else 3
    parts = module.split(".")
    for away, wanted in enumerate((parts, parts[:-1], parts[:1])):
        if wanted and _is_module(folder.joinpath(*wanted)):
            return away
    return 3


def _is_module(path: Path) -> bool:
    return path.with_name(f"{path.name}.py").is_file() or path.is_dir()


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))


def of_file(file: Path, root: Path, places: Places) -> Where:
    """For what a file says: people are in its folder, or in the project's; or it is meant for a container."""
    return Where(file, tuple(dict.fromkeys((file.parent, root))), places=places)
