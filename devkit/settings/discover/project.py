"""The whole project: one walk through its files for both kinds, and which app is the likeliest."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devkit.settings.discover.kinds import KINDS, Kind, place
from devkit.settings.discover.module import UNREADABLE, Module, inspect, read, why
from devkit.settings.evidence.walk import walk

_ASIDE = frozenset(("test", "tests", "doc", "docs", "example", "examples", "benchmark", "benchmarks"))


@dataclass(frozen=True)
class App:
    """An app, and where it is assigned."""

    file: Path
    line: int
    attribute: str


@dataclass(frozen=True, eq=False)
class ProjectFiles:
    """What one walk found."""

    root: Path
    files: tuple[str, ...]  # plain strings: thousands of them, of which a handful matter
    modules: dict[Path, Module]  # those that may define an app
    skipped: dict[Path, str]  # those that could not be read, and why

    def apps(self, kind: Kind) -> list[App]:
        """Every app of this kind, the most likely one first."""
        found = [
            App(file, line, attribute)
            for file, module in self.modules.items()
            for attribute, line in module.apps[kind].items()
        ]
        return sorted(found, key=lambda app: self.rank(app, kind))

    def rank(self, app: App, kind: Kind) -> tuple[bool, int, int, int]:
        """What sets an app apart from others of its kind: the least is the likeliest."""
        path = app.file.relative_to(self.root)
        aside = not _ASIDE.isdisjoint(path.parts[:-1]) or path.name == "conftest.py"
        return (
            aside or path.stem.startswith("test_") or path.stem.endswith("_test"),
            place(app.attribute, kind.attributes),
            place(path.parent.name if path.stem == "__init__" else path.stem, kind.modules),
            len(path.parts),
        )


@cache  # both kinds, and both ways to ask, share one walk
def scan(root: Path) -> ProjectFiles:
    """The project in this folder."""
    files = walk(root).python
    modules: dict[Path, Module] = {}
    skipped: dict[Path, str] = {}
    for file in files:
        try:
            source = read(file)
            if any(kind.name.encode() in source for kind in KINDS):
                modules[Path(file)] = inspect(source)
        except UNREADABLE as error:
            skipped[Path(file)] = why(error)
    return ProjectFiles(root, files, modules, skipped)
