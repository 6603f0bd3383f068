"""Which exception a stored result tells of: Celery writes its class's name, its module and what it was made of."""

from typing import Any

from .exceptions import message
from .traceback import Traceback
from .values import short

WRAPPER = "UnpickleableExceptionWrapper"  # Celery's stand-in: of which module, class, arguments, and text


def raised_in(meta: "dict[str, Any]", told: Traceback) -> "tuple[str, str]":
    """The exception's full name, and its message; without a name the result as it is stored, where nothing else tells.

    `told` is the traceback in the result.
    """
    raised = meta.get("result")
    if isinstance(raised, BaseException):  # it was pickled, and may be read
        if hasattr(raised, "exc_cls_name"):
            name, own = _full_name(raised.exc_module, raised.exc_cls_name), message_of(raised.exc_args)  # type: ignore[attr-defined]
        else:
            name, own = _full_name(type(raised).__module__, type(raised).__qualname__), message(raised)
    elif not isinstance(raised, dict) or not isinstance(raised.get("exc_type"), str):
        nothing = raised is None or told.exception
        return told.exception, told.message if nothing else short(raised)
    elif raised["exc_type"] == "TimeLimitExceeded":
        # It has no traceback that would tell what it says of itself.
        return "billiard.exceptions.TimeLimitExceeded", f"TimeLimitExceeded{tuple(raised.get('exc_message') or ())}"
    elif raised["exc_type"] == WRAPPER and isinstance(made := raised.get("exc_message"), list) and len(made) == 4:
        return _full_name(made[0], str(made[1])), message_of(made[2])
    else:
        name, own = _full_name(raised.get("exc_module"), raised["exc_type"]), message_of(raised.get("exc_message"))
    # The result holds what the exception was made of, the traceback what it said, and the notes added to it.
    same = told.exception != name or told.message.startswith(f"{own}\n")
    return name, own if same else told.message


def message_of(args: Any) -> str:
    """What an exception made with these says, if it is like most."""
    if not isinstance(args, (list, tuple)):
        return "" if args is None else str(args)
    return str(args[0]) if len(args) == 1 else str(tuple(args)) if args else ""


def _full_name(module: Any, name: str) -> str:
    """As tracebacks print it."""
    return name if module in (None, "", "builtins", "__main__") else f"{module}.{name}"
