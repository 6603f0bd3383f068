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
# Commands whose argument is an expression; the others take none, or a place in the code.
EXPRESSIONS = ("p", "pp", "whatis", "source", "display", "undisplay", "debug", "args")
_missing = object()


def complete(
    text: str, commands: "Iterable[str]", names: "Mapping[str, Any]", more: "Mapping[str, Any]"
) -> "tuple[int, list[str]]":
    """Where the word before the cursor begins, and what it could become; `names` go before `more`."""
    found = _WORD.search(text, max(0, len(text) - LONGEST))
    word = found.group() if found else ""
    start = len(text) - len(word)
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
    for kind in type(value).__mro__:
        found.update(type.__getattribute__(kind, "__dict__"))
    if isinstance(value, type):
        for kind in type.__getattribute__(value, "__mro__"):
            found.update(type.__getattribute__(kind, "__dict__"))
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
    kinds = type(value).__mro__
    if isinstance(value, type):
        kinds = (*type.__getattribute__(value, "__mro__"), *kinds)
    for kind in kinds:
        found = type.__getattribute__(kind, "__dict__").get(name, _missing)
        if isinstance(found, (types.MemberDescriptorType, types.GetSetDescriptorType)):
            try:  # a slot, or an attribute of a type written in C
                return found.__get__(value)
            except Exception:
                return _missing
        if found is not _missing:
            runs_code = hasattr(type(found), "__get__") and not isinstance(found, (types.FunctionType, type))
            return _missing if runs_code else found
    return _missing


def _own(value: Any) -> "Mapping[str, Any]":
    try:
        own = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return own if isinstance(own, (dict, types.MappingProxyType)) else {}
