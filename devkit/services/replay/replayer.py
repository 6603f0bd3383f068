"""Runs failed tasks again in a process of the project's own, and judges what comes of it."""

import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from devkit.errors import DevkitError, UsageError
from devkit.model.failure import Failure
from devkit.model.lines import Lines, line, write
from devkit.model.text import worker_lost
from devkit.model.wire import CallSource, Json, Outcome, ReplayAnswer, ReplayOrder, Running
from devkit.replay.compare import Verdict, judge
from devkit.services.project.broker import masked
from devkit.services.project.facts import problem_error
from devkit.services.project.target import Target
from devkit.services.replay.process import ReplayProcess, borrow, start

if TYPE_CHECKING:
    from devkit.services.reload.saves import Saves

STDERR = 2
DIES_S = 1.0
# What the worker's main process makes of the process of a task that is gone, or was ended.
LOST = "billiard.exceptions.WorkerLostError"
TOO_LONG = "billiard.exceptions.TimeLimitExceeded"


class CannotReplay(DevkitError):  # noqa: N818 - it says what cannot be done
    """No verdict is possible: the record is missing or cannot be read, the task is gone (exit code 125)."""

    exit_code = 125


@dataclass(frozen=True)
class How:
    """How a failure is to be replayed; `args` and `kwargs` take the place of its own."""

    args: list[object] | None = None
    kwargs: Json | None = None
    live: bool = False
    pdb: bool = False
    breaks: bool = False
    allow_pickle: bool = False


@dataclass(frozen=True)
class Replayed:
    """What came of it; without an outcome the verdict says why."""

    failure: Failure
    verdict: Verdict
    outcome: Outcome = field(default_factory=Outcome)
    mend: tuple[str, ...] = ()


