"""The app that a start line names, found in the folders that it is run or imported from; and how far it is trusted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from devkit.settings.discover.kinds import CELERY, FASTAPI, Kind
from devkit.settings.discover.mend import shown
from devkit.settings.discover.project import ProjectFiles
from devkit.settings.discover.roots import AppRef
from devkit.settings.discover.spec import Meant, candidates, readings
from devkit.settings.evidence.given import NEVER_HERE, NOT_HERE
from devkit.settings.evidence.line import StartLine

_TEXTS = re.compile(r"(?i:readme|contributing|install).*|.*\.(?i:md|rst|txt)")
# Files of which each starts one program, so that those of a folder belong together: scripts and images.
_ONE_EACH = re.compile(r"(?i:dockerfile|containerfile).*|.*\.(?i:dockerfile)|[^.]+|.*\.(sh|bash|zsh|service)")
# Where a server looks that is told of no app.
_USUAL = {"fastapi": ("main", "app", "api", "app.main", "app.app", "app.api"), "flask": ("app", "wsgi")}


@dataclass(frozen=True)
class Named:
    """A start line, and the app that it means."""

    line: StartLine
    meant: Meant

    @property
    def app(self) -> object:
        """What is equal for all lines of one app."""
        ref = self.meant.ref
        return self.meant.made.origin if self.meant.made else (ref.folder, ref.module, ref.attribute)

    def reason(self, root: Path) -> str:
        return f"{shown(self.line.file, root)}:{self.line.line}  {self.line.text.strip()}"


def name_apps(project: ProjectFiles, lines: Sequence[StartLine], program: str) -> list[Named]:
    """The lines for this program whose app is found, in their order."""
    kind = FASTAPI if program == "api" else CELERY
    found = []
    for line in lines:
        if line.program == program and (meant := find_named(project, line, kind)):
            found.append(Named(line, meant))
    return found


def find_named(project: ProjectFiles, line: StartLine, kind: Kind) -> Meant | None:
    """What a line's spec means in the first of its folders that has it, as far as that is the project's own code: the
    lines may be those of a repository of which the project is one folder."""
    module, colon, attribute = line.spec.partition(":")
    if module.endswith(".py"):
        module = module.removesuffix(".py").removeprefix("./").replace("/", ".")
    specs = [module + colon + attribute] if module else _USUAL.get(line.server, ())
    for reading in (reading for spec in specs for reading in readings(spec, kind)):
        for candidate in candidates(project.follower, line.folders, reading.module):
            meant = candidate.meant(reading.attribute, kind)
            own = candidate.file.is_relative_to(project.root)
            if meant and own and not _is_library(candidate.file, meant):
                return replace(meant, ref=_with_paths(line, meant.ref))
    return None


def is_text(file: Path) -> bool:
    """Whether it tells people what to type, in several ways perhaps."""
    return _TEXTS.fullmatch(file.name) is not None


def together(line: StartLine) -> Path:
    """What is equal for lines that are meant to run side by side: those of one file, or of one folder's scripts."""
    return line.file.parent if _ONE_EACH.fullmatch(line.file.name) else line.file


def set_by(line: StartLine) -> dict[str, str]:
    """The variables that it sets itself, as far as they are known and not about where it would run."""
    return {
        name: value
        for name, value in line.own.items()
        if known(value) and name not in NOT_HERE and not name.startswith(NEVER_HERE)
    }


def known(text: str) -> str | None:
    """An option's value, where no variable hides it."""
    return text if text and "$" not in text else None


def _with_paths(line: StartLine, ref: AppRef) -> AppRef:
    """The app as Python finds it by PYTHONPATH, from the folder that it is started in."""
    told = line.environ.get("PYTHONPATH", "").split(":")
    names = {PurePosixPath(path).name for path in told if path and "$" not in path}
    added = tuple(folder for folder in line.folders if folder.name in names and folder.is_dir())
    others = [folder for folder in line.folders if folder not in added]
    if not added:
        return ref
    folder = others[0] if others and ref.folder in added else ref.folder
    return replace(ref, folder=folder, paths=tuple(path for path in added if path != folder))


def _is_library(file: Path, meant: Meant) -> bool:
    """`celery -A celery`: a file of the project's that only has the library's name."""
    return meant.ref.module == CELERY.package and meant.made is None and file.stem == CELERY.package
