"""What a name of the project's can stand for, as far as reading tells."""

import ast
from dataclasses import dataclass
from pathlib import Path

from devkit.settings.discover.kinds import Kind
from devkit.settings.discover.source import Function, Scope


@dataclass(frozen=True)
class Origin:
    """Where an app is made: two names for one app have one origin."""

    file: Path | str
    line: int


@dataclass(frozen=True)
class Made:
    """An app, or another object that apps may hang on (no kind).

    `holders` are the names by which it went on the way, for what is assigned to its attributes.
    """

    kind: Kind | None
    origin: Origin
    call: ast.Call | None = None
    holders: tuple[tuple[Scope, str], ...] = ()


@dataclass(frozen=True)
class Class:
    """A kind's class, or one of the project's that is derived from it."""

    kind: Kind


@dataclass(frozen=True, eq=False)
class OwnClass:
    """A class of the project's that is none of an app's: apps may hang on its instances."""

    scope: Scope
    node: ast.ClassDef


@dataclass(frozen=True, eq=False)
class Factory:
    """A function of the project's."""

    scope: Scope
    node: Function


@dataclass(frozen=True)
class Module:
    """A module or package of the project's: `file` is None for a folder without __init__.py."""

    name: str
    near: Path
    file: Path | None


@dataclass(frozen=True)
class Library:
    """A name of a library's."""

    name: str


Value = Made | Class | OwnClass | Factory | Module | Library
