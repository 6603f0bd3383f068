"""Values as text that people may see: never long, and without what is secret by its name.

Nothing of the project's own runs for it. A value is shown by what it is made of, an object by its type and attributes.
"""

import enum
import inspect
import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice, zip_longest
from typing import Any
from uuid import UUID

from ...model.secret import MASK, is_secret
from ...model.text import printable
from ..structure import args_of, attributes, class_attribute, exact, is_installed, is_plain, name_of, type_name

__all__ = ["MASK", "call_text", "is_secret", "positional", "short"]
LONGEST = 1000
MOST_LEVELS, MOST_ITEMS, MOST_VALUES = 3, 10, 200
LONGEST_TEXT, LONGEST_NUMBER = 120, 40
MOST_BITS = 4000
MORE = "..."


def short(value: Any) -> str:
    """One line of text for any value, which no terminal takes for a command."""
    try:
        text = _Shown().show(value, MOST_LEVELS)
    except Exception:  # such as a set that another thread changes
        text = f"<{name_of(type(value))}>"
    text = printable(text[: LONGEST + 1])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class _Shown:
    """One value with those in it, as far as there is room.

    Built-in types are asked for what is in their subclasses, which may answer otherwise themselves.
    """

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def show(self, value: Any, levels: int) -> str:
        self._left -= 1
        if self._left < 0:
            return MORE
        kind = type(value)
        if (show := _EXACT.get(id(kind))) is not None:
            return show(self, value, levels)
        if is_plain(value, most=LONGEST):  # of the standard library
            return _cut(repr(value), LONGEST_TEXT)
        for base, show in _SPECIAL:
            if issubclass(kind, base):
                return show(self, value, levels)
        return self._instance(value, kind, levels)

    def _instance(self, value: Any, kind: type, levels: int) -> str:
        """Of a type that is none of Python's own."""
        if is_secret(name_of(kind)):  # what it prints of itself would be masked
            return f"<{name_of(kind)} {MASK}>"
        if (fields := _fields(kind)) is not None:
            return f"{name_of(kind)}({self._pairs(_named(value, fields), levels)})"
        for base, show in _BUILT_IN:
            if issubclass(kind, base):
                return f"{name_of(kind)}({show(self, value, levels)})"
        known = [*attributes(value).items()]
        if is_installed(kind):  # what such a one has inside says little, and may be secret under any name
            known = [(name, one) for name, one in known if not name.startswith("_") and id(type(one)) in _SIMPLE]
        shown = self._pairs(known, levels - 1)  # objects lead to many others
        return f"<{name_of(kind)} {shown}>" if shown else f"<{name_of(kind)}>"

    # --- what has parts ---

    def _parts(self, values: "Iterable[Any]", levels: int) -> "list[str]":
        most = MOST_ITEMS if levels > 0 else 0
        found = list(islice(values, most + 1))
        return [*(self.show(value, levels - 1) for value in found[:most]), *([MORE] if len(found) > most else [])]

    def _pairs(self, pairs: "Iterable[tuple[str, Any]]", levels: int) -> str:
        most = MOST_ITEMS if levels > 0 else 0
        found = list(islice(pairs, most + 1))
        texts = [
            f"{name[:LONGEST_TEXT]}={MASK if is_secret(name) else self.show(value, levels - 1)}"
            for name, value in found[:most]
        ]
        return ", ".join([*texts, MORE] if len(found) > most else texts)

    # --- Python's own types, and what inherits from them ---

    def list_(self, value: Any, levels: int) -> str:
        return f"[{', '.join(self._parts(list.__iter__(value), levels))}]"

    def tuple_(self, value: Any, levels: int) -> str:
        names = class_attribute(type(value), "_fields")
        if type(names) is tuple and is_plain(names) and len(names) == tuple.__len__(value):
            return self._pairs(zip(names, tuple.__iter__(value)), levels)  # noqa: B905 - Python 3.10
        parts = self._parts(tuple.__iter__(value), levels)
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"

    def set_(self, value: Any, levels: int) -> str:
        kind = set if issubclass(type(value), set) else frozenset
        parts = self._parts(kind.__iter__(value), levels)
        if len(parts) <= MOST_ITEMS:
            parts.sort()  # their order is another one in each process
        text = f"{{{', '.join(parts)}}}" if parts else ""
        return f"{kind.__name__}({text})" if kind is frozenset or not parts else text

    def deque_(self, value: Any, levels: int) -> str:
        return f"deque([{', '.join(self._parts(deque.__iter__(value), levels))}])"

    def dict_(self, value: Any, levels: int) -> str:
        most = MOST_ITEMS if levels > 0 else 0
        found = list(islice(dict.items(value), most + 1))
        items = found[:most]
        if all(type(key) is str for key, _ in items):
            items.sort(key=lambda item: item[0])
        texts = [
            f"{self.show(key, levels - 1)}: {MASK if is_secret(key) else self.show(item, levels - 1)}"
            for key, item in items
        ]
        return f"{{{', '.join([*texts, MORE] if len(found) > most else texts)}}}"

    def text_(self, value: Any, _: int) -> str:
        kind: Any = next(base for base in (str, bytes, bytearray) if issubclass(type(value), base))
        size, start = kind.__len__(value), kind.__getitem__(value, slice(LONGEST_TEXT))
        if size <= LONGEST_TEXT and len(text := repr(start)) <= LONGEST_TEXT:
            return text
        end = kind.__getitem__(value, slice(max(size - LONGEST_TEXT, 0), size))
        return _cut(repr(start + end), LONGEST_TEXT)

    def int_(self, value: Any, _: int) -> str:
        bits = int.bit_length(value)
        return f"<int of {bits} bits>" if bits > MOST_BITS else _cut(int.__repr__(value), LONGEST_NUMBER)

    def datetime_(self, value: Any, levels: int) -> str:
        plain = datetime.combine(datetime.date(value), datetime.time(value))
        zone = vars(datetime)["tzinfo"].__get__(value)
        inside = repr(plain).partition("(")[2].removesuffix(")")
        inside += "" if zone is None else f", tzinfo={self.show(zone, levels - 1)}"
        return f"{'datetime.datetime' if type(value) is datetime else name_of(type(value))}({inside})"

    # --- what is shown in a way of its own ---

    def enum_(self, value: Any, levels: int) -> str:
        known = attributes(value)
        name, inner = known.get("_name_"), self.show(known.get("_value_"), levels - 1)
        return f"<{name_of(type(value))}{f'.{name}' if type(name) is str else ''}: {inner}>"

    def error_(self, value: Any, levels: int) -> str:
        return f"{name_of(type(value))}({', '.join(self._parts(args_of(value), levels))})"

    def module_(self, value: Any, _: int) -> str:
        return f"<module {self.show(attributes(value).get('__name__'), 0)}>"

    def method_(self, value: Any, _: int) -> str:
        function = value.__func__
        name = function.__qualname__ if type(function) is types.FunctionType else name_of(type(function))
        return f"<bound method {exact(name)}>"

    def type_(self, value: Any, _: int) -> str:
        return f"<class '{type_name(value)}'>"

    def generator_(self, value: Any, _: int) -> str:
        """As its repr, which asks the name for its text."""
        return f"<{name_of(type(value))} object {exact(value.__qualname__)} at {id(value):#x}>"

    def repr_(self, value: Any, _: int) -> str:
        return repr(value)


