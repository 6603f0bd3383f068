"""The store of failures: in Redis where the broker or the result backend is one, else in a folder.

What is in it is never more secret than the broker: the messages, and what the worker prints of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.failure import Failure, Unreadable

REDIS = ("redis://", "rediss://", "redis+socket://", "unix://")


class StoreError(Exception):
    """The store cannot be reached, or is full."""


@dataclass(frozen=True)
class Limits:
    """What a store keeps at most: so many failures (and as many of the runs before them), so long, so much."""

    count: int = 1000
    seconds: float = 14 * 86400.0
    size: int = 100 * 1024 * 1024


class FailureStore(Protocol):
    """All methods raise StoreError when the store does not answer."""

    where: str
    unreadable: int  # how many records the last listing passed over

    def add(self, failures: Sequence[Failure]) -> None:
        """Keep these, and let go of the oldest beyond the limits."""

    def newest(
        self, *, task: str = "", since: float = 0.0, limit: int | None = 20, bodies: bool = False
    ) -> list[Failure]:
        """Those that count, the newest first; of the task of this name or dotted suffix, and not before `since`."""

    def ids(self, prefix: str) -> list[str]:
        """The ids of the tasks, failed or to be tried again, that begin so; the newest first."""

    def attempts(self, task_id: str) -> list[Failure]:
        """All runs of a task, the oldest first, with their bodies. Raises Unreadable if the last one cannot be read."""


def choose(broker: str | None, backend: str | None, folder: str) -> str:
    """Where the failures of an app with this broker and result backend are kept: a Redis's URL, or the folder."""
    urls = [url for given in (backend, broker) for url in (given or "").split(";")]
    return next((url for url in urls if url.startswith(REDIS)), folder)


def open_store(where: str, limits: Limits = Limits()) -> FailureStore:
    """The store there; nothing is connected to before it is needed. Raises StoreError for what is no URL of a Redis."""
    if where.startswith(REDIS):
        from .redis_failures import RedisFailures

        return RedisFailures(where, limits)
    from .folder_failures import FolderFailures

    return FolderFailures(where, limits)


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
