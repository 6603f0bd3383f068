"""Which environment variables the project's code wants and does not find, as an exception on import tells."""

import ast
import os
import re
import traceback
from typing import Any

from .reads import parsed, variables_in

# As all libraries for it word it, and people in their own checks.
_WANTED = re.compile(
    r"environ|\benv\b|not (?:be )?(?:set|found|defined|configured|provided|empty)|unset|missing|required|undefined"
    r"|no default|must be set|is empty",
    re.IGNORECASE,
)
_NAMES = re.compile(
    r"[\"'`]([A-Za-z_][A-Za-z0-9_]*)[\"'`]|\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b"
    r"|\b([A-Z][A-Z0-9]+) (?:is |was )?(?:not|missing|unset)\b"
)
_UPPER = re.compile(r"[A-Z][A-Z0-9_]+")
_NONE = (TypeError, AttributeError, ValueError, AssertionError, OSError)


def unset_variables(chain: "list[BaseException]", frame: "traceback.FrameSummary | None") -> "list[str]":
    """Their names; none where something else is the cause."""
    error = chain[0]
    for one in chain:
        if names := _of_key(one) or _of_fields(one):
            return names
    if isinstance(error, (ImportError, SyntaxError)):
        return []
    if names := [name for one in chain for name in _of_words(one)]:
        return list(dict.fromkeys(names))
    if frame and (
        any(isinstance(one, _NONE) for one in chain)
        or "None" in str(error)
        or type(error).__name__ == "OperationalError"
    ):
        return _of_statement(frame)
    return []


def is_validation(error: BaseException) -> bool:
    """Whether it is one of pydantic's, of version 1 or 2."""
    return type(error).__name__ == "ValidationError" and type(error).__module__.partition(".")[0].startswith("pydantic")


def invalid_fields(error: Any) -> str:
    """What is wrong with which field, without any field's value."""
    fields = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return "; ".join(fields)


def _of_key(error: BaseException) -> "list[str]":
    """os.environ["X"], where os itself raises."""
    if not isinstance(error, KeyError) or error.__traceback__ is None:
        return []
    *_, last = traceback.walk_tb(error.__traceback__)
    in_os = last[0].f_code.co_filename == os.__file__ or last[0].f_globals.get("__name__") == "os"
    return [key for key in error.args[:1] if isinstance(key, str)] if in_os else []


def _of_fields(error: Any) -> "list[str]":
    """The fields that pydantic's settings do not find, by the names of their variables."""
    if not is_validation(error):
        return []
    kind = _settings(error)
    if kind is None:
        return []
    missing = [one["loc"] for one in error.errors() if one["type"] in ("missing", "value_error.missing")]
    return [_variable(kind, [str(part) for part in loc]) for loc in missing]


def _settings(error: Any) -> Any:
    """The class of settings; None where it is any other model of pydantic's."""
    kind = getattr(error, "model", None)  # version 1
    if kind is not None and hasattr(getattr(kind, "__config__", None), "env_prefix"):
        return kind
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "pydantic_settings.main":
            for name in ("__pydantic_self__", "self"):
                if name in frame.f_locals:
                    return type(frame.f_locals[name])
    return None


def _variable(kind: Any, loc: "list[str]") -> str:
    first, *rest = loc
    fields = (
        getattr(kind, "__fields__", None) if hasattr(kind, "__config__") and "model_config" not in vars(kind) else None
    )
    if fields is not None and first in fields and (names := fields[first].field_info.extra.get("env_names")):
        return str(min(names)).upper()
    config = getattr(kind, "model_config", {})
    if first in getattr(kind, "model_fields", {}):
        first = f"{config.get('env_prefix', '')}{first}"
    name = (config.get("env_nested_delimiter") or "__").join([first, *rest])
    return name if config.get("case_sensitive") else name.upper()


def _of_words(error: BaseException) -> "list[str]":
    """Those that the message names as missing."""
    try:
        text = str(error)
    except Exception:
        return []
    if not _WANTED.search(text):
        return []
    found = ["".join(groups) for groups in _NAMES.findall(text[:1000])]
    return [name for name in found if _UPPER.fullmatch(name) and len(name) > 2 and name not in os.environ]


def _of_statement(frame: traceback.FrameSummary) -> "list[str]":
    """Those that the failing statement reads, or that its names were read from at the module's top, and are not set."""
    tree = parsed(frame.filename)
    if tree is None:
        return []
    line = frame.lineno or 0
    around = [
        node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    if not around:
        return []
    statement = min(around, key=lambda node: (node.end_lineno or 0) - node.lineno)
    used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assigned = [
        node.value
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in used
    ]
    names = [name for part in (statement, *assigned) for name, _ in variables_in(part)]
    return list(dict.fromkeys(name for name in names if not os.environ.get(name)))
