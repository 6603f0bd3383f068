"""Values with variables in them, as compose files, env files and shells write them: `$NAME`, `${NAME:-default}`."""

import re
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z_]\w*")
_BRACE = re.compile(r"[{}]")
_NESTED_DEEP = 20
_LONGEST = 1 << 14  # characters: what doubles itself in each line must end
_OPERATOR = re.compile(r":?[-+?=]")


def expand(text: str, values: Mapping[str, str], unset: Callable[[str], str], deep: int = _NESTED_DEEP) -> str:
    """The text with each variable's value or default in its place, and what `unset` gives for a name without either.

    What is no variable is left: `$(date)`, `$1`; `$$` is a dollar sign.
    """
    parts: list[str] = []
    at = 0
    while (found := text.find("$", at)) >= 0:
        parts.append(text[at:found])
        at = found + 1
        if text.startswith("$", at):
            parts.append("$")
            at += 1
        elif text.startswith("{", at):
            if not deep or not (end := _closing(text, at)):
                at -= 1
                break
            parts.append(_braced(text[at + 1 : end], values, unset, deep - 1))
            at = end + 1
        elif name := _NAME.match(text, at):
            parts.append(values[name[0]] if name[0] in values else unset(name[0]))
            at = name.end()
        else:
            parts.append("$")
    return ("".join(parts) + text[at:])[:_LONGEST]


def _closing(text: str, at: int) -> int:
    """Where the brace that opens at `at` is closed; 0: nowhere."""
    deep = 0
    for found in _BRACE.finditer(text, at):
        deep += 1 if found[0] == "{" else -1
        if not deep:
            return found.start()
    return 0


def _braced(inner: str, values: Mapping[str, str], unset: Callable[[str], str], deep: int) -> str:
    name = _NAME.match(inner)
    if not name:
        return f"${{{inner}}}"
    operator = _OPERATOR.match(inner, name.end())
    sign = operator[0] if operator else ""
    word = inner[operator.end() :] if operator else ""
    value = values.get(name[0])
    there = value is not None and (value != "" or not sign.startswith(":"))
    if sign.endswith("+"):
        return expand(word, values, unset, deep) if there else ""
    if there and value is not None:
        return value
    return expand(word, values, unset, deep) if sign.endswith(("-", "=")) else unset(name[0])
