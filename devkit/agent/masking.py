"""Values as text that people may see: never long, never failing, and without what is secret by its name."""

import inspect
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "***"
_SECRET = re.compile(r"pass(?:word|wd|phrase)?$|passwd|secret|token|api_?key|credential|authoriz|private_?key", re.I)


class _Short(reprlib.Repr):
    """Like repr, cut short at all ends; values under a secret's name are masked."""

    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 10
        self.maxstring = self.maxother = 120
        self.maxlevel = 3

    def repr_dict(self, value: "dict[Any, Any]", level: int) -> str:
        masked = {key: _Masked() if is_secret(key) else item for key, item in list(value.items())[: self.maxdict + 1]}
        return super().repr_dict(masked, level)

    def repr_instance(self, value: Any, level: int) -> str:
        try:
            return super().repr_instance(value, level)
        except BaseException as error:  # reprlib lets through what is no Exception
            return f"<{type(value).__name__}: its repr raises {type(error).__name__}>"


class _Masked:
    def __repr__(self) -> str:
        return MASK


_short = _Short()


def is_secret(name: object) -> bool:
    """Whether a value of this name is nobody's business."""
    return isinstance(name, str) and _SECRET.search(name) is not None


def short(value: Any) -> str:
    """One line of text for any value."""
    try:
        return _short.repr(value).replace("\n", "\\n")
    except BaseException as error:
        return f"<{type(value).__name__}: its repr raises {type(error).__name__}>"


def call_text(function: Any, args: "Sequence[Any]", kwargs: "Mapping[str, Any]") -> str:
    """The arguments of a call, each by its parameter's name where that is known: `x=10, password=***`."""
    try:
        bound = inspect.signature(function).bind_partial(*args, **kwargs)
        named: list[tuple[str, Any]] = []
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                named += [("", item) for item in value]
            elif kind is inspect.Parameter.VAR_KEYWORD:
                named += value.items()
            else:
                named.append((name, value))
    except (TypeError, ValueError):
        named = [("", item) for item in args] + list(kwargs.items())
    return ", ".join(
        (f"{name}=" if name else "") + (MASK if is_secret(name) else short(value)) for name, value in named
    )
