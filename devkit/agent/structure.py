"""What any value is made of, found without running any of the project's code.

Types and attributes are looked up where Python itself keeps them, never asked for: a property, a `__getattr__`, a
`__class__`, an `__eq__` or a metaclass may do anything, and take for ever. `issubclass` of a type that is built in asks
nobody; `isinstance`, `==`, `in` and a set of types do.
"""

import builtins
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, EnumMeta
from functools import lru_cache
from itertools import islice
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ..model.own import is_own

MOST_ATTRIBUTES = 200
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made while Python runs, as by a class statement
MOST_PLAIN = 100_000  # values, characters and digits: what Python writes of them takes a millisecond
PATHS = (PosixPath, PurePosixPath, PureWindowsPath, WindowsPath)
BITS_IN_TIME = 10_000  # of an int: what Python takes to write one grows with the square
GROUP: "type[BaseException] | None" = getattr(builtins, "BaseExceptionGroup", None)  # from Python 3.11 on
# Asked in the usual way, a class may answer by its metaclass.
_NAME, _QUALNAME, _MODULE, _MRO, _DICT, _FLAGS = (
    type.__dict__[f"__{name}__"].__get__ for name in ("name", "qualname", "module", "mro", "dict", "flags")
)


def _frame_locals() -> Any:
    return sys._getframe().f_locals


_FRAME_LOCALS = type(_frame_locals())  # a dict; from Python 3.13 on a proxy


def exact(text: str) -> str:
    """The same text, where it may be of a type with methods of its own."""
    return str.__str__(text)


def name_of(kind: type) -> str:
    """A type's name."""
    return exact(_NAME(kind))


def qualified_name(kind: type) -> str:
    """A type's name with those of the functions and classes around it."""
    return exact(_QUALNAME(kind))


def type_name(kind: type) -> str:
    """A type's full name, as tracebacks print it."""
    module, name = module_of(kind), qualified_name(kind)
    return name if module in ("builtins", "__main__", "") else f"{module}.{name}"


def module_of(kind: type) -> str:
    """The name of the module in which a type was made; empty where the type has something else there."""
    try:
        module = _MODULE(kind)
    except AttributeError:
        return ""
    return exact(module) if issubclass(type(module), str) else ""


def mro(kind: type) -> "tuple[type, ...]":
    """The type and all that it inherits from."""
    found: tuple[type, ...] = _MRO(kind)
    return found


def class_vars(kind: type) -> "Mapping[str, Any]":
    """What a type has in its own dictionary."""
    found: Mapping[str, Any] = _DICT(kind)
    return found


def class_attribute(kind: type, name: str, default: Any = None) -> Any:
    """What the type, or the first that it inherits from, has of that name in its dictionary."""
    for one in _MRO(kind):
        own = _DICT(one)
        if name in own:
            return own[name]
    return default


def in_c(descriptor: Any) -> bool:
    """Whether it reads what a type written in C, or a slot, has in its memory."""
    kind = type(descriptor)
    return kind is types.MemberDescriptorType or kind is types.GetSetDescriptorType


def own_dict(value: Any) -> "Mapping[Any, Any]":
    """The attributes that a value has itself; a class may have made `__dict__` something else."""
    found = class_attribute(type(value), "__dict__")
    own = found.__get__(value) if in_c(found) else None
    return own if type(own) is dict or type(own) is types.MappingProxyType else {}


def attributes(value: Any) -> "dict[str, Any]":
    """What a value has in its dictionary and its slots, by name: the first of very many, public ones first."""
    found = {name: one for name, one in list(islice(own_dict(value).items(), MOST_ATTRIBUTES)) if type(name) is str}
    for kind in mro(type(value)):
        if "__slots__" not in class_vars(kind):
            continue
        for name, slot in class_vars(kind).items():
            if type(slot) is types.MemberDescriptorType and type(name) is str:
                try:
                    found.setdefault(name, slot.__get__(value))
                except AttributeError:  # it is not set
                    continue
    return dict(sorted(found.items(), key=lambda item: item[0].startswith("_")))


def is_built_in(kind: type) -> bool:
    """Whether a type is written in C, and may keep there what no attribute tells."""
    return not _FLAGS(kind) & HEAP_TYPE or type(class_vars(kind).get("__new__")) is types.BuiltinFunctionType


