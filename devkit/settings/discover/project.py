"""The whole project: one walk through its files for all kinds of app, and which apps they have."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devkit.settings.discover.follow import Follower
from devkit.settings.discover.imports import Finder
from devkit.settings.discover.kinds import CELERY, Kind, place
from devkit.settings.discover.source import Source, read, why
from devkit.settings.discover.values import Made
from devkit.settings.evidence.walk import walk

_ASIDE = frozenset(("test", "tests", "doc", "docs", "example", "examples", "benchmark", "benchmarks"))


def _imports(package: str, name: str) -> str:
    return rf"from[ \t]+{package}[\w.]*[ \t]+import[ \t]*(?:\([^)]*|[^\n]*)\b{name}\b|\.{name}\b"


# What a file has that makes an app, by its class or by Celery's current one, or that takes one from elsewhere: first a
# needle, which is much quicker to look for.
_MAKES = tuple(
    (needle, re.compile("|".join(patterns).encode(), re.MULTILINE))
    for needle, patterns in (
        (
            b"celery",
            (
                _imports("celery", "Celery"),
                _imports("celery", "current_app"),
                r"^\w*celery\w*[ \t]*(?::[^=\n]*)?=(?!=)",
                r"^\w+[ \t]*(?::[^=\n]*)?=(?!=)[^\n\"'#]*(?:\.\w*celery|\.extensions\[)",
            ),
        ),
        (b"FastAPI", (_imports("fastapi", "FastAPI"),)),
        (b"Flask", (_imports("flask", "Flask"),)),
    )
)
ROUNDS = 3  # of looking for who calls what makes an app
KEPT_BYTES = 1 << 26


@dataclass(frozen=True)
class App:
    """An app, and where it gets its name."""

    file: Path
    line: int
    attribute: str
    made: Made


class Contents:
    """What the files hold: read once, and kept in memory as far as there is room, until it is released."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._room = KEPT_BYTES

    def of(self, file: str) -> bytes:
        """The file's bytes; none where it cannot be read."""
        try:
            return self.read(file)
        except OSError:
            return b""

    def read(self, file: str) -> bytes:
        """The same. Raises OSError."""
        if file in self._kept:
            return self._kept[file]
        content = read(file)
        if len(content) <= self._room:
            self._kept[file] = content
            self._room -= len(content)
        return content

    def release(self) -> None:
        self._kept.clear()
        self._room = KEPT_BYTES


@dataclass(frozen=True, eq=False)
class ProjectFiles:
    """What one walk found."""

    root: Path
    files: tuple[str, ...]  # plain strings: thousands of them, of which a handful matter
    contents: Contents
    follower: Follower
    sources: dict[Path, Source]  # those that may have an app
    skipped: dict[Path, str]  # those that could not be read, and why

    def apps(self, kind: Kind) -> list[App]:
        """Every app of this kind, the most likely one first."""
        found = [app for source in self.sources.values() for app in apps_in(self.follower, source, kind)]
        return sorted(found, key=lambda app: self.rank(app, kind))

    def rank(self, app: App, kind: Kind) -> tuple[bool, int, int, int]:
        """What sets an app apart from others of its kind by names alone: the least is the likeliest."""
        path = app.file.relative_to(self.root)
        return (
            self.is_aside(app.file),
            place(app.attribute, kind.attributes),
            place(path.parent.name if path.stem == "__init__" else path.stem, kind.modules),
            len(path.parts),
        )

    def is_aside(self, file: Path) -> bool:
        """Whether a file is for tests, examples or documentation, none of the project's own programs."""
        path = file.relative_to(self.root) if file.is_relative_to(self.root) else file
        return (
            not _ASIDE.isdisjoint(path.parts[:-1])
            or path.name == "conftest.py"
            or path.stem.startswith("test_")
            or path.stem.endswith("_test")
        )


def apps_in(follower: Follower, source: Source, kind: Kind) -> list[App]:
    """The apps of this kind that a module's top level makes or gets; of several names for one the most usual."""
    found: dict[object, App] = {}
    for name, made in follower.apps(source, kind).items():
        app = App(source.file, source.top.bound[name][0].line, name, made)
        best = found.setdefault(made.origin, app)
        if place(name, kind.attributes) < place(best.attribute, kind.attributes):
            found[made.origin] = app
    return list(found.values())


@cache  # all kinds, and all ways to ask, share one walk
def scan(root: Path) -> ProjectFiles:
    """The project in this folder."""
    files = walk(root).python
    contents = Contents()
    follower = Follower(Finder(root))
    unread: dict[Path, str] = {}
    project = ProjectFiles(root, files, contents, follower, {}, unread)
    makers = [Path(file) for file in _that_make_apps(files, contents, unread)]
    near = {file: None for file in makers if not project.is_aside(file)}
    _look_for_apps(project, near)
    if not project.apps(CELERY):  # tests may be many, and have apps of their own
        _look_for_apps(project, [file for file in makers if file not in near])
    unread |= {file: reason for file, reason in follower.skipped.items() if file.is_relative_to(root)}
    return project


def _look_for_apps(project: ProjectFiles, files: Iterable[Path]) -> None:
    """Look into these files, and into those that call what makes an app there."""
    _look_into(project, files)
    done: set[str] = set()
    for _ in range(ROUNDS):
        makers = {name for source in project.sources.values() for name in _makers(project, source)} - done
        if not makers:
            break
        done |= makers
        _look_into(project, map(Path, _that_call(project.files, project.contents, makers)))


def _look_into(project: ProjectFiles, files: Iterable[Path]) -> None:
    for file in files:
        if file not in project.sources and (source := project.follower.source(file, project.contents.of(str(file)))):
            project.sources[file] = source


def _that_make_apps(files: Iterable[str], contents: Contents, unread: dict[Path, str]) -> Iterator[str]:
    for file in files:
        try:
            content = contents.read(file)
        except OSError as error:
            unread[Path(file)] = why(error)
            continue
        for needle, pattern in _MAKES:
            if needle in content and pattern.search(content):
                yield file
                break


def _makers(project: ProjectFiles, source: Source) -> Iterator[str]:
    """The names of the functions and classes in a module that make apps."""
    if not project.is_aside(source.file):
        yield from project.follower.factories(source)
        yield from project.follower.classes(source)


def _that_call(files: Iterable[str], contents: Contents, names: Iterable[str]) -> Iterator[str]:
    """The files in which what one of these makes gets a name."""
    needles = [name.encode() for name in names]
    called = b"|".join(map(re.escape, needles))
    pattern = re.compile(
        rb"^[ \t]*\w[\w, \t]*(?::[^=\n]*)?=(?!=)[^\n]*\b(?:" + called + rb")[ \t]*\(|"
        rb"\b(?:" + called + rb")[ \t]+as[ \t]",
        re.MULTILINE,
    )
    for file in files:
        content = contents.of(file)
        if any(needle in content for needle in needles) and pattern.search(content):
            yield file
