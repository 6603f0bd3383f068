"""Which tasks a module defines, and on which app they hang."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devkit.settings.discover.follow import Follower
from devkit.settings.discover.kinds import CELERY
from devkit.settings.discover.source import Source
from devkit.settings.discover.values import Factory, Library, Made, Origin

# What nearly every file with a task in it has, and few others.
MARK = re.compile(
    rb"^[ \t]*@[ \t]*[\w.]*task\b|\bshared_task\b|\.task\(|\bregister_task\(|\btasks\.register\(", re.MULTILINE
)
_SHARED = ("celery.shared_task", "celery.app.shared_task", "celery.task.task", "celery.decorators.task")


@dataclass(frozen=True)
class Task:
    """A task: `name` is the one that it is given, empty where its module's and its own make one; `unread` where it is
    given one that reading does not tell.

    `on` is the app's origin; None for what every app gets (`shared_task`), or where reading does not tell.
    """

    file: Path
    line: int
    function: str
    name: str
    on: Origin | None
    unread: bool = False

    def called(self, module: str) -> str:
        """The name under which a worker knows it, in a module of this name."""
        return self.name or f"{module}.{self.function}"


def may_have_tasks(content: bytes) -> bool:
    """Whether a file is worth parsing for tasks."""
    return b"task" in content and MARK.search(content) is not None


def tasks_in(follower: Follower, source: Source) -> list[Task]:
    """The tasks that a module's top level defines."""
    return [*_decorated(follower, source), *_registered(follower, source)]


def _decorated(follower: Follower, source: Source) -> Iterator[Task]:
    for node in source.top.nodes:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            makes, on = _makes(follower, source, called)
            if makes:
                line = min(one.lineno for one in node.decorator_list)
                yield Task(source.file, line, node.name, _name_given(decorator), on, _is_unread(decorator))
                break


def _registered(follower: Follower, source: Source) -> Iterator[Task]:
    """`app.register_task(Add())`, `app.tasks.register(Add())`, `add = app.task(plain_add)`."""
    for call in source.top.calls:
        if not isinstance(call.func, ast.Attribute) or not call.args:
            continue
        given, owner = call.args[0], call.func.value
        if call.func.attr == "register" and isinstance(owner, ast.Attribute) and owner.attr == "tasks":
            owner = owner.value
        elif call.func.attr not in ("register_task", "task"):
            continue
        made = follower.value(source.top, owner)
        if isinstance(made, Made) and made.kind is CELERY:
            name = _name_given(call) or _class_name(source, given)
            what = given.func if isinstance(given, ast.Call) else given
            yield Task(source.file, call.lineno, ast.unparse(what).rpartition(".")[2], name, made.origin)


def _makes(follower: Follower, source: Source, decorator: ast.expr) -> tuple[bool, Origin | None]:
    """Whether a decorator makes tasks, and of which app; None: of every app."""
    value = follower.value(source.top, decorator)
    if isinstance(value, Library):
        return value.name in _SHARED, None
    if isinstance(value, Factory):  # a decorator of the project's own around one of Celery's
        return any(map(_makes_a_task, ast.walk(value.node))), None
    if not isinstance(decorator, ast.Attribute) or decorator.attr != "task":
        return False, None
    owner = follower.value(source.top, decorator.value)
    if isinstance(owner, Made) and owner.kind:
        return owner.kind is CELERY, owner.origin
    return "celery" in ast.unparse(decorator.value).lower(), None


def _makes_a_task(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name == "shared_task" or (name == "task" and isinstance(node, ast.Attribute))


def _name_given(node: ast.expr) -> str:
    """`name="…"` among a call's arguments."""
    words = node.keywords if isinstance(node, ast.Call) else []
    return next((_text(word.value) for word in words if word.arg == "name"), "")


def _is_unread(node: ast.expr) -> bool:
    """Whether a name is given there, as no text."""
    words = node.keywords if isinstance(node, ast.Call) else []
    return any(word.arg in ("name", None) and not _text(word.value) for word in words)


def _class_name(source: Source, given: ast.expr) -> str:
    """The name in the body of a task's class."""
    called = given.func if isinstance(given, ast.Call) else given
    bounds = source.top.bound.get(called.id, ()) if isinstance(called, ast.Name) else ()
    for definition in (bound.definition for bound in bounds):
        for node in definition.body if isinstance(definition, ast.ClassDef) else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "name":
                return _text(node.value)
    return ""


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
