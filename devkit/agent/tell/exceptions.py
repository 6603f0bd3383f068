"""What an exception says, without running code of the project's.

Of Python's own exceptions that is known. One that answers with code of its own Celery asks anyway, for the traceback
that it writes: `told` is that text. Without it, what the exception was made with is shown.
"""

import sys
import traceback
from types import FunctionType, TracebackType
from typing import Any

from ...model import own
from ..structure import (
    GROUP,
    args_of,
    class_vars,
    exact,
    is_plain,
    module_of,
    mro,
    name_of,
    of_error,
    own_dict,
    pairs,
    qualified_name,
    top,
    traceback_of,
    type_name,
)  # fmt: skip
from .traceback import message_in
from .values import short

LONGEST_MESSAGE = 4000
LONGEST_TRACEBACK = 20_000
MOST_LINKED = 20
_KNOWN = frozenset((*sys.stdlib_module_names, *own.CELERY))
# What Python's own answers are made of, by the ids of the types that give them.
_MADE_OF: "dict[int, tuple[str, ...]]" = {
    id(BaseException): ("args",),
    id(KeyError): ("args",),
    id(ImportError): ("args", "msg"),
    id(OSError): ("args", "errno", "strerror", "filename", "filename2"),
    id(SyntaxError): ("args", "msg", "filename", "lineno"),
    **{id(kind): ("encoding", "reason") for kind in (UnicodeEncodeError, UnicodeDecodeError)},
    id(UnicodeTranslateError): ("reason",),
    id(GROUP): ("message",),
}
_COPIED = ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")


def message(error: BaseException, told: str = "") -> str:
    """An exception's message."""
    return _message(error, told)[0]


def _message(error: BaseException, told: str) -> "tuple[str, str]":
    """The message, and what `told` has of those that led to this one."""
    try:
        text = _known(error)
        if text is None:
            text, told = message_in(told, type_name(type(error)))
            text = text and text.removesuffix("".join(f"\n{note}" for note in _notes(error)))
        return (_of_args(args_of(error)) if text is None else text)[:LONGEST_MESSAGE], told
    except Exception as failed:  # such as too deep a nesting
        return f"<its message cannot be had: {type_name(type(failed))}>", told


def last_line(error: BaseException) -> str:
    """What a traceback ends with: the type and the message."""
    said = message(error)
    return f"{type_name(type(error))}: {said}" if said else type_name(type(error))


def in_short(error: BaseException, told: str = "") -> str:
    """The last name of its type, and the message."""
    return f"{name_of(type(error))}: {message(error, told)}"


def answers_itself(error: BaseException) -> bool:
    """Whether only code of its own could tell its message."""
    try:
        return _known(error) is None
    except Exception:
        return False


def traceback_text(error: BaseException, start: "TracebackType | None", told: str = "") -> str:
    """The traceback as Python writes it, with those that led to it, from the frame `start` on."""
    try:
        stand_in = _stand_in(error, told, {})
        text = "".join(traceback.format_exception(type(stand_in), stand_in, start))
    except Exception as failed:
        return f"<the traceback cannot be had: {type_name(type(failed))}>"
    return shortened(text)


def shortened(text: str) -> str:
    """A traceback's text, without its middle where it is long."""
    half = LONGEST_TRACEBACK // 2
    return text if len(text) <= LONGEST_TRACEBACK else f"{text[:half]}\n  …\n{text[-half:]}"


def _known(error: BaseException) -> "str | None":
    """What it says if only Python's own code, or Celery's, has a part in that."""
    kind = type(error)
    base = next(one for one in mro(kind) if "__str__" in class_vars(one))
    answer, names = class_vars(base)["__str__"], _MADE_OF.get(id(base))
    if names is not None:
        parts = [of_error(name, error, base) for name in names]
    elif type(answer) is FunctionType and {top(answer.__globals__), module_of(kind).partition(".")[0]} <= _KNOWN:
        parts = [args_of(error), dict(own_dict(error))]
    else:
        return None
    return str(answer(error)) if is_plain(*parts) else _of_args(args_of(error))


def _of_args(args: "tuple[Any, ...]") -> str:
    """What an exception says that was made with these, as most do."""
    if len(args) != 1:
        return short(args) if args else ""
    (only,) = args
    if issubclass(type(only), str):
        return exact(only)
    if issubclass(type(only), BaseException) and is_plain(args_of(only)):
        return _known(only) or short(only)
    return str(only) if is_plain(only) else short(only)


def _notes(error: BaseException) -> "list[str]":
    notes = dict(pairs(own_dict(error))).get("__notes__")  # from Python 3.11 on
    found = notes[:MOST_LINKED] if type(notes) is list else []
    return [exact(note) if issubclass(type(note), str) else short(note) for note in found]


def _stand_in(error: BaseException, told: str, made: "dict[int, BaseException]") -> BaseException:
    """One that looks the same in a traceback, and has nothing of the project's in it; the same of those it is linked
    with, in `made` by their ids."""
    kind = type(error)
    said, told = _message(error, told)
    base = next((one for one in (GROUP, SyntaxError) if one and issubclass(kind, one)), Exception)
    names = {"__module__": module_of(kind) or "builtins", "__qualname__": qualified_name(kind)}
    looks: Any = type(name_of(kind), (base,), {**names, "__str__": lambda _: said})
    if base is GROUP:
        parts = of_error("exceptions", error, base)[:MOST_LINKED]
        stand_in: BaseException = looks(said, [_stand_in(part, told, made) for part in parts])
    else:
        stand_in = looks()
    made[id(error)] = stand_in
    for name in _COPIED if base is SyntaxError else ():
        if is_plain(value := of_error(name, error, base)):
            setattr(stand_in, name, value)
    stand_in.__notes__ = _notes(error)
    for name in ("__cause__", "__context__"):
        linked = of_error(name, error)
        if linked is not None and (id(linked) in made or len(made) < MOST_LINKED):
            setattr(stand_in, name, made.get(id(linked)) or _stand_in(linked, told, made))
    stand_in.__suppress_context__ = of_error("__suppress_context__", error)
    stand_in.__traceback__ = traceback_of(error)
    return stand_in
