"""Runs failed tasks again, one for each order that devkit gives, and answers with what became of them.

Started once for an app, `replay MODULE ATTRIBUTE ORDERS_FD ANSWERS_FD`; orders and answers are JSON, one on a line.
Standard input and output are the task's own, and those of a debugger that it stops in.
"""

import gc
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from ...model.failure import Failure, Unreadable
from ...model.lines import Lines, line, write
from ...model.wire import ReplayAnswer, ReplayOrder, Trouble
from ..app.bytecode import distrust_recent
from ..app.describe import refuse_anothers
from ..app.load import Problem, load_app

# How long a task that is interrupted has for its `finally`.
GRACE_S = 1.0
INTERRUPTED = 130


def main(argv: "list[str]") -> None:
    """Import the app, then obey until there are no more orders."""
    module, attribute, orders, answers = argv
    pipes = Pipes(int(orders), int(answers))
    os.environ["DEVKIT_REPLAY"] = "1"
    # Ctrl-C outside of a task ends this process without a word.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    distrust_recent()
    gc.disable()
    try:
        app = load_app(module, attribute)
    except Problem as problem:
        pipes.answer(problem.report)
        return
    gc.enable()
    pipes.answer({"ready": True})
    from . import call, run  # noqa: F401 - while the failure is looked up

    replay = Replay(app, (module, attribute), pipes)
    while (order := pipes.order()) is not None:
        replay.obey(order)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that tasks have left behind have nothing to wait for


class Pipes:
    """The two pipes to devkit. No process that a task starts has a part in it."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders, self._answers = orders, answers
        self._lines = Lines(partial(os.read, orders), ReplayOrder)
        self.forking = False
        for fd in (orders, answers):
            os.set_inheritable(fd, False)
        os.register_at_fork(after_in_child=self._forked)

    def order(self) -> "ReplayOrder | None":
        return self._lines.next()

    def answer(self, message: "ReplayAnswer | Trouble") -> None:
        write(self._answers, line(message))

    def fork(self) -> int:
        """A child that may answer, too."""
        self.forking = True
        try:
            return os.fork()
        finally:
            self.forking = False

    def _forked(self) -> None:
        if not self.forking and self._answers >= 0:
            os.close(self._answers)
            os.close(self._orders)
            self._answers = -1


class Replay:
    """The app, and what is to be done with its tasks."""

    def __init__(self, app: Any, place: "tuple[str, str]", pipes: Pipes) -> None:
        from celery.app.task import Context

        Context.devkit_replay = True  # on the class: it goes along with nothing that the task sends
        self._app = app
        self._place = place
        self._pipes = pipes
        self._hostname = ""
        self._is_pool_process = False

    def obey(self, order: ReplayOrder) -> None:
        """Answer one order, here or in a process of its own."""
        try:
            if not order.get("fork"):
                self._pipes.answer(self._do(order))
                return
            if order["do"] == "run":
                self._become_worker(str(order["record"]["failure"].get("worker") or ""))
            self._in_a_fork(order)
        except KeyboardInterrupt:
            from .run import leave

            leave(INTERRUPTED)

    def _in_a_fork(self, order: ReplayOrder) -> None:
        answered = mmap.mmap(-1, 1)
        sys.stdout.flush()
        sys.stderr.flush()
        with _interruptible():
            pid = self._pipes.fork()
            if pid == 0:
                from .run import leave

                self._pipes.answer(self._do(order))
                answered[0] = 1
                leave()
            try:
                _, status = os.waitpid(pid, 0)
            except KeyboardInterrupt:
                _end(pid)
                raise
        if not answered[0]:
            self._pipes.answer({"died": status})

    def _do(self, order: ReplayOrder) -> "ReplayAnswer | Trouble":
        from .call import Cannot

        if order["do"] == "find":
            from .lookup import found

            return {"found": found(order["word"], order["places"])}
        try:
            if order["do"] in ("broker", "send") or order.get("live"):
                refuse_anothers(self._app)
            if order["do"] == "broker":
                return {"broker": self._app.connection_for_write().as_uri(include_password=True)}
            failure = Failure.from_record(order["record"])
            answer: ReplayAnswer = getattr(self, f"_{order['do']}")(failure, order)
        except (Cannot, Problem) as refusal:
            return refusal.report
        except Unreadable as error:
            return Cannot("unreadable", str(error)).report
        except Exception as error:
            traceback.print_exc()
            return Cannot("devkit", f"devkit failed: {type(error).__name__}: {error}").report
        return answer

    def _rebuilt(self, failure: Failure, order: ReplayOrder) -> Any:
        from .call import rebuild

        args, kwargs = order.get("args"), order.get("kwargs")
        return rebuild(self._app, failure, args=args, kwargs=kwargs, allow_pickle=bool(order.get("allow_pickle")))

    def _run(self, failure: Failure, order: ReplayOrder) -> ReplayAnswer:
        from . import run
        from .call import check, failed_at_the_call

        call = self._rebuilt(failure, order)
        if not failed_at_the_call(failure):
            check(call)
        self._become_worker(failure.worker)
        if not self._is_pool_process:
            self._is_pool_process = True
            run.become_pool_process(self._app)
        debugs = bool(order.get("pdb") or order.get("breaks"))
        soft, hard = (None, None) if debugs else run.limits(call)
        self._pipes.answer({"running": {"pid": os.getpid(), "soft": soft, "hard": hard}})
        with _interruptible():
            outcome = run.rerun(
                self._app, call, live=bool(order.get("live")), soft=soft,
                post_mortem=bool(order.get("pdb")), stepping=bool(order.get("breaks")),
            )  # fmt: skip
            sys.stdout.flush()
            sys.stderr.flush()
        return {"outcome": outcome}

    def _become_worker(self, hostname: str) -> None:
        from . import run

        if not self._hostname:
            self._hostname = hostname or "celery@replay"
            run.become_worker(self._app, self._hostname)

    def _check(self, failure: Failure, order: ReplayOrder) -> ReplayAnswer:
        from .call import check

        call = self._rebuilt(failure, order)
        check(call)
        return {"checked": call.text}

    def _argue(self, failure: Failure, order: ReplayOrder) -> ReplayAnswer:
        from .literals import argue

        return {"literals": argue(self._rebuilt(failure, order), self._place)}

    def _send(self, failure: Failure, order: ReplayOrder) -> ReplayAnswer:
        from .resend import resend

        return {"sent": resend(self._app, failure, order.get("queue"))}


@contextmanager
def _interruptible() -> "Iterator[None]":
    """While this lasts Ctrl-C is an exception, as Python has it."""
    handled = signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if handled:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end(pid: int) -> None:
    """See to it that the process ends, which was interrupted as well."""
    give_up = time.monotonic() + GRACE_S
    with suppress(ChildProcessError):
        while time.monotonic() < give_up:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
