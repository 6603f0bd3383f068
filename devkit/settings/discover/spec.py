"""What the text that names an app means in a folder, by the rules of Celery's `-A`, uvicorn and fastapi-cli."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devkit.settings.discover.follow import Follower
from devkit.settings.discover.imports import locate
from devkit.settings.discover.kinds import CELERY, Kind
from devkit.settings.discover.roots import AppRef
from devkit.settings.discover.source import Source
from devkit.settings.discover.values import Factory, Library, Made, Module, Value

MODULE = re.compile(r"[\w-]+(\.[\w-]+)*")
# `app`, `app.celery_app`, `create_app()`; what stands between the brackets, gunicorn would pass on.
ATTRIBUTE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)(\([^()]*\))?")
_DYNAMIC = ("*", "__getattr__")  # bring names that nobody can see here


@dataclass(frozen=True)
class Reading:
    """One way to read the text: the module, and its attribute, which may be empty."""

    module: str
    attribute: str


@dataclass(frozen=True)
class Meant:
    """What the text names in one file; `made` is None where only the project's interpreter can tell."""

    ref: AppRef
    file: Path
    factory: bool
    made: Made | None

    @property
    def kind(self) -> Kind | None:
        return self.made.kind if self.made else None


@dataclass(frozen=True)
class Candidate:
    """A file that has the name which the text gives; `source` is None where it cannot be read."""

    folder: Path
    name: str
    file: Path
    source: Source | None
    follower: Follower

    def meant(self, attribute: str, kind: Kind) -> Meant | None:
        """The app if this module has it, or may have it; the one that its name implies if no attribute is given."""
        if self.source is None:  # the project's interpreter may know newer syntax: let that one judge
            return self._as(attribute)
        if not attribute:
            return self._implied(self.source, kind)
        match = ATTRIBUTE.fullmatch(attribute)
        if match is None or not _has(self.source, match[1].partition(".")[0]):
            return None
        value = self._value(self.source, match[1])
        if isinstance(value, Factory):
            return self._factory(value, attribute, kind, called=bool(match[2]))
        made = value if isinstance(value, Made) and value.kind else None
        if isinstance(value, Module) or (made and not fits(made, kind)):
            return None
        return self._as(attribute, made=made, factory=bool(match[2]))

    def kind_of(self, attribute: str) -> Kind | None:
        """The kind of app that `attribute` plainly is."""
        if self.source is None or not ATTRIBUTE.fullmatch(attribute):
            return None
        value = self._value(self.source, attribute.partition("(")[0])
        return value.kind if isinstance(value, Made) else None

    def apps(self, kind: Kind) -> dict[str, int]:
        """The apps of this kind that were seen in the file: attribute → line."""
        if self.source is None:
            return {}
        found = self.follower.apps(self.source, kind)
        return {name: self.source.top.bound[name][0].line for name in found}

    def tells(self, kind: Kind) -> str:
        """The same in words, or why there are none."""
        if self.source is None:
            return self.follower.skipped[self.file]
        apps = ", ".join(f"{app} (line {line})" for app, line in self.apps(kind).items())
        return apps or f"no {kind.name} app at its top level"

    def _implied(self, source: Source, kind: Kind) -> Meant | None:
        """What this module's name alone stands for: Celery's usual names, then any app in it."""
        names = [name for name in kind.implied if name in source.values]
        plain = [name for name in names if self.kind_of(name) is kind]
        some = [name for name in names if self.kind_of(name) is None]
        for name in (*plain, *some):
            if meant := self.meant(name, kind):
                return meant
        if kind is CELERY and self.file.name == "__init__.py" and locate(self.folder, f"{self.name}.celery"):
            return None  # a package's own celery.py comes before any other name in it
        every = [name for name in source.top.bound if self.kind_of(name) is kind]
        if every and (kind is CELERY or len(every) == 1):  # where there are several Celery takes the first
            return self.meant(every[0], kind)
        factories = [name for name, made in self.follower.factories(source).items() if made.kind is kind]
        if factories and kind is not CELERY:
            return self.meant(factories[0], kind)
        return self._as("") if kind is CELERY and self._may_have_more(source) else None

    def _factory(self, value: Factory, attribute: str, kind: Kind, *, called: bool) -> Meant | None:
        found = self.follower.result(value)
        made = found if isinstance(found, Made) and found.kind else None
        if made and not fits(made, kind):
            return None
        factory = called or made is not None
        if factory and kind is CELERY and not called:
            attribute += "()"
        return self._as(attribute, made=made, factory=factory)

    def _as(self, attribute: str, made: Made | None = None, *, factory: bool = False) -> Meant:
        return Meant(AppRef(self.folder, self.name, attribute), self.file, factory, made)

    def _value(self, source: Source, dotted: str) -> Value | None:
        first, *rest = dotted.split(".")
        node: ast.expr = ast.Name(first, ast.Load())
        for name in rest:
            node = ast.Attribute(node, name, ast.Load())
        return self.follower.value(source.top, node)

    def _may_have_more(self, source: Source) -> bool:
        """Whether some name stands for what reading does not tell."""
        values = (self.follower.named(source.top, name) for name in source.top.bound)
        return not source.names.isdisjoint(_DYNAMIC) or any(
            (isinstance(value, Made) and value.kind is None) or (isinstance(value, Library) and "." in value.name)
            for value in values
        )


def fits(made: Made, kind: Kind) -> bool:
    """Whether an app may be used as one of this kind: any kind of web application is an API."""
    return (made.kind is CELERY) is (kind is CELERY)


def readings(spec: str, kind: Kind) -> list[Reading]:
    """How the text may be meant, the first that there is counts. Empty if it names nothing."""
    module, colon, attribute = spec.strip().partition(":")
    if not MODULE.fullmatch(module):
        return []
    if colon:
        return [Reading(module, attribute)] if ATTRIBUTE.fullmatch(attribute) else []
    found = [Reading(module, "")]
    if kind is CELERY:
        above, dot, last = module.rpartition(".")
        found += [Reading(above, last)] if dot and last.isidentifier() else []
        found.append(Reading(f"{module}.{kind.package}", ""))
    return found


def candidates(follower: Follower, folders: Sequence[Path], module: str) -> Iterator[Candidate]:
    """The files that this module's name means in these folders."""
    for folder in folders:
        if file := locate(folder, module):
            yield Candidate(folder, module, file, follower.source(file), follower)


def _has(source: Source, name: str) -> bool:
    return not source.names.isdisjoint((name, *_DYNAMIC))
