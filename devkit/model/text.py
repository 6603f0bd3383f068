"""Words for people: text that no terminal obeys, cut to fit; names by their last parts; exit codes."""

import os
import re
import signal
import unicodedata
from collections.abc import Iterable

# Beyond ASCII what a terminal or an editor obeys: C1, line ends, what turns the direction of text; and half characters.
ODD = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Names may have a dash within a word; every other sign stands between words.
PARTS = re.compile(r"[^\w-]")


def printable(text: str, *, lines: bool = False) -> str:
    """The text with all that a terminal may obey, and nobody sees, as Python escapes it.

    With `lines`, its line ends and tabs stay.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(char if char.isprintable() or char in kept else repr(char)[1:-1] for char in text)


def one_line(text: str, width: int) -> str:
    """The beginning of a text, on one line of at most `width` cells."""
    return cut(printable(" ".join(text[: 10 * width].split())), width)


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, width: int) -> str:
    """The text in at most `width` cells."""
    if cells(text) <= width:
        return text
    at, used = 0, _cells(text[0])
    while used < width:
        at += 1
        used += _cells(text[at])
    return f"{text[:at]}…"


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def short_path(path: str) -> str:
    """Relative to the working directory, if it is inside."""
    return path.removeprefix(os.path.join(os.getcwd(), ""))


def is_named(name: str, word: str) -> bool:
    """Whether the word is this name, or its end after what parts names: `greet` of `shop.greet`, of `high:greet`."""
    before = name[: -len(word)] if word and name.endswith(word) else "word"
    return not before or PARTS.fullmatch(before[-1]) is not None


def ways_to_name(names: "Iterable[str]") -> "list[str]":
    """What may be typed for one of these: their last parts, then the whole names."""
    names = list(names)
    return [*(PARTS.split(name)[-1] for name in names), *names]


def exit_in_words(code: int) -> str:
    """An exit code, a signal's negative: -9 → "was killed by SIGKILL"."""
    name = _signal_name(code)
    return f"was killed by {name}" if name else f"ended with exit code {code}"


def worker_lost(code: int) -> str:
    """What Celery says of a pool's process that ended with this code (billiard.common.human_status)."""
    name = _signal_name(code)
    how = f"exitcode {code}" if code >= 0 else f"signal {-code} ({name})" if name else f"signal {-code}"
    return f"Worker exited prematurely: {how}."


def _signal_name(code: int) -> str:
    return next((found.name for found in signal.Signals if found == -code), "")
