"""Whether two values are equal, by what they are made of: an `__eq__` of the project's is not asked."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from ..structure import MOST_ATTRIBUTES, args_of, attributes, exact, is_built_in, is_plain, mro, own_dict

MOST = 100_000  # values that are looked at
_ANY_SIZE = 1 << 60


class Unclear(Exception):  # noqa: N818 - it says what the matter is
    """There is too much to look at, or what cannot be looked into."""


def same(one: Any, other: Any) -> bool:
    """Raises Unclear."""
    waiting: list[tuple[Any, Any]] = [(one, other)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        one, other = waiting.pop()
        pair = (id(one), id(other))
        if one is other or pair in seen:  # what contains itself is as equal as the rest of it
            continue
        if len(seen) >= MOST:
            raise Unclear
        seen.add(pair)
        if type(one) is not type(other):
            return False
        (itself, parts), (others, other_parts) = _contents(one), _contents(other)
        if itself != others or len(parts) != len(other_parts):
            return False
        waiting += zip(parts, other_parts)  # noqa: B905 - Python 3.10
    return True


def _contents(value: Any) -> "tuple[Any, list[Any]]":
    """What can be compared at once, which is of Python's own types, and what is to be looked into."""
    kind = type(value)
    if len(own_dict(value)) > MOST_ATTRIBUTES:
        raise Unclear
    named = dict(sorted(attributes(value).items()))
    names, parts = tuple(named), [*named.values()]
    for base, contents in _HOLDING.items():
        if issubclass(kind, base):
            return names, [*parts, *contents(value)]
    for base, plain in _PLAIN.items():
        if issubclass(kind, base):
            return (names, plain(value)), parts
    if is_plain(value, most=_ANY_SIZE):
        return repr(value), []
    if not named or id(next(filter(is_built_in, mro(kind)))) not in _OPEN:
        raise Unclear
    return names, parts


def _in_order(items: "list[tuple[Any, ...]]") -> "list[Any]":
    """All that is in these, in an order that does not depend on how they came to be there."""
    if is_plain(*(item[0] for item in items)):
        items.sort(key=lambda item: repr(item[0]))
    return [one for item in items for one in item]


_HOLDING: "dict[type, Callable[[Any], Iterable[Any]]]" = {
    list: list.__iter__,
    tuple: tuple.__iter__,
    set: lambda value: _in_order([(one,) for one in set.__iter__(value)]),
    frozenset: lambda value: _in_order([(one,) for one in frozenset.__iter__(value)]),
    dict: lambda value: _in_order([*dict.items(value)]),
    BaseException: args_of,
}
# Written in C, and with nothing besides attributes; by their ids, as in `structure`.
_OPEN = (id(object), id(SimpleNamespace))
# A value of a type that inherits from these, as one of Python's own.
_PLAIN: "dict[type, Callable[[Any], Any]]" = {
    str: exact,
    int: int.__int__,
    float: float.__repr__,  # what is no number is equal to nothing
    complex: complex.__repr__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    bytearray: lambda value: bytearray.__getitem__(value, slice(None)),
}
