"""Text for people: cut to fit, moments, spans of time, and ids as short as they can be."""

import shutil
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import pairwise, takewhile

from devkit.model.text import cells, cut

SHORT_ID = 8
LONG_AGO_S = 86400


def ago(seconds: float) -> str:
    """A time span, as short as it can be."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(int(seconds), 0)} s"


def iso(at: float) -> str:
    """A point in time, as other programs read it."""
    return _date(at).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _date(at: float) -> datetime:
    """The date, here; for what is none, as only a broken record has it, the first one of all."""
    try:
        return datetime.fromtimestamp(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def when(at: float, now: float) -> str:
    """A point in time, as people say it."""
    if abs(now - at) < LONG_AGO_S:  # another machine's clock may be ahead
        return f"{ago(now - at)} ago"
    return clock(at)[: -len(":00")]


def clock(at: float) -> str:
    """A point in time, here."""
    return f"{_date(at):%Y-%m-%d %H:%M:%S}"


def short_ids(ids: Collection[str]) -> dict[str, str]:
    """The beginning of each, long enough to tell it from the others."""
    ordered = sorted(set(ids))
    shared = [_shared(one, other) for one, other in pairwise(ordered)]
    lengths = [max(SHORT_ID, before + 1, after + 1) for before, after in zip([0, *shared], [*shared, 0], strict=True)]
    return {one: one[:length] for one, length in zip(ordered, lengths, strict=False)}


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))


def columns() -> int | None:
    """The terminal's width; None where standard output is none, so that nothing is to be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly so many columns: cut, or filled up."""
    text = cut(text, width)
    missing = " " * (width - cells(text))
    return missing + text if right else text + missing
