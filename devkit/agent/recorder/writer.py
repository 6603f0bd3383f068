"""Writes failures to their store in a thread of its own: a store that is slow, down or full never disturbs a task."""

import os
import queue
import shlex
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...model.failure import Failure
from ...model.text import one_line, printable
from ...store.failures import FailureStore
from ...store.records import Limits, StoreError
from ..say import say

MOST_WAITING = 1000
AT_ONCE = 50
GATHER_S = 0.1
FLUSH_S = 3.0
AGAIN_S = 1.0
COMPLAIN_S = 60.0
GIT_S = 5.0
UUID_LENGTH, SHORT = 36, 8
LONGEST_HINT = 200


class Writer:
    """The failures of one worker, on their way to the store."""

    def __init__(self, place: str, store: FailureStore, limits: Limits, root: str) -> None:
        self.place = place
        self.hints = False  # whether the log has the command to type beside each failure
        self._store = store
        self._limits = limits
        self.root = root
        self._waiting: queue.Queue[tuple[Callable[[], Failure], int]] = queue.Queue(MOST_WAITING)
        self._held = 0  # bytes of the messages that wait
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._revision: str | None = None
        self._lost = 0
        self._complained = -COMPLAIN_S

    def put(self, make: "Callable[[], Failure]", size: int) -> None:
        """Write what `make` returns, soon; `size` is what it holds in memory. Returns at once, and raises nothing."""
        try:
            with self._lock:  # pools of threads
                if self._thread is None:  # not before: pools fork, and most workers never need it
                    self._thread = threading.Thread(target=self._run, daemon=True, name="devkit-failures")
                    self._thread.start()
                if self._held > self._limits.size:
                    raise queue.Full
                self._waiting.put_nowait((make, size))
                self._held += size
        except Exception:
            self._lost += 1

    def flush(self) -> None:
        """Wait a moment for what is under way: the worker ends."""
        give_up = time.monotonic() + FLUSH_S
        while self._waiting.unfinished_tasks and time.monotonic() < give_up:
            time.sleep(0.01)

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            if self._waiting.qsize() < AT_ONCE:
                time.sleep(GATHER_S)  # many at once take less of the worker's time than one by one
            while len(batch) < AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                self._write([failure for failure in (self._made(make) for make, _ in batch) if failure])
            except Exception as error:
                self._complain(len(batch), error)
            with self._lock:
                self._held -= sum(size for _, size in batch)
            for _ in batch:
                self._waiting.task_done()
            del batch  # what it holds may be large, and the next one may come late

    def _write(self, failures: "list[Failure]") -> None:
        if not failures:
            return
        try:
            self._store.add(failures)
        except StoreError:
            time.sleep(AGAIN_S)  # it may be about to come back
            self._store.add(failures)
        for failure in failures:
            if self.hints and failure.counts:
                say(_hint(failure))
        if self._lost:
            self._complain(0, "too many at once")

    def _made(self, make: "Callable[[], Failure]") -> "Failure | None":
        try:
            failure = replace(make(), revision=self._git_revision())
        except Exception as error:
            self._complain(1, error)
            return None
        kept = self._limits.size // 2
        if failure.body is not None and len(failure.body) > kept:
            size, most = (f"{count / 2**20:.1f}".removesuffix(".0") for count in (len(failure.body), kept))
            why = f"the arguments are {size} MB, more than the {most} MB (half of failures_mb) that are kept"
            return replace(failure, body=None, missing=why)
        return failure

    def _git_revision(self) -> str:
        """Of the code as this worker runs it, or nearly so: it is looked up at the first failure."""
        if self._revision is None:
            command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
            environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
            try:
                found = subprocess.run(
                    command, cwd=self.root, env=environ, timeout=GIT_S, capture_output=True, check=True, text=True
                )
                self._revision = found.stdout.strip()
            except (OSError, ValueError, subprocess.SubprocessError):
                self._revision = ""
        return self._revision

    def _complain(self, count: int, why: Any) -> None:
        """Say it now and then, not for each task."""
        self._lost += count
        now = time.monotonic()
        if now - self._complained >= COMPLAIN_S:
            self._complained = now
            say(f"devkit: {self._lost} failure{'s'[: self._lost != 1]} could not be kept in {self._store.where}: {why}")
            self._lost = 0


def _hint(failure: Failure) -> str:
    short = failure.id[:SHORT] if len(failure.id) == UUID_LENGTH else failure.id
    text = one_line(f"{failure.exception}: {failure.message}", LONGEST_HINT)
    return printable(f"devkit: {failure.task} failed, {text} · devkit replay {shlex.quote(short)}")
