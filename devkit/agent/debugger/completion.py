"""What could come next at the debugger's prompt, found without running any of the project's code.

Attributes are looked up in dictionaries, never asked for: a property, a `__getattr__` or a `__dir__` may do anything.
"""

import builtins
import keyword
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any

MOST = 200
LONGEST = 500  # characters before the cursor that are looked at: the search takes the square of it
_WORD = re.compile(r"(?:(?:[^\W\d]\w*)\s*\.\s*)*(?:[^\W\d]\w*)?$")
ATTRIBUTES_IN_C = (types.MemberDescriptorType, types.GetSetDescriptorType)
_missing = object()
# Asked in the usual way, a class may answer by its metaclass.
_mro_of = type.__dict__["__mro__"].__get__
_vars_of = type.__dict__["__dict__"].__get__


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
        candidates = {*names, *more, *vars(builtins), *keyword.kwlist}
        if start == 0 and not text[:1].isspace():
            candidates.update(commands)
    matches = [name for name in candidates if isinstance(name, str) and name.startswith(beginning)]
    if not beginning.startswith("_"):
        matches = [name for name in matches if not name.startswith("_")]
    return start, sorted(matches)[:MOST]


def attributes(value: Any) -> "set[str]":
    """The names of a value's attributes, as its dictionaries have them."""
    found: set[str] = set()
    for kind in _kinds(value):
        found.update(_vars(kind))
    found.update(_own(value))
    return {name for name in found if isinstance(name, str)}


def _value(path: "list[str]", spaces: "Iterable[Mapping[str, Any]]") -> Any:
    """What a dotted name stands for, or `_missing` where only running code could tell."""
    value = next((space[path[0]] for space in spaces if path[0] in space), _missing)
    for name in path[1:]:
        if value is _missing:
            return _missing
        value = _attribute(value, name)
    return value


def _attribute(value: Any, name: str) -> Any:
    own = _own(value)
    if name in own:
        return own[name]
    for kind in _kinds(value):
        found = _vars(kind).get(name, _missing)
        if type(found) in ATTRIBUTES_IN_C:
            try:  # a slot, or an attribute of a type written in C
                return found.__get__(value)
            except Exception:
                return _missing
        if found is not _missing:
            is_plain = type(found) is types.FunctionType or issubclass(type(found), type)
            runs_code = any("__get__" in _vars(one) for one in _mro(type(found)))
            return _missing if runs_code and not is_plain else found
    return _missing


def _own(value: Any) -> "Mapping[str, Any]":
    """The attributes that a value has itself; a class may have made `__dict__` something else."""
    found = next((_vars(kind)["__dict__"] for kind in _mro(type(value)) if "__dict__" in _vars(kind)), None)
    if type(found) not in ATTRIBUTES_IN_C:
        return {}
    own = found.__get__(value)  # type: ignore[union-attr]
    return own if type(own) in (dict, types.MappingProxyType) else {}


def _kinds(value: Any) -> "tuple[type, ...]":
    """Where a value's attributes come from; isinstance() would ask the value for its class."""
    kind = type(value)
    return (*_mro(value), *_mro(kind)) if issubclass(kind, type) else _mro(kind)


def _mro(kind: type) -> "tuple[type, ...]":
    found: tuple[type, ...] = _mro_of(kind)
    return found


def _vars(kind: type) -> "Mapping[str, Any]":
    found: Mapping[str, Any] = _vars_of(kind)
    return found
