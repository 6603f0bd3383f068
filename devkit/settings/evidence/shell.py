"""A shell's text as the commands that it holds, each with its words and its line. Nothing is run."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from devkit.settings.evidence.interpolate import expand

_SPACE = " \t\r"
_PLAIN = re.compile(r"[^\s'\"\\$`;&|()<>]+")
_LONGEST = 2_000  # characters of a `$(…)`
_OPERATOR = re.compile(r"&&|\|\||;;&?|;&|[;&|()\n]")
_REDIRECTION = re.compile(r"(?:\d*|&)(?:>>|>&|<<<|<<-?|<&|>\||>|<)")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_DECLARES = frozenset(("export", "local", "declare", "readonly", "typeset", "set"))
_QUOTED_DEFAULT = re.compile(r"(\$\{\w+:?[-=+])([\"'])([^\"'{}]*)\2\}")
_LITERAL = "\0"  # stands for a dollar sign that is no variable's


@dataclass(frozen=True)
class Command:
    """One simple command.

    `branches` are the `case` branches that it stands in, outermost first: what is looked at, and the branch's
    patterns. `deep` is how many subshells it runs in: what one of them changes to is forgotten after it.
    """

    words: tuple[str, ...]
    line: int
    deep: int = 0
    branches: tuple[tuple[str, tuple[str, ...]], ...] = ()


def commands(text: str, values: Mapping[str, str], line: int = 1) -> Iterator[Command]:
    """Those of the text, which begins in this line, with variables' values in their words as far as they are known.

    What it assigns counts from there on; a variable that nobody set stays as it is: `${WORKERS}`.
    """
    known = dict(values)
    branches: list[tuple[str, tuple[str, ...]]] = []
    patterns: list[str] | None = None  # of the branch that begins
    subject, deep = "", 0
    for words, number, end in _simple(text, line):
        told = [_expanded(word, known) for word in words]
        if told[:1] == ["case"] and "in" in told:
            at = told.index("in")
            subject, patterns, told = " ".join(told[1:at]), [], told[at + 1 :]
            branches.append((subject, ()))
        if told[:1] == ["esac"] and branches:
            branches.pop()
            patterns, told = None, told[1:]
        if patterns is not None:
            patterns += told
            if end == ")":
                branches[-1] = (branches[-1][0], tuple(patterns))
                patterns = None
            continue
        if told:
            for name, value in _assigned(told):
                known[name] = value
            yield Command(tuple(word.replace(_LITERAL, "$") for word in told), number, deep, tuple(branches))
        if end.startswith(";;") and branches:
            patterns = []
        deep = max(0, deep + (end == "(") - (end == ")"))


def _assigned(words: list[str]) -> Iterator[tuple[str, str]]:
    """What the command sets for those after it: `A=1`, `export A=1`; not `A=1 celery`."""
    if words[0] in _DECLARES:
        words = words[1:]
    found = [_ASSIGNMENT.fullmatch(word) for word in words if not word.startswith("-")]
    if all(found):
        yield from ((match[1], match[2]) for match in found if match)


def _expanded(word: str, known: Mapping[str, str]) -> str:
    if "$" not in word:
        return word
    return expand(_QUOTED_DEFAULT.sub(r"\1\3}", word), known, lambda name: f"${{{name}}}")


def _simple(text: str, line: int) -> Iterator[tuple[list[str], int, str]]:
    """The words between operators, the line of the first, and the operator that ends them."""
    words: list[str] = []
    first, at, skip = line, 0, False
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
        elif text.startswith("\\\n", at):
            at, line = at + 2, line + 1
        elif text.startswith("\\\r\n", at):
            at, line = at + 3, line + 1
        elif text[at] == "#":
            at = _end_of_line(text, at)
        elif found := _REDIRECTION.match(text, at):
            at, skip = found.end(), True  # where to is of no interest
        elif found := _OPERATOR.match(text, at):
            if words or found[0] != "\n":
                yield words, first, found[0]
            words, skip = [], False
            line += found[0] == "\n"
            at = found.end()
        else:
            word, end = _word(text, at)
            if not skip:
                first = first if words else line
                words.append(word)
            line, at, skip = line + text.count("\n", at, end), end, False
    yield words, first, ""


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return end if end >= 0 else len(text)


def _word(text: str, at: int) -> tuple[str, int]:
    """The word that begins here, without its quotes, and where it ends."""
    parts: list[str] = []
    start = at
    while at < len(text):
        char = text[at]
        if char in _SPACE or (at > start and char in "<>") or _OPERATOR.match(text, at):
            break
        if char == "\\":
            if not text.startswith("\n", at + 1):
                parts.append(text[at + 1 : at + 2].replace("$", _LITERAL))
            at += 2
        elif char == "'" and (end := text.find("'", at + 1)) >= 0:
            parts.append(text[at + 1 : end].replace("$", _LITERAL))
            at = end + 1
        elif char == '"':
            part, at = _quoted(text, at + 1)
            parts.append(part)
        elif char in "$`" and (end := _substituted(text, at)):
            parts.append(text[at:end])
            at = end
        else:
            plain = _PLAIN.match(text, at)
            parts.append(plain[0] if plain else char)
            at += len(parts[-1])
    return "".join(parts), max(at, start + 1)


def _quoted(text: str, at: int) -> tuple[str, int]:
    """What stands between double quotes, and where they end; nothing closes them: all of it."""
    parts: list[str] = []
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\", "$", "`", "\n"):
            parts.append(text[at + 1].replace("$", _LITERAL).replace("\n", ""))
            at += 2
        elif text[at] in "$`" and (end := _substituted(text, at)):
            parts.append(text[at:end])
            at = end
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts), at + 1


def _substituted(text: str, at: int) -> int:
    """Where `$(…)`, `${…}` or a command in backquotes ends; 0: it is none. What nothing ends is long."""
    last = min(len(text), at + _LONGEST)
    if text[at] == "`":
        return text.find("`", at + 1, last) + 1 or last
    pair = {"(": ")", "{": "}"}.get(text[at + 1 : at + 2])
    if not pair:
        return 0
    deep = 0
    for place in range(at + 1, last):
        deep += (text[place] == text[at + 1]) - (text[place] == pair)
        if not deep:
            return place + 1
    return last
