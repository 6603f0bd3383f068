"""How values and errors look to people: colour only on a terminal, tables as wide as it is."""

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from devkit.errors import DevkitError
from devkit.model.text import printable

if TYPE_CHECKING:
    from rich.table import Table


def wants_colour(stream: TextIO) -> bool:
    """NO_COLOR and FORCE_COLOR decide, else whether the stream is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def say(text: str) -> None:
    """Talk: to stderr, so that stdout holds data alone."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the one place that prints to stderr


def show(text: str) -> None:
    """Data: to stdout."""
    print(text, flush=True)  # noqa: T201 - the one place that prints to stdout


def table_text(table: "Table", width: int) -> str:
    """A table for standard output, nothing at the ends of its lines."""
    from rich.console import Console

    colour, target = wants_colour(sys.stdout), io.StringIO()
    Console(file=target, force_terminal=colour, no_color=not colour, width=width, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()).strip("\n")


def error_text(error: DevkitError, *, colour: bool) -> str:
    """The error as people read it: what, the excerpt, where devkit looked, what mends it."""
    head, dim, off = ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") if colour else ("", "", "")
    lines = [f"{head}Error:{off} {printable(error.what, lines=True)}"]
    lines += [f"  {dim}│{off} {line}" for line in error.excerpt.rstrip().splitlines()]
    lines += [f"  looked: {printable(place, lines=True)}" for place in error.looked]
    lines += [f"  mend: {printable(way, lines=True)}" for way in error.mend]
    return "\n".join(lines)