def _fields(kind: type) -> "list[str] | None":
    """The attributes that a dataclass, or one of attrs or pydantic, prints of itself; None for other types."""
    for where in ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__", "model_fields"):
        found = class_attribute(kind, where)
        if type(found) is dict:
            fields = [(name, attributes(field)) for name, field in found.items()]
        elif issubclass(type(found), tuple):
            fields = [(field.get("name"), field) for field in map(attributes, tuple.__iter__(found))]
        else:
            continue
        if all(type(name) is str for name, _ in fields):
            return [name for name, field in fields if field.get("repr") is not False]
    return None


def _named(value: Any, names: "list[str]") -> "list[tuple[str, Any]]":
    known = attributes(value)
    return [(name, known[name]) for name in names if name in known]


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    start = (longest - len(MORE)) // 2
    return f"{text[:start]}{MORE}{text[start + len(MORE) - longest :]}"


_SIMPLE = frozenset(id(kind) for kind in (type(None), bool, int, float, str, date, datetime, Decimal, UUID))
_Show = Callable[[_Shown, Any, int], str]
_SPECIAL: "tuple[tuple[type, _Show], ...]" = (
    (enum.Enum, _Shown.enum_),
    (BaseException, _Shown.error_),
    (type, _Shown.type_),
    (types.ModuleType, _Shown.module_),
    (datetime, _Shown.datetime_),
    (date, lambda _, value, __: date.__repr__(value)),
    (timedelta, lambda _, value, __: timedelta.__repr__(value)),
    (Decimal, lambda _, value, __: Decimal.__repr__(value)),
)
_BUILT_IN: "tuple[tuple[type, _Show], ...]" = (
    (dict, _Shown.dict_),
    (list, _Shown.list_),
    (tuple, _Shown.tuple_),
    (set, _Shown.set_),
    (frozenset, _Shown.set_),
    (deque, _Shown.deque_),
    (str, _Shown.text_),
    (bytes, _Shown.text_),
    (bytearray, _Shown.text_),
    (int, _Shown.int_),
    (float, lambda _, value, __: float.__repr__(value)),
    (complex, lambda _, value, __: complex.__repr__(value)),
)
# By the types' ids, as in `structure`. These are written in C, and say no more than their own names.
_NAMED = (types.FunctionType, types.BuiltinFunctionType)
_GENERATORS = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_EXACT: "dict[int, _Show]" = {
    **{id(type(one)): _Shown.repr_ for one in (None, True, ..., NotImplemented)},
    **{id(kind): _Shown.repr_ for kind in _NAMED},
    **{id(kind): _Shown.generator_ for kind in _GENERATORS},
    **{id(kind): show for kind, show in _BUILT_IN},
    id(types.MethodType): _Shown.method_,
}


def call_text(function: Any, args: "Sequence[Any]", kwargs: "Mapping[str, Any]") -> str:
    """The arguments of a call, each by its parameter's name where that is known: `x=10, password=***`."""
    named = [*zip_longest(positional(function, len(args)), args, fillvalue=""), *kwargs.items()]
    return ", ".join(
        (f"{name}=" if name and not name.startswith("*") else "") + (MASK if is_secret(name) else short(value))
        for name, value in ((exact(name), value) for name, value in named)
    )


def positional(function: Any, count: int) -> "list[str]":
    """The names of a function's first parameters; `*args` for those that it collects. The call need not fit."""
    try:
        parameters = _parameters(function)
    except Exception:  # it may have to evaluate annotations
        return []
    found: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            found += [f"*{parameter.name}"] * (count - len(found))
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            found.append(parameter.name)
    return found[:count]


@lru_cache(maxsize=256)
def _parameters(function: Any) -> "tuple[inspect.Parameter, ...]":
    return tuple(inspect.signature(function).parameters.values())
