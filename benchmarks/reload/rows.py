"""What the tables of these benchmarks have in common."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks._common import Row, spread

PROMISED_RELOAD_S = 0.15


def precise(values: Sequence[float]) -> str:
    """Their median, the least and the worst, in milliseconds' precision."""
    return spread(values, digits=3)


def shown(seconds: float | None) -> str:
    """A single measurement."""
    return "never" if seconds is None else f"{seconds:.2f} s"


def promised(row: Row, promise: str, kept: bool) -> Row:
    """The row, with what is promised of it."""
    return replace(row, promise=promise, kept=kept)
