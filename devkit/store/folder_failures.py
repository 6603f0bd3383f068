"""Failures in a folder, for projects without a Redis: two files each, that only this user can read.

A file's name tells what a listing has to know: when it failed, whether it counts, which run of which task it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import quote, unquote

from ..model.failure import Failure, Unreadable
from .files import make_private, replace, replace_bytes
from .records import Limits, StoreError, is_wanted, read, readable

COUNTS, RETRY = "failure", "retry"
LONGEST_NAME = 180


class FolderFailures:
    """The store in a folder."""

    unreadable = 0

    def __init__(self, folder: str, limits: Limits) -> None:
        self.where = self._folder = folder
        self._limits = limits

    def add(self, failures: Sequence[Failure]) -> None:
        """Keep these, and let go of the oldest beyond the limits."""
        with self._errors():
            make_private(self._folder)
            before = self._names()
            for failure in failures:
                meta = json.dumps(failure.to_wire(), separators=(",", ":"))
                if len(meta) + len(failure.body or b"") > self._limits.size:
                    continue
                run = f"{failure.retries}-{_quoted(failure.id)}"
                for name in [name for name in before if name.split("-", 2)[2] == run]:
                    self._forget(name)
                name = f"{int(failure.failed_at * 1000):014d}-{COUNTS if failure.counts else RETRY}-{run}"
                try:
                    if failure.body is not None:  # first: without it the record would say that it was not kept
                        replace_bytes(self._path(name, ".body"), failure.body)
                    replace(self._path(name, ".json"), meta)
                except OSError:  # the disk is full: half of it helps nobody
                    self._forget(name)
                    raise
            self._trim(max(failure.failed_at for failure in failures))

    def newest(
        self, *, task: str = "", since: float = 0.0, limit: int | None = 20, bodies: bool = False
    ) -> list[Failure]:
        """Those that count, the newest first."""
        self.unreadable = 0
        found: list[Failure] = []
        for name in self._names():
            if limit is not None and len(found) >= limit:
                break
            if _kind(name) != COUNTS or _time(name) < int(since * 1000):
                continue
            try:
                failure = read(*self._record(name, bodies))
            except FileNotFoundError:  # it was the oldest
                continue
            except Unreadable:
                self.unreadable += 1
                continue
            if is_wanted(failure, task):
                found.append(failure)
        return found

    def ids(self, prefix: str) -> list[str]:
        """The ids that begin so, the newest first."""
        return list(dict.fromkeys(found for found in map(_id, self._names()) if found.startswith(prefix)))

    def attempts(self, task_id: str) -> list[Failure]:
        """All runs of a task, the oldest first, with their bodies."""
        names = [name for name in reversed(self._names()) if name.split("-", 3)[3] == _quoted(task_id)]
        return readable(self._record(name, True) for name in names)

    def _names(self) -> list[str]:
        """The newest first."""
        with self._errors():
            try:
                files = os.listdir(self._folder)
            except FileNotFoundError:
                return []
        found = (name[: -len(".json")] for name in files if name.endswith(".json") and name[:14].isdigit())
        return sorted((name for name in found if name.count("-") >= 3), reverse=True)

    def _record(self, name: str, bodies: bool) -> tuple[bytes, bytes | None]:
        """Raises FileNotFoundError for one that is gone."""
        with self._errors():
            body = None
            if bodies:
                with suppress(FileNotFoundError), open(self._path(name, ".body"), "rb") as file:
                    body = file.read()
            with open(self._path(name, ".json"), "rb") as file:
                return file.read(), body

    def _trim(self, now: float) -> None:
        limits = self._limits
        size = 0
        counted = {COUNTS: 0, RETRY: 0}
        # What is a failure stays longer than the runs before one.
        for name in sorted(self._names(), key=lambda name: _kind(name) == RETRY):
            counted[_kind(name)] += 1
            size += self._size(name)
            if counted[_kind(name)] > limits.count or size > limits.size or _time(name) < (now - limits.seconds) * 1000:
                self._forget(name)

    def _size(self, name: str) -> int:
        size = 0
        for ending in (".json", ".body"):
            with suppress(FileNotFoundError):
                size += os.stat(self._path(name, ending)).st_size
        return size

    def _forget(self, name: str) -> None:
        for ending in (".json", ".body"):
            with suppress(FileNotFoundError):
                os.unlink(self._path(name, ending))

    def _path(self, name: str, ending: str) -> str:
        return os.path.join(self._folder, name + ending)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(str(error)) from error


def _quoted(task_id: str) -> str:
    """A task's id may be any text that its sender chose."""
    return quote(task_id, safe="", errors="surrogatepass")[:LONGEST_NAME]


def _id(name: str) -> str:
    return unquote(name.split("-", 3)[3], errors="surrogatepass")


def _kind(name: str) -> str:
    return COUNTS if name.split("-", 2)[1] == COUNTS else RETRY


def _time(name: str) -> int:
    return int(name[:14])
