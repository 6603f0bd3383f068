"""Which code has breakpoints in it, and at which of its lines and instructions."""

import os
import types
from collections.abc import Callable, Iterable
from contextlib import suppress
from opcode import opmap
from typing import Any, NamedTuple

from ...model.breakpoint import Breakpoint
from ...store.breakpoints import where_now

COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Stops(NamedTuple):
    """Where the frames of one code object stop: at lines, and at one instruction, the first of a task's body.

    `on_entry`: that instruction is in the line in which the function is entered, as in `def f(x): return 1 / x`.
    """

    lines: "dict[int, list[Breakpoint]]"
    first: int
    on_entry: bool
    at_first: "list[Breakpoint]"


class Places:
    """Which code objects have breakpoints in them."""

    def __init__(self) -> None:
        self.missing: list[Breakpoint] = []
        self._files: dict[str, dict[int, list[Breakpoint]]] = {}  # real path, line
        self._tasks: dict[int, tuple[types.CodeType, list[Breakpoint]]] = {}
        self._names = _Names(self._lines)
        # By identity: code objects are compared by what they do, slowly. Each is held, so that no other gets its id.
        self._known: dict[int, tuple[types.CodeType, Stops | None]] = {}
        self._real: dict[str, str] = {}

    def set(self, breakpoints: "Iterable[Breakpoint]", root: str) -> None:
        """These, in place of those before."""
        lines: dict[str, dict[int, list[Breakpoint]]] = {}
        self.missing = []
        for found in breakpoints:
            if found.kind in ("task", "ide"):
                self.missing.append(found)
            elif (line := where_now(root, found)) is not None:
                file = os.path.realpath(os.path.join(root, found.file))
                lines.setdefault(file, {}).setdefault(line, []).append(found)
        self._files, self._tasks = lines, {}
        self._forget()

    def set_task(self, breakpoint_: Breakpoint, codes: "Iterable[types.CodeType]") -> None:
        """Where a task begins, in addition."""
        self.missing.remove(breakpoint_)
        for code in codes:
            self._tasks.setdefault(id(code), (code, []))[1].append(breakpoint_)
        self._forget()

    def stops(self, code: types.CodeType) -> "Stops | None":
        """Where this code has breakpoints; None if it has none. Called for each call of a function: quick."""
        if self._names[code.co_filename] is None:
            return None
        cache = self._known
        known = cache.get(id(code))
        if known is None:
            known = cache[id(code)] = (code, self._look(code))
        return known[1]

    def _forget(self) -> None:
        # New ones, not emptied ones: another thread may be looking into them.
        self._known = {}
        self._names = _Names(self._lines)

    def _lines(self, name: str) -> "dict[int, list[Breakpoint]] | None":
        """The breakpoints in a file, by the name that code objects have for it; None: nothing of interest in it."""
        if not self._files and not self._tasks:
            return None
        real = self._real.get(name)
        if real is None:
            real = name
            with suppress(OSError, ValueError):  # there may be no working directory any more
                real = name if name.startswith("<") else os.path.realpath(name)
            self._real[name] = real
        found = self._files.get(real)
        if found is None and any(code.co_filename == name for code, _ in self._tasks.values()):
            return {}
        return found

    def _look(self, code: types.CodeType) -> "Stops | None":
        wanted = self._names[code.co_filename] or {}
        lines = {line: wanted[line] for _, _, line in code.co_lines() if line is not None and line in wanted}
        _, at_first = self._tasks.get(id(code), (code, []))
        if not lines and not at_first:
            return None
        return Stops(lines, *_first_of_body(code), at_first)


class _Names(dict):  # type: ignore[type-arg]
    """A cache that fills itself, for the price of one look-up in a dictionary."""

    def __init__(self, find: "Callable[[str], Any]") -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: str) -> Any:
        found = self[key] = self._find(key)
        return found


def inside_its_line(frame: types.FrameType) -> bool:
    """Whether this is a comprehension in a line that the frame around it has stopped at."""
    back, code = frame.f_back, frame.f_code
    return (
        code.co_name in COMPREHENSIONS
        and back is not None
        and back.f_lineno == frame.f_lineno
        and back.f_code.co_filename == code.co_filename
    )


def _first_of_body(code: types.CodeType) -> "tuple[int, bool]":
    """The first instruction at which a function can stop; and whether it is in the line where the function is entered.

    By its line alone a loop would stop again and again. Before it there is what makes a generator, or the cells of
    closures; in Python 3.10 that has no line, but for one instruction of generators.
    """
    instructions, start, entry = code.co_code, 0, None
    if "RESUME" in opmap:
        resume = opmap["RESUME"]
        start = next((at for at in range(0, len(instructions), 2) if instructions[at] == resume), -2) + 2
    elif instructions[0] == opmap["GEN_START"]:
        start = 2
    for begin, end, line in code.co_lines():
        if begin < start:
            entry = line
        if line is not None and end > start:
            return max(begin, start), line == entry
    return start, False
