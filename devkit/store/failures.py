"""The store of failures: in Redis where the broker or the result backend is one, else in a folder.

What is in it is never more secret than the broker: the messages, and what the worker prints of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..model.failure import Failure
from .records import Limits

REDIS = ("redis://", "rediss://", "redis+socket://", "unix://")


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


def open_store(where: str, limits: Limits = Limits()) -> FailureStore:  # noqa: B008 - it is frozen
    """The store there; nothing is connected to before it is needed. Raises StoreError for what is no URL of a Redis."""
    if where.startswith(REDIS):
        from .redis_failures import RedisFailures

        return RedisFailures(where, limits)
    from .folder_failures import FolderFailures

    return FolderFailures(where, limits)
