"""Values as text that people may see: never long, never failing, and without what is secret by its name."""

import inspect
import reprlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice, zip_longest
from typing import Any

from ...model.secret import MASK, is_secret
from ...model.text import printable

__all__ = ["MASK", "call_text", "is_secret", "message_of", "positional", "short"]
LONGEST = 1000
_name = type.__dict__["__name__"].__get__  # a metaclass may have another one


class _Short(reprlib.Repr):
    """Like repr, cut short at all ends; values under a secret's name are masked."""

    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 10
        self.maxstring = self.maxother = 120
        self.maxlevel = 3

    def repr1(self, value: Any, level: int) -> str:
        if issubclass(type(value), dict):
            return self.repr_dict(value, level)
        return super().repr1(value, level)

    def repr_dict(self, value: "dict[Any, Any]", level: int) -> str:
        items = islice(dict.items(value), self.maxdict + 1)
        return super().repr_dict({key: _Masked() if is_secret(key) else item for key, item in items}, level)

    def repr_instance(self, value: Any, level: int) -> str:
        try:
            return super().repr_instance(value, level)
        except BaseException as error:  # reprlib lets through what is no Exception
            return _no_repr(value, error)


class _Masked:
    def __repr__(self) -> str:
        return MASK


_short = _Short()


def short(value: Any) -> str:
    """One line of text for any value, which no terminal takes for a command."""
    try:
        text = _short.repr(value)
    except BaseException as error:
        text = _no_repr(value, error)
    text = printable(text[: LONGEST + 1])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def call_text(function: Any, args: "Sequence[Any]", kwargs: "Mapping[str, Any]") -> str:
    """The arguments of a call, each by its parameter's name where that is known: `x=10, password=***`."""
    named = [*zip_longest(positional(function, len(args)), args, fillvalue=""), *kwargs.items()]
    return ", ".join(
        (f"{name}=" if name and not name.startswith("*") else "") + (MASK if is_secret(name) else short(value))
        for name, value in named
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


def _no_repr(value: Any, error: BaseException) -> str:
    return f"<{_name(type(value))}: its repr raises {_name(type(error))}>"


def message_of(error: BaseException) -> str:
    """An exception's message, whatever that does."""
    try:
        return str(error)[:500]
    except Exception:
        return "<its message cannot be had>"
