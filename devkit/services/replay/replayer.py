"""Runs failed tasks again in a process of the project's own, and judges what comes of it."""

import os
import select
import signal
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devkit.errors import DevkitError, UsageError
from devkit.model.failure import Failure
from devkit.model.lines import Lines, line, write
from devkit.model.text import worker_lost
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

    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] | None = None
    live: bool = False
    pdb: bool = False
    breaks: bool = False
    allow_pickle: bool = False


@dataclass(frozen=True)
class Replayed:
    """What came of it; without an outcome the verdict says why."""

    failure: Failure
    verdict: Verdict
    outcome: dict[str, Any] = field(default_factory=dict)
    mend: tuple[str, ...] = ()


class Replayer:
    """The process; it imports the project at once, while its orders are still looked up."""

    def __init__(
        self, target: Target, *, loans: Path | None = None, quiet: bool = False, saves: "Saves | None" = None
    ) -> None:
        """It is borrowed at `loans`, if it can be. With `quiet`, what the tasks print goes to standard error; a save
        ends what it is at, with Saved."""
        self._target = target
        self._saves = [saves.fileno()] if saves else []
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        fds = (0, STDERR if quiet else 1, STDERR, orders, answers)
        lent = borrow(loans, target, fds) if loans else None
        self.lent = lent is not None
        self._process: ReplayProcess = lent or start(target, fds)
        os.close(orders)
        os.close(answers)
        self._told = Lines(partial(os.read, self._answers))
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
        if not found:
            return None
        return Failure.from_wire(found["failure"], None if found["body"] is None else b64decode(found["body"]))

    @property
    def broker(self) -> str:
        """The address of the app's broker, without its password. Raises CannotReplay."""
        return masked(self._last({"do": "broker"})["broker"])

    def run(self, failure: Failure, how: How, *, apart: bool = False) -> Replayed:
        """Run it again; `apart`: in a process of its own, as more follow. Raises CannotReplay if none can be."""
        try:
            outcome = self._run(self._order("run", failure, how, fork=apart))
        except CannotReplayThis as refused:
            return Replayed(failure, Verdict("cannot replay", refused.what), mend=refused.mend)
        return Replayed(failure, judge(failure, outcome), outcome)

    def check(self, failure: Failure, how: How) -> Replayed:
        """Only look whether its arguments still fit the task."""
        try:
            self._last(self._order("check", failure, how))
        except CannotReplayThis as refused:
            return Replayed(failure, Verdict("cannot replay", refused.what), mend=refused.mend)
        return Replayed(failure, Verdict("passes now", "its arguments fit the task"))

    def literals(self, failure: Failure, how: How) -> dict[str, Any]:
        """The call as source text. Raises UsageError for arguments that cannot be written so, and CannotReplayThis."""
        found: dict[str, Any] = self._last(self._order("argue", failure, how))["literals"]
        return found

    def send(self, failure: Failure, how: How, queue: str | None) -> str:
        """Put it back for a worker to run; returns the queue. Raises CannotReplayThis."""
        sent = self._last(self._order("send", failure, how, queue=queue))["sent"]
        return str(sent["queue"])

    def _order(self, do: str, failure: Failure, how: How, **more: Any) -> dict[str, Any]:
        body = None if failure.body is None else b64encode(failure.body).decode()
        return {
            "do": do, "failure": failure.to_wire(), "body": body, "args": how.args, "kwargs": how.kwargs,
            "live": how.live, "pdb": how.pdb, "break": how.breaks, "allow_pickle": how.allow_pickle,
            "fork": False, "queue": None, **more,
        }  # fmt: skip

    def _run(self, order: dict[str, Any]) -> dict[str, Any]:
        running: dict[str, Any] = {}
        try:
            return self._outcome(order, running)
        except BaseException as error:  # Ctrl-C, a save
            if running:
                self._interrupt(running["pid"], heard=isinstance(error, KeyboardInterrupt) and not self.lent)
            raise

    def _outcome(self, order: dict[str, Any], running: dict[str, Any]) -> dict[str, Any]:
        """What comes of it; `running` is what is told of it meanwhile."""
        began, give_up = time.monotonic(), None
        self._say(order)
        while True:
            try:
                answer = self._next(give_up)
            except TimeoutError:
                self._kill(running["pid"])
                hard = running["hard"]
                return _ended(TOO_LONG, f"TimeLimitExceeded({hard},)", time.monotonic() - began)
            if answer is None:
                return _ended(LOST, worker_lost(self._process.wait()), time.monotonic() - began)
            if "died" in answer:
                code = os.waitstatus_to_exitcode(answer["died"])
                return _ended(LOST, worker_lost(code), time.monotonic() - began)
            if "running" in answer:
                running |= answer["running"]
                began = time.monotonic()
                give_up = began + running["hard"] if running["hard"] else None
            else:
                outcome: dict[str, Any] = self._unrefused(answer)["outcome"]
                return outcome

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

    def _last(self, order: dict[str, Any]) -> dict[str, Any]:
        self._say(order)
        answer = self._next()
        if answer is None:
            raise CannotReplayThis(f"its process ended ({worker_lost(self._process.wait())})")
        return self._unrefused(answer)

    def _unrefused(self, answer: dict[str, Any]) -> dict[str, Any]:
        if refused := answer.get("cannot"):
            if refused["kind"] == "no literal":
                raise UsageError(refused["why"], mend=["save the case, and replay that: --save FILE"])
            raise CannotReplayThis(refused["why"], mend=refused["mend"])
        if "problem" in answer:
            error = self._target.told(problem_error(answer, self._target.app), answer["problem"])
            raise CannotReplay(error.what, looked=error.looked, excerpt=error.excerpt, mend=error.mend)
        return answer

    def _say(self, order: dict[str, Any]) -> None:
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
            raise CannotReplay(f"importing {self._target.app} ends the process: {ending}")
        self._unrefused(answer)
        self._ready = True

    def _next(self, give_up: float | None = None) -> dict[str, Any] | None:
        """The next answer; None when the process has ended. Raises TimeoutError, Saved."""
        while (answer := self._told.take()) is None:
            left = None if give_up is None else max(give_up - time.monotonic(), 0)
            readable = select.select([self._answers, *self._saves], [], [], left)[0]
            if not readable:
                raise TimeoutError
            if self._answers not in readable:
                raise Saved
            if not self._told.fill():
                return None
        return answer


class Saved(Exception):  # noqa: N818 - it says what happened
    """Code was saved while a task ran."""


class CannotReplayThis(CannotReplay):
    """This failure cannot be replayed, or not as asked; others may."""


def _ended(exception: str, message: str, runtime_s: float) -> dict[str, Any]:
    """The outcome of a task whose process is gone: as the worker's main process would tell it."""
    return {
        "state": "FAILURE", "result": None, "result_literal": None, "exception": exception, "message": message,
        "traceback": "", "frames": [], "runtime_s": runtime_s, "sent": [], "mutated": None,
    }  # fmt: skip