class Replayer:
    """The process; it imports the project at once, while its orders are still looked up."""

    def __init__(
        self, target: Target, *, loans: Path | None = None, quiet: bool = False, saves: "Saves | None" = None
    ) -> None:
        """It is borrowed at `loans`, if it can be. With `quiet`, what the tasks print goes to standard error; a save
        ends what it is at, with Saved."""
        self.target = target
        self._saves = [saves.fileno()] if saves else []
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        fds = (0, STDERR if quiet else 1, STDERR, orders, answers)
        lent = borrow(loans, target, fds) if loans else None
        self.lent = lent is not None
        self._process: ReplayProcess = lent or start(target, fds)
        os.close(orders)
        os.close(answers)
        self._told = Lines(partial(os.read, self._answers), ReplayAnswer)
        self._ready = False

    def close(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()  # first: it would complain that nobody listens
        os.close(self._orders)
        os.close(self._answers)
        self._process.wait()

    def find(self, word: str, places: Sequence[str]) -> Failure | None:
        """The only failure in these stores whose id begins like this; None if another look is needed."""
        found = self._last({"do": "find", "word": word, "places": list(places)})["found"]
        return Failure.from_record(found) if found else None

    @property
    def broker(self) -> str:
        """The address of the app's broker, without its password. Raises CannotReplay."""
        return masked(self._last({"do": "broker"})["broker"])

    def run(self, failure: Failure, how: How, *, apart: bool = False) -> Replayed:
        """Run it again; `apart`: in a process of its own, as more follow. Raises CannotReplay if none can be."""
        try:
            outcome = self._run({"do": "run", **_order(failure, how), "fork": apart})
        except CannotReplayThis as refused:
            return Replayed(failure, Verdict("cannot replay", refused.what), mend=refused.mend)
        return Replayed(failure, judge(failure, outcome), outcome)

    def check(self, failure: Failure, how: How) -> Replayed:
        """Only look whether its arguments still fit the task."""
        try:
            self._last({"do": "check", **_order(failure, how)})
        except CannotReplayThis as refused:
            return Replayed(failure, Verdict("cannot replay", refused.what), mend=refused.mend)
        return Replayed(failure, Verdict("passes now", "its arguments fit the task"))

    def literals(self, failure: Failure, how: How) -> CallSource:
        """The call as source text. Raises UsageError for arguments that cannot be written so, and CannotReplayThis."""
        return self._last({"do": "argue", **_order(failure, how)})["literals"]

    def send(self, failure: Failure, how: How, queue: str | None) -> str:
        """Put it back for a worker to run; returns the queue. Raises CannotReplayThis."""
        return self._last({"do": "send", **_order(failure, how), "queue": queue})["sent"]["queue"]

    def _run(self, order: ReplayOrder) -> Outcome:
        running: list[Running] = []
        try:
            return self._outcome(order, running)
        except BaseException as error:  # Ctrl-C, a save
            if running:
                self._interrupt(running[0]["pid"], heard=isinstance(error, KeyboardInterrupt) and not self.lent)
            raise

    def _outcome(self, order: ReplayOrder, running: list[Running]) -> Outcome:
        """What comes of it; into `running` goes what is told of it meanwhile."""
        began, give_up = time.monotonic(), None
        self._say(order)
        while True:
            try:
                answer = self._next(give_up)
            except TimeoutError:
                self._kill(running[0]["pid"])
                return _ended(TOO_LONG, f"TimeLimitExceeded({running[0]['hard']},)", time.monotonic() - began)
            if answer is None:
                return _ended(LOST, worker_lost(self._process.wait()), time.monotonic() - began)
            if "died" in answer:
                code = os.waitstatus_to_exitcode(answer["died"])
                return _ended(LOST, worker_lost(code), time.monotonic() - began)
            if "running" in answer:
                running.append(answer["running"])
                began, hard = time.monotonic(), answer["running"]["hard"]
                give_up = began + hard if hard else None
            else:
                return self._unrefused(answer)["outcome"]

    def _kill(self, pid: int) -> None:
        """End the process of a task, and hear that it has died: no later order is to take that for its answer."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._hear_of_its_end()

    def _interrupt(self, pid: int, *, heard: bool) -> None:
        """End the process of a task, after a moment for its `finally`; it may have `heard` Ctrl-C itself."""
        self._saves = []
        with suppress(ProcessLookupError):
            try:
                if not heard:
                    os.kill(pid, signal.SIGINT)
                self._hear_of_its_end()
            finally:
                os.kill(pid, signal.SIGKILL)

    def _hear_of_its_end(self) -> None:
        with suppress(TimeoutError):
            while (answer := self._next(time.monotonic() + DIES_S)) and "died" not in answer:
                pass  # what it answered in the last moment

    def _last(self, order: ReplayOrder) -> ReplayAnswer:
        self._say(order)
        answer = self._next()
        if answer is None:
            raise CannotReplayThis(f"its process ended ({worker_lost(self._process.wait())})")
        return self._unrefused(answer)

    def _unrefused(self, answer: ReplayAnswer) -> ReplayAnswer:
        if refused := answer.get("cannot"):
            if refused["kind"] == "no literal":
                raise UsageError(refused["why"], mend=["save the case, and replay that: --save FILE"])
            raise CannotReplayThis(refused["why"], mend=refused["mend"])
        if "problem" in answer:
            error = self.target.told(
                problem_error(answer, self.target.app, self.target.root or self.target.app.folder), answer["problem"]
            )
            raise CannotReplay(error.what, looked=error.looked, excerpt=error.excerpt, mend=error.mend)
        return answer

    def _say(self, order: ReplayOrder) -> None:
        self._await_ready()
        # A process that has ended meanwhile is found out when it does not answer.
        with suppress(BrokenPipeError):
            write(self._orders, line(order))

    def _await_ready(self) -> None:
        if self._ready:
            return
        answer = self._next()
        if answer is None:
            ending = worker_lost(self._process.wait())
            raise CannotReplay(f"importing {self.target.app} ends the process: {ending}")
        self._unrefused(answer)
        self._ready = True

    def _next(self, give_up: float | None = None) -> ReplayAnswer | None:
        """The next answer; None when the process has ended. Raises TimeoutError, Saved, CannotReplay."""
        while (answer := self._taken()) is None:
            left = None if give_up is None else max(give_up - time.monotonic(), 0)
            readable = select.select([self._answers, *self._saves], [], [], left)[0]
            if not readable:
                raise TimeoutError
            if self._answers not in readable:
                raise Saved
            if not self._told.fill():
                return None
        return answer

    def _taken(self) -> ReplayAnswer | None:
        try:
            return self._told.take()
        except ValueError as error:
            raise CannotReplay(f"its process tells {error}") from None


class Saved(Exception):  # noqa: N818 - it says what happened
    """Code was saved while a task ran."""


class CannotReplayThis(CannotReplay):
    """This failure cannot be replayed, or not as asked; others may."""


def _order(failure: Failure, how: How) -> ReplayOrder:
    return {
        "record": failure.to_record(), "args": how.args, "kwargs": how.kwargs, "live": how.live, "pdb": how.pdb,
        "breaks": how.breaks, "allow_pickle": how.allow_pickle,
    }  # fmt: skip


def _ended(exception: str, message: str, runtime_s: float) -> Outcome:
    """The outcome of a task whose process is gone: as the worker's main process would tell it."""
    return {
        "state": "FAILURE", "result": None, "result_literal": None, "exception": exception, "message": message,
        "traceback": "", "frames": [], "runtime_s": runtime_s, "sent": [], "mutated": None,
    }  # fmt: skip
