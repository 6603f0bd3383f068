"""The breakpoints that are set without editing code: one file, which devkit writes and the workers read.

A breakpoint is set in the file as it is on disk, and the file is edited afterwards: so the lines around it are kept,
and where it is now is found by them.
"""

import ast
import fcntl
import json
import os
import tokenize
import types
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..model.breakpoint import Breakpoint
from . import files

NAME = "breakpoints.json"
BROKEN = ".broken"
AROUND = 5  # lines kept before and after
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Breakpoints:
    """Those of one project; `folder` is its `.devkit/debug`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, NAME)

    def all(self) -> "list[Breakpoint]":
        """In the order of their numbers; none where there is no file, or one that holds something else."""
        return self._read() or []

    def add(self, breakpoint_: Breakpoint) -> Breakpoint:
        """Store it, numbered; one at the same place is replaced, and its number stays. Raises OSError."""
        files.make_private(self.folder)
        with self._alone():
            known = self._read()
            if known is None:
                os.replace(self.path, self.path + BROKEN)  # it may be of use to whoever wrote it
            found = {other.place: other for other in known or []}
            same = found.get(breakpoint_.place)
            number = same.number if same else max((other.number for other in found.values()), default=0) + 1
            found[breakpoint_.place] = added = replace(breakpoint_, number=number)
            self._write(found.values())
        return added

    def remove(self, numbers: Iterable[int]) -> int:
        """Forget those with these numbers; returns how many there were. Raises OSError."""
        if not os.path.exists(self.path):
            return 0
        gone = set(numbers)
        with self._alone():
            known = self._read() or []
            left = [other for other in known if other.number not in gone]
            if known and not left:
                os.unlink(self.path)  # what every task looks for first
            elif len(left) < len(known):
                self._write(left)
        return len(known) - len(left)

    def _read(self) -> "list[Breakpoint] | None":
        """None: what is there is no list of breakpoints."""
        try:
            with open(self.path, encoding="utf-8") as file:
                return [Breakpoint.from_wire(data) for data in json.load(file)]
        except OSError:
            return []
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def _write(self, breakpoints: Iterable[Breakpoint]) -> None:
        files.replace(self.path, json.dumps([found.to_wire() for found in breakpoints], indent=1) + "\n")

    @contextmanager
    def _alone(self) -> "Iterator[None]":
        """Two commands at once do not lose what the other one added."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def at_line(root: str, file: str, line: int, condition: str = "") -> Breakpoint:
    """A breakpoint at a line of a file, relative to the working directory or to `root`; it is not stored yet.

    A line without code stands for the next one with code, and the head of a function, which is long executed when
    tasks run, for the first line of its body. Raises ValueError, whose text is a sentence for people.
    """
    condition = condition.strip()
    check(condition)
    path = _find(root, file)
    try:
        lines = _lines(path)
        tree, code_lines = _compiled(path, lines)
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read as Python: {error}") from error
    last = len(lines) - (lines[-1] == "")
    if not 1 <= line <= last:
        raise ValueError(f"{file} has {last} line{'s'[: last != 1]}, and no line {line}")
    found = _with_code(tree, code_lines, line)
    if found is None:
        raise ValueError(f"there is no code at line {line} of {file}, and none below it")
    start = max(0, found - 1 - AROUND)
    return Breakpoint(
        number=0,
        kind="line",
        file=_relative(root, path),
        line=found,
        condition=condition,
        context=tuple(lines[start : found + AROUND]),
        at=found - 1 - start,
    )


def check(condition: str) -> None:
    """Raises ValueError for a condition that is not an expression."""
    if condition:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(condition.strip(), "<condition>", "eval")
        except (SyntaxError, ValueError) as error:
            why = error.msg if isinstance(error, SyntaxError) else error
            raise ValueError(f"the condition {condition!r} is not an expression: {why}") from error


def where_now(root: str, breakpoint_: Breakpoint) -> "int | None":
    """The line of the file as it is now; None where the line is gone.

    Of all lines with the same text, but for the indentation, the one whose neighbours agree best; of several such the
    nearest to where it was.
    """
    if not breakpoint_.context:
        return None
    try:
        lines = [line.strip() for line in _lines(os.path.join(root, breakpoint_.file))]
    except (OSError, SyntaxError, ValueError):
        return None
    context, at = [line.strip() for line in breakpoint_.context], breakpoint_.at
    before, after = _words(context[:at]), _words(context[at + 1 :])
    # Some lines may have come in between since.
    reach = 2 * AROUND

    def agreement(index: int) -> "tuple[int, int]":
        above, below = _words(lines[max(0, index - reach) : index]), _words(lines[index + 1 : index + 1 + reach])
        return (before & above).total() + (after & below).total(), -abs(index + 1 - breakpoint_.line)

    found = [index for index, text in enumerate(lines) if text == context[at]]
    return max(found, key=agreement) + 1 if found else None


def _words(lines: "list[str]") -> "Counter[str]":
    """Lines to compare: blank ones say nothing."""
    return Counter(filter(None, lines))


def _find(root: str, file: str) -> str:
    for path in (os.path.abspath(file), os.path.join(root, file)):
        if os.path.isfile(path):
            return path
    raise ValueError(f"there is no file {file}")


def _relative(root: str, path: str) -> str:
    """The path from the root if it is inside, by whatever links it was reached."""
    for way in (os.path.abspath, os.path.realpath):
        folder, inside = way(root), way(path)
        if inside.startswith(os.path.join(folder, "")):
            return os.path.relpath(inside, folder)
    return os.path.abspath(path)


def _lines(path: str) -> "list[str]":
    """As Python numbers them. Raises OSError, SyntaxError, ValueError."""
    with tokenize.open(path) as file:
        return file.read().split("\n")


def _compiled(path: str, lines: "list[str]") -> "tuple[ast.Module, set[int]]":
    source = "\n".join(lines)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the project's linter is for these
        tree = ast.parse(source, path)
        return tree, _code_lines(compile(source, path, "exec", dont_inherit=True))


def _code_lines(code: types.CodeType) -> "set[int]":
    """The lines at which this code, or a function in it, can stop."""
    found = {line for _, _, line in code.co_lines() if line}
    return found.union(*(_code_lines(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)))


def _with_code(tree: ast.Module, code_lines: "set[int]", line: int) -> "int | None":
    """The line with code that is meant; None where there is none."""
    line = _body_of_head(tree, line)
    if line in code_lines:
        return line
    # The last lines of a statement over several lines, as a closing parenthesis, mean the statement.
    whole = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    starts = [node.lineno for node in whole if node.lineno <= line <= (node.end_lineno or 0)]
    own = [found for found in code_lines if starts and max(starts) <= found <= line]
    return min(own or [found for found in code_lines if found > line], default=None)


def _body_of_head(tree: ast.Module, line: int) -> int:
    """For the head of a function, from its decorators on, the start of its body.

    Not for one inside of another function: its `def` is executed each time.
    """
    todo: list[Any] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, FUNCTIONS):
            body = _start(node.body[0])
            if _start(node) <= line < body:
                return body
        else:
            todo += ast.iter_child_nodes(node)
    return line


def _start(node: ast.stmt) -> int:
    """The line in which a statement begins; its own number does not count the decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