def is_installed(kind: type) -> bool:
    """Whether a type comes with Python or with a library."""
    return _is_installed(module_of(kind))


@lru_cache(maxsize=1024)
def _is_installed(module: str) -> bool:
    if module not in sys.modules:
        return False
    file = own_dict(sys.modules[module]).get("__file__")
    return not is_own(file) if type(file) is str else module != "__main__"


def of_error(name: str, error: BaseException, kind: "type[BaseException]" = BaseException) -> Any:
    """What an exception has of this name, which `kind`, or what that inherits from, keeps for it."""
    descriptor: Any = class_attribute(kind, name)
    return descriptor.__get__(error)


def args_of(error: BaseException) -> "tuple[Any, ...]":
    """What an exception was made with."""
    found: tuple[Any, ...] = of_error("args", error)
    return found


def traceback_of(error: BaseException) -> "types.TracebackType | None":
    """Where an exception was raised."""
    found: types.TracebackType | None = of_error("__traceback__", error)
    return found


def pairs(space: Any) -> "list[tuple[str, Any]]":
    """What is in a namespace under names that are text; nothing, where that is a mapping with code of its own."""
    kind = type(space)
    if kind is _FRAME_LOCALS or kind is types.MappingProxyType:
        items = list(space.items())
    else:
        items = list(dict.items(space)) if issubclass(kind, dict) else []
    return [(name, value) for name, value in items if type(name) is str]


def module_name(names: "dict[str, Any]") -> str:
    """The name of the module that these are the globals of; empty where it has none."""
    name = dict.get(names, "__name__")
    return name if type(name) is str else ""


def top(names: "dict[str, Any]") -> str:
    """The top-level package of that module."""
    return module_name(names).partition(".")[0]


def is_plain(*values: Any, most: int = MOST_PLAIN, enums: bool = False) -> bool:
    """Whether Python's own types are all that these are made of, and not of more than `most` values and characters.

    Only the standard library runs where such a value is printed, compared or copied, and not for long. With `enums`
    members of the project's enumerations may be among them, if these are like Python's own.
    """
    waiting = [*values]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        size, parts = _PLAIN.get(id(kind)) or (_ONE if enums and _is_usual_enum(kind) else _NOT_PLAIN)
        if size is None or (most := most - 1 - size(value)) < 0:
            return False
        waiting += parts(value)
    return True


def _is_usual_enum(kind: type) -> bool:
    return type(kind) is EnumMeta and class_attribute(kind, "name") is class_vars(Enum)["name"]


def _bits(value: int) -> int:
    bits = value.bit_length()
    return bits if bits <= BITS_IN_TIME else sys.maxsize


def _one(_: Any) -> int:
    return 1


def _none(_: Any) -> "tuple[()]":
    return ()


def _items(value: "dict[Any, Any]") -> "list[Any]":
    return [part for item in list(value.items()) for part in item]


_ONE: "tuple[Any, Any]" = (_one, _none)
_NOT_PLAIN: "tuple[Any, Any]" = (None, None)
# By the types' ids, since a set of types would ask the metaclass of whatever is looked up: how large a value is, and
# which others are in it.
_PLAIN: "dict[int, tuple[Callable[[Any], int], Callable[[Any], Iterable[Any]]]]" = {
    **{id(type(one)): _ONE for one in (None, True, 0.0, 0j, ..., NotImplemented)},
    **{id(kind): _ONE for kind in (date, timedelta, UUID)},
    **{id(kind): (_one, lambda value: (value.tzinfo,)) for kind in (datetime, time)},
    **{id(kind): (len, _none) for kind in (str, bytes, bytearray)},
    **{id(kind): (len, list) for kind in (list, tuple, set, frozenset)},
    # From Python 3.12 on a path keeps what it was made of.
    **{id(kind): (_one, lambda value: getattr(value, "_raw_paths", ())) for kind in PATHS},
    **{id(kind): (_one, lambda value: (value.start, value.stop, value.step)) for kind in (range, slice)},
    id(re.Pattern): (_one, lambda value: (value.pattern,)),
    id(dict): (len, _items),
    id(int): (_bits, _none),
    id(Decimal): (Decimal.__sizeof__, _none),
    id(timezone): (_one, lambda value: (value.tzname(None),)),
    id(ZoneInfo): (_one, lambda value: (value.key,)),
}
