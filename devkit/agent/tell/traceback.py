"""A traceback that is only text, read: its frames, and what was raised."""

import os
import re
from typing import NamedTuple

from ...model.failure import Frame
from ...model.own import is_own

# Between the exceptions of one traceback; the last one is the one that was raised.
_NEXT = re.compile(
    r"\n\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n\n"
)
_FRAME = re.compile(r'  File "(.+)", line (\d+), in (.+)')
_RAISED = re.compile(r"([\w.<>]+)(?:: (.*))?", re.DOTALL)


class Traceback(NamedTuple):
    """What a traceback tells; the name is empty where it ends in no exception's line."""

    frames: "tuple[Frame, ...]"
    exception: str
    message: str


def read_traceback(text: str, package: str = "") -> Traceback:
    """Of any text; where Python did not write it there may be nothing to find. `package` is the task's."""
    lines = _NEXT.split(text.strip("\n"))[-1].split("\n")
    inside = iter(range(1 if lines[0].startswith("Traceback") else 0, len(lines)))
    # All that belongs to the frames is indented, and the exception's own line is not.
    end = next((at for at in inside if not lines[at].startswith("  ")), len(lines))
    frames = [
        _frame(found, lines[at + 1] if at + 1 < end else "", package)
        for at, found in ((at, _FRAME.fullmatch(lines[at])) for at in range(end))
        if found
    ]
    raised = _RAISED.fullmatch("\n".join(lines[end:]))
    return Traceback(tuple(frames), raised[1] if raised else "", (raised[2] or "") if raised else "")


def message_in(text: str, exception: str) -> "tuple[str | None, str]":
    """What the last exception of this full name says in a traceback, with its notes, or None; what comes before it."""
    between = [found.span() for found in _NEXT.finditer(text)]
    starts, ends = [0, *(end for _, end in between)], [*(start for start, _ in between), len(text)]
    for start, end in reversed([*zip(starts, ends)]):  # noqa: B905 - Python 3.10
        told = read_traceback(text[start:end])
        if told.exception == exception:
            return told.message, text[:start]
    return None, text


def _frame(found: "re.Match[str]", below: str, package: str) -> Frame:
    file = found[1]
    return Frame(
        file=file,
        line=int(found[2]),
        function=found[3],
        module="",
        source="" if _FRAME.fullmatch(below) else below.strip(),
        own=is_own(file, os.getcwd(), package),
    )
