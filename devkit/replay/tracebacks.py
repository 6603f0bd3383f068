"""Two tracebacks as one text, side by side where there is room."""

import re
from difflib import SequenceMatcher
from pathlib import Path

from devkit.model.own import is_own
from devkit.model.text import cells, cut, printable

WIDE = 120
TITLES = ("then", "now")
_FILE = re.compile(r'^(?P<start>\s*(?:\| )?\s*File ")(?P<path>[^"]+)(?P<end>", line (?P<line>\d+)(?:, in .*)?)$')


def side_by_side(original: str, new: str, width: int) -> list[str]:
    """Lines of at most `width` cells: the project's own frames of both, where they have some."""
    left, right = (_own(text.expandtabs(4).splitlines()) for text in (original, new))
    if width < WIDE:
        return [_fit(line, width) for line in [*_titled(TITLES[0], left), "", *_titled(TITLES[1], right)]]
    half = (width - 3) // 2
    rows = [(TITLES[0], " ", TITLES[1]), *_aligned(left, right)]
    return [f"{_padded(_fit(one, half), half)} {sign} {_fit(other, half)}".rstrip() for one, sign, other in rows]


def _titled(title: str, lines: list[str]) -> list[str]:
    return [f"── {title} ──", *lines]


def _own(lines: list[str]) -> list[str]:
    """Without the frames of libraries, and the lines below these, if others are left."""
    kept: list[str] = []
    own, ours, indent = False, True, 0
    for line in lines:
        if found := _FILE.match(line):
            indent = len(found["start"]) - len('File "')
            ours = is_own(found["path"])
            own = own or ours
        elif line.strip() and not line.startswith(" " * (indent + 1)):
            ours = True  # what is no deeper than the frame is no part of it
        if ours:
            kept.append(line)
    return kept if own else lines


def _aligned(left: list[str], right: list[str]) -> list[tuple[str, str, str]]:
    """Rows: a line of each, and whether they differ. Line numbers shift with each edit."""
    keys = [[_FILE.sub(lambda found: found["end"].replace(found["line"], "", 1), line) for line in side]
            for side in (left, right)]  # fmt: skip
    rows: list[tuple[str, str, str]] = []
    for kind, start, end, new_start, new_end in SequenceMatcher(a=keys[0], b=keys[1], autojunk=False).get_opcodes():
        one, other = left[start:end], right[new_start:new_end]
        longest = max(len(one), len(other))
        sign = "│" if kind == "equal" else "≠"
        one, other = (side + [""] * (longest - len(side)) for side in (one, other))
        rows += [(before, sign, now) for before, now in zip(one, other, strict=True)]
    return rows


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _fit(line: str, width: int) -> str:
    """The line in at most `width` cells; of a file's path the end stays."""
    line = printable(line[: 10 * width])
    if cells(line) <= width:
        return line
    if found := _FILE.match(line):
        room = width - cells(found["start"]) - cells(found["end"]) - 1
        if room > len(Path(found["path"]).name):
            return f"{found['start']}…{_end(found['path'], room)}{found['end']}"
    return cut(line, width)


def _end(text: str, width: int) -> str:
    """As much of a text's end as fits."""
    while cells(text) > width:
        text = text[1:]
    return text
