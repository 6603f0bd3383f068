"""Values, and calls of tasks, as Python source: for tests."""

import datetime
import inspect
import keyword
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from celery.app.task import Task

from ...model.wire import CallSource, Imported
from ..structure import type_name
from ..tell.values import positional
from .call import Call, Cannot

NOT_A_NUMBER = 'float("nan")'


class NoLiteral(ValueError):  # noqa: N818 - it says what the matter is
    """The value, or one in it, cannot be written; the message names its type."""


@dataclass(frozen=True)
class Literal:
    """An expression, and the lines that import what it needs."""

    code: str
    imports: frozenset[str] = frozenset()

    @property
    def comparable(self) -> bool:
        """Whether it is equal to the value that it was made of."""
        return NOT_A_NUMBER not in self.code


def literal(value: Any) -> Literal:
    """Raises NoLiteral."""
    imports: set[str] = set()
    try:
        return Literal(_code(value, imports), frozenset(imports))
    except RecursionError:
        raise NoLiteral(f"{type_name(type(value))} without end") from None


def _code(value: Any, imports: "set[str]") -> str:  # noqa: PLR0911 - one for each kind of value
    kind = type(value)
    if value is None or kind in (bool, int):
        try:
            return repr(value)
        except ValueError:
            raise NoLiteral("int of more digits than Python writes") from None
    if kind is float:
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if kind in (str, bytes):
        return _quoted(value)
    if kind in (list, tuple, set, frozenset, dict):
        return _collection(value, imports)
    if kind in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone):
        return _moment(value, imports)
    if kind in (Decimal, UUID):
        imports.add(f"from {kind.__module__} import {kind.__name__}")
        return f'{kind.__name__}("{value}")'
    if (
        isinstance(value, Enum)
        and value.name in kind.__members__
        and value.name.isidentifier()
        and not keyword.iskeyword(value.name)
        and _found(kind.__module__, kind.__qualname__) is kind
    ):
        imports.add(f"from {kind.__module__} import {kind.__qualname__.partition('.')[0]}")
        return f"{kind.__qualname__}.{value.name}"
    raise NoLiteral(type_name(kind))


def _quoted(value: "str | bytes") -> str:
    """In double quotes, where that takes no more backslashes."""
    text = repr(value)
    start = text.index(text[-1])
    if text[-1] == "'" and '"' not in text:
        return f'{text[:start]}"{text[start + 1 : -1]}"'
    return text


def _collection(value: Any, imports: "set[str]") -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_code(key, imports)}: {_code(item, imports)}" for key, item in value.items()) + "}"
    items = [_code(item, imports) for item in value]
    if isinstance(value, list):
        return f"[{', '.join(items)}]"
    if isinstance(value, tuple):
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    inside = f"{{{', '.join(sorted(items))}}}" if items else ""
    if isinstance(value, frozenset):
        return f"frozenset({inside})"
    return inside or "set()"


def _moment(value: Any, imports: "set[str]") -> str:
    imports.add("import datetime")
    zone = getattr(value, "tzinfo", None)
    if type(zone) is ZoneInfo and zone.key:
        imports.add("import zoneinfo")
    elif zone is not None and type(zone) is not datetime.timezone:
        if value.utcoffset() != datetime.timedelta(0) or value.tzname() != "UTC":
            raise NoLiteral(f"{type_name(type(value))} with {type_name(type(zone))}")
        value = value.replace(tzinfo=datetime.timezone.utc)  # noqa: UP017 - Python 3.10
    return repr(value)


def argue(call: Call, place: "tuple[str, str]") -> CallSource:
    """All that a test of this call has to write. Raises Cannot."""
    imports: set[str] = set()

    def written(label: str, value: Any) -> str:
        try:
            found = literal(value)
        except NoLiteral as error:
            raise Cannot(
                "no literal", f"{label} of {call.task.name} cannot be written into a test: it has {error}"
            ) from None
        imports.update(found.imports)
        return found.code

    names = positional(call.task.run, len(call.args))
    labels = [*names, *(f"argument {number + 1}" for number in range(len(names), len(call.args)))]
    return {
        "module": type(call.task).__module__,
        "name": _name(call.task),
        "app": list(place),
        "task": call.task.name,
        "bound": isinstance(inspect.getattr_static(type(call.task), "run", None), FunctionType),
        "args": [written(label, value) for label, value in zip(labels, call.args)],  # noqa: B905 - Python 3.10
        "kwargs": {name: written(name, value) for name, value in call.kwargs.items()},
        "imports": sorted(imports),
        "exception": _exception(call.failure.exception),
    }


def _name(task: Any) -> "str | None":
    """What the task is called in its module."""
    module = sys.modules.get(type(task).__module__)
    usual = type(task).__name__
    names = [usual, *(name for name in vars(module) if name != usual)] if module else []
    return next((name for name in names if _is(getattr(module, name, None), task)), None)


def _is(value: Any, task: Any) -> bool:
    try:
        return isinstance(value, Task) and value.name == task.name
    except Exception:  # what else the project has there may object to being looked at
        return False


def _exception(full_name: str) -> "Imported | None":
    """Where a test imports it from."""
    for module, name in _splits(full_name if "." in full_name else f"builtins.{full_name}"):
        found = _found(module, name)
        if isinstance(found, type) and issubclass(found, BaseException):
            return {"module": module, "name": name}
    return None


def _splits(full_name: str) -> "Iterator[tuple[str, str]]":
    """Each way to see a name as one in a module, the longest module first."""
    parts = full_name.split(".")
    for size in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:size]), ".".join(parts[size:])


def _found(module: str, name: str) -> Any:
    """What is there under that name; None where nothing is."""
    found: Any = sys.modules.get(module)
    if not isinstance(found, ModuleType):
        return None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
