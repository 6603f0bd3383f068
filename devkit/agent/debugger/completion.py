"""What could come next at the debugger's prompt, found without running any of the project's code.

Attributes are looked up in dictionaries, never asked for: a property, a `__getattr__` or a `__dir__` may do anything.
"""

import builtins
import keyword
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any

from ..structure import class_attribute, class_vars, in_c, mro, own_dict, pairs

MOST = 200
LONGEST = 500  # characters before the cursor that are looked at: the search takes the square of it
_WORD = re.compile(r"(?:(?:[^\W\d]\w*)\s*\.\s*)*(?:[^\W\d]\w*)?$")
_missing = object()


def complete(
    text: str, commands: "Iterable[str]", names: "Mapping[str, Any]", more: "Mapping[str, Any]"
) -> "tuple[int, list[str]]":
    """Where the word before the cursor begins, and what it could become; `names` go before `more`."""
    found = _WORD.search(text, max(0, len(text) - LONGEST))
    word = found.group() if found else ""
    start = len(text) - len(word)
    if text[:start].rstrip().endswith("."):  # of a value that only running could tell
        return len(text), []
    path, dot, beginning = word.rpartition(".")
    if dot:
        value = _value([part.strip() for part in path.split(".")], (names, more, vars(builtins)))
        candidates = set() if value is _missing else attributes(value)
        start = len(text) - len(beginning.lstrip())
        beginning = beginning.lstrip()
    else:
        candidates = {name for space in (names, more, vars(builtins)) for name, _ in pairs(space)}
        candidates.update(keyword.kwlist)
        if start == 0 and not text[:1].isspace():
            candidates.update(commands)
    matches = [name for name in candidates if name.startswith(beginning)]
    if not beginning.startswith("_"):
        matches = [name for name in matches if not name.startswith("_")]
    return start, sorted(matches)[:MOST]


def attributes(value: Any) -> "set[str]":
    """The names of a value's attributes, as its dictionaries have them."""
    spaces = [own_dict(value), *map(class_vars, _kinds(value))]
    return {name for space in spaces for name, _ in pairs(space)}


def _value(path: "list[str]", spaces: "Iterable[Mapping[str, Any]]") -> Any:
    """What a dotted name stands for, or `_missing` where only running code could tell."""
    value = next((one for space in spaces for name, one in pairs(space) if name == path[0]), _missing)
    for name in path[1:]:
        if value is _missing:
            return _missing
        value = _attribute(value, name)
    return value


def _attribute(value: Any, name: str) -> Any:
    found = dict(pairs(own_dict(value))).get(name, _missing)
    if found is not _missing:
        return found
    for kind in _kinds(value):
        found = dict(pairs(class_vars(kind))).get(name, _missing)
        if in_c(found):
            try:  # a slot, or an attribute of a type written in C
                return found.__get__(value)
            except Exception:
                return _missing
        if found is not _missing:
            is_plain = type(found) is types.FunctionType or issubclass(type(found), type)
            runs_code = class_attribute(type(found), "__get__", _missing) is not _missing
            return _missing if runs_code and not is_plain else found
    return _missing


def _kinds(value: Any) -> "tuple[type, ...]":
    """Where a value's attributes come from; isinstance() would ask the value for its class."""
    kind = type(value)
    return (*mro(value), *mro(kind)) if issubclass(kind, type) else mro(kind)
