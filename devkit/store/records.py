"""What the stores of failures have in common: how a record is read, what is kept at most, the error that they raise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..model.failure import Failure, Unreadable


class StoreError(Exception):
    """The store cannot be reached, or is full."""


@dataclass(frozen=True)
class Limits:
    """What a store keeps at most: so many failures (and as many of the runs before them), so long, so much."""

    count: int = 1000
    seconds: float = 14 * 86400.0
    size: int = 100 * 1024 * 1024


def read(meta: bytes | None, body: bytes | None) -> Failure:
    """A record. Raises Unreadable."""
    try:
        return Failure.from_wire(json.loads(meta or b""), body)
    except Unreadable:
        raise
    except (ValueError, RecursionError):
        raise Unreadable("it is cut short, or no record of a failure") from None


def readable(records: Iterable[tuple[bytes | None, bytes | None]]) -> list[Failure]:
    """A task's runs in order; those that cannot be read are left out. Raises Unreadable if that is the last one."""
    found, last = [], None
    for meta, body in records:
        try:
            found.append(read(meta, body))
            last = None
        except Unreadable as error:
            last = error
    if last:
        raise last
    # Of two processes of a pool the later run may be heard of first.
    return sorted(found, key=lambda failure: (failure.retries, failure.failed_at))


def newest_run(runs: Sequence[Failure]) -> Failure | None:
    """The one that a task's id stands for: its newest run that counts, else the newest of all."""
    return max(runs, key=lambda run: (run.counts, run.failed_at), default=None)


def is_wanted(failure: Failure, task: str) -> bool:
    """Whether it is of the task of this name, or of this end of its dotted name; empty: any."""
    return not task or f".{failure.task}".endswith(f".{task}")
