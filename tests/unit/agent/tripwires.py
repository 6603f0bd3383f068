"""Values that note each call of their methods, properties and metaclasses: nothing that devkit does by itself may."""

import functools
import threading
import types
from collections import OrderedDict, UserDict, deque, namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import PosixPath
from typing import Any, ClassVar

from celery.local import PromiseProxy, Proxy

RUN: list[str] = []
SECRET = "hunter2"  # noqa: S105 - it opens nothing


def never(*_: object, **__: object) -> Any:
    """Any method of the project's; it might as well wait for ever."""
    RUN.append("the project's code")  # whoever asked may pass over the error
    raise ValueError("was run")


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Nothing of these is called within."""
    RUN.clear()
    yield
    assert RUN == []


# What Python calls by itself, and a class may have. Not what makes and ends an object.
METHODS = (
    "abs add and bool bytes call ceil complex contains delattr delitem dir divmod eq float floor floordiv "
    "format fspath ge get getattr getattribute getitem getnewargs getstate gt hash iadd index int invert iter le len "
    "length_hint lt lshift matmul missing mod mul ne neg next or pos pow radd reduce reduce_ex repr reversed round "
    "rshift setitem sizeof str sub truediv trunc xor isprintable keys items values get_secret_value as_posix "
    "utcoffset tzname dst isoformat replace with_traceback add_note"
)


TRAPS: dict[str, Any] = {
    **{form: never for name in METHODS.split() for form in (name, f"__{name}__")},
    "__class__": property(never),
}


def trapped(kind: Any, **more: Any) -> Any:
    """A type that inherits from this one, and has traps for all that can be asked of it."""
    return type(f"Trapped{kind.__name__}", (kind,), {**TRAPS, **more})


class Property:
    trap = property(never)
    late = functools.cached_property(never)


class Getattr:
    __getattr__ = never


class Getattribute:
    __getattribute__ = never


class Dir:
    __dir__ = never


class Descriptor:
    __get__ = never


class Described:
    trap = Descriptor()


class MetaGetattr(type):
    __getattr__ = never
    __dir__ = never


class MetaGetattribute(type):
    __getattribute__ = never


class MetaAll(type):
    __mro__ = property(never)
    __name__ = property(never)
    __module__ = property(never)
    __instancecheck__ = __subclasscheck__ = __eq__ = __hash__ = __repr__ = __str__ = __len__ = never


class LyingClass:
    __class__ = property(never)


class LyingDict:
    __dict__ = property(never)


class HoldsLying:
    trap: ClassVar[Any] = LyingClass()


class OwnMapping(dict[str, Any]):
    __iter__ = __contains__ = __getitem__ = keys = items = __len__ = never


def holder_of_own_mapping() -> Any:
    holder = Property()
    holder.__dict__ = OwnMapping(trap=1)
    return holder


def module() -> types.ModuleType:
    found = types.ModuleType("lazy")
    found.__getattr__ = never  # type: ignore[method-assign]
    found.__dir__ = never  # type: ignore[method-assign]
    return found


@dataclass
class Order:
    id: int
    note: Any
    __repr__ = __eq__ = __hash__ = __len__ = never


class Slots:
    __slots__ = ("__weakref__", "inner")
    __repr__ = __getattr__ = never

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Colour(Enum):
    RED = 1
    __repr__ = __str__ = __format__ = never


class Point(namedtuple("Point", "x y")):
    __slots__ = ()
    __repr__ = __getitem__ = __len__ = __iter__ = never


Object = type("Object", (), TRAPS)


def named() -> Any:
    """An object whose attributes have names that are traps."""
    holder = types.SimpleNamespace()
    vars(holder)[equal_to_all("trap")] = Slots(None)
    return holder


def equal_to_all(text: str) -> Any:
    """A key that a dictionary asks whether it is another one: it has the hash of its text."""
    return type("Equal", (str,), {"__eq__": never, "__hash__": str.__hash__})(text)


def error(kind: Any = Exception, *args: Any) -> Any:
    links = {name: property(never) for name in ("args", "__traceback__", "__cause__", "__context__", "__notes__")}
    return trapped(kind, **links, __suppress_context__=property(never))(*args)


def fields_of_traps(where: str, fields: Any) -> Any:
    """An object whose type looks like one of a library that notes its fields."""
    return type("Fields", (types.SimpleNamespace,), {where: fields})(x=1)


def generator() -> Any:
    """With a name that is a trap: its repr() asks that for its text."""

    def made() -> Iterator[None]:
        yield

    found = made()
    found.__qualname__ = trapped(str)("x")  # type: ignore[attr-defined]
    return found


def methods_of_traps() -> list[Any]:
    class Called:
        __repr__ = __self__ = never

        def method(self, *_: Any) -> None: ...

    return [Called().method, functools.partial(Called().method, Called()), threading.local()]


def made_of_traps(trap: Any) -> list[Any]:
    """All kinds of values with this one in it."""
    return [
        [trap], (trap,), {"x": trap}, deque([trap]), OrderedDict(x=trap), Order(1, trap), Slots(trap), Point(1, trap),
        ValueError(trap), KeyError(trap), OSError(1, trap), error(ValueError, trap), types.SimpleNamespace(x=trap),
        UserDict({"x": trap}), types.MappingProxyType({"x": trap}), slice(trap), iter([trap]),
    ]  # fmt: skip


MAKE: "list[Callable[[], Any]]" = [
    Property, Getattr, Getattribute, Dir, Described, module, LyingClass, LyingDict, HoldsLying, holder_of_own_mapping,
    named, methods_of_traps, error, generator,
    Object,
    lambda: Object,
    lambda: fields_of_traps("__dataclass_fields__", {equal_to_all("x"): 1}),
    lambda: fields_of_traps("__attrs_attrs__", (types.SimpleNamespace(name=Object()),)),
    lambda: fields_of_traps("model_fields", {"x": Object()}),
    lambda: Order(1, Object()),
    lambda: Slots(Object()),
    lambda: Point(1, Object()),
    lambda: Colour.RED,
    functools.partial(MetaGetattr, "Made", (), {}),
    lambda: MetaGetattr("Made", (), {})(),  # noqa: PLW0108 - made when the test runs
    functools.partial(MetaGetattribute, "Made", (), {}),
    functools.partial(type.__call__, MetaGetattribute("Made", (), {})),
    functools.partial(MetaAll, "Made", (), {}),
    lambda: MetaAll("Made", (), {})(),  # noqa: PLW0108
    lambda: trapped(str)("x" * 1000),
    lambda: trapped(bytes)(b"x"),
    lambda: trapped(bytearray)(b"x"),
    lambda: trapped(int)(7),
    lambda: trapped(float)(7),
    lambda: trapped(complex)(7),
    lambda: trapped(list)([1]),
    lambda: trapped(tuple)([1]),
    lambda: trapped(dict)(x=1),
    lambda: trapped(set)([1]),
    lambda: trapped(frozenset)([1]),
    lambda: trapped(deque)([1]),
    lambda: trapped(Decimal)("1.5"),
    lambda: trapped(timedelta)(1),
    lambda: trapped(datetime)(2020, 1, 1),
    lambda: datetime(2020, 1, 1, tzinfo=trapped(tzinfo)()),
    lambda: datetime(2020, 1, 1, tzinfo=UTC),
    lambda: PosixPath(equal_to_all("/x")),
    lambda: Proxy(never),  # such as Flask's request, Django's user, Celery's current_app
    lambda: PromiseProxy(never),
]  # fmt: skip
