"""Runs a task as a worker's process would, and tells how it ended."""

import bdb
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from billiard.einfo import ExceptionInfo
from billiard.exceptions import SoftTimeLimitExceeded, WorkerLostError
from celery import signals
from celery._state import _set_task_join_will_block
from celery.app import trace
from celery.exceptions import Reject

from ...model.text import worker_lost
from ...model.wire import Outcome
from ..calls import before_failures, cause, codes
from ..structure import attributes, is_plain, of_error, type_name
from ..tell.errors import describe, is_own, retold
from ..tell.exceptions import message
from ..tell.values import short
from .call import Call, Cannot, mutated
from .literals import NoLiteral, literal
from .sandbox import Sandbox, Waits

if TYPE_CHECKING:
    from typing import Unpack

LONGEST_LITERAL = 20_000
LEFT = "it was left in the debugger"


class _Worker:
    """What the project's handlers of worker_init, and Celery's own for Django, may ask the worker for."""

    pool_cls = "celery.concurrency.prefork:TaskPool"

    def __init__(self, app: Any, hostname: str) -> None:
        self.app = app
        self.hostname = hostname


def become_worker(app: Any, hostname: str) -> None:
    """What a worker does once, before it has any process for tasks."""
    trace.setup_worker_optimizations(app, hostname)
    app.log.setup(logging.INFO, redirect_stdouts=False, hostname=hostname)
    # How the task ended devkit itself tells.
    logging.getLogger(trace.__name__).addFilter(lambda record: not hasattr(record, "data"))
    app.loader.init_worker()
    signals.worker_init.send(sender=_Worker(app, hostname))


def become_pool_process(app: Any) -> None:
    """What each process for tasks does at first."""
    _set_task_join_will_block(True)
    app.loader.init_worker_process()
    signals.worker_process_init.send(sender=None)


def limits(call: Call) -> "tuple[float | None, float | None]":
    """The time limits, soft and hard."""
    hard, soft = (*(call.failure.headers.get("timelimit") or ()), None, None)[:2]
    return soft or call.task.soft_time_limit, hard or call.task.time_limit


def rerun(
    app: Any, call: Call, *, live: bool, soft: "float | None", post_mortem: bool = False, stepping: bool = False
) -> Outcome:
    """The outcome. Raises Cannot, and KeyboardInterrupt."""
    text, request, process = call.text, call.request, os.getpid()
    sandbox, ending = Sandbox(app, request, live=live), _Ending(call.task, request["id"], post_mortem)
    with ExitStack() as stack:
        stack.enter_context(sandbox)
        stack.callback(before_failures(ending.failing))
        stack.enter_context(_soft_limit(soft))
        stack.enter_context(_stepping(app, call.task.name) if stepping else nullcontext())
        tracer = trace.build_tracer(call.task.name, call.task, app.loader, call.failure.worker, app=app)
        ending.started = time.monotonic()
        try:
            ending.returned(tracer(request["id"], call.args, call.kwargs, request))
        except Waits:
            pass
        except BaseException as error:
            ending.left(error)
    if os.getpid() != process:  # forked by the task, and none of ours
        leave(ending.exit_code)
    if sandbox.waits_for:
        raise Cannot(
            "waits",
            f"it waits for the result of {sandbox.waits_for}, which it has sent, and a replay sends nothing",
            "--live lets what it sends really go out",
        )
    if ending.cannot:
        raise ending.cannot
    return {
        **ending.outcome,
        "runtime_s": round(ending.runtime_s, 6),
        "sent": sandbox.sent,
        "mutated": mutated(call),
        "task": call.task.name,
        "call": text,
    }


def leave(code: int = 0) -> None:
    """End this process here and now, after what it has printed."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)


class _Ending:
    """Sees how the task ends."""

    def __init__(self, task: Any, task_id: str, post_mortem: bool) -> None:
        self.started = 0.0
        self.runtime_s = 0.0
        self.exit_code = 0
        self.outcome: Outcome = {}
        self.cannot: Cannot | None = None
        self._process = os.getpid()
        self._id = task_id
        self._package = type(task).__module__.partition(".")[0]
        self._post_mortem = post_mortem

    def failing(self, task: Any, state: str, error: BaseException) -> "Callable[[str], None] | None":
        """Its error, or that of a task that it runs itself, while the error's frames still have their values."""
        if task.request.id != self._id or task.request.is_eager:
            return None
        self._failed(error, state)
        return partial(self._retold, cause(error))

    def _retold(self, error: BaseException, told: str) -> None:
        if self.outcome:
            self.outcome = _outcome(**retold({**self.outcome}, error, told))

    def returned(self, traced: Any) -> None:
        """Celery is done with it."""
        self._ended()
        value, info = traced.retval, traced.info
        if issubclass(type(value), ExceptionInfo):
            if info is not None and info.state == "IGNORED":
                self.outcome = _outcome(state="IGNORED", message=message(info.retval))
            elif not self.outcome:  # it did not come as far as the task
                self._failed(value.exception, "FAILURE")
        else:
            self.outcome = _outcome(state="SUCCESS", result=short(value), result_literal=_literal(value))

    def left(self, error: BaseException) -> None:
        """It went through all that Celery does about errors."""
        self._ended()
        kind = type(error)
        if issubclass(kind, KeyboardInterrupt):
            raise error
        if issubclass(kind, (Exception, MemoryError)):
            self._failed(error, "REJECTED" if issubclass(kind, Reject) else "FAILURE")
            return
        from .stepping import Quit

        if issubclass(kind, Quit):
            self.cannot = Cannot("interrupted", LEFT)
            return
        # It takes the process with it, and that is all that a worker gets to know.
        self.exit_code = _exit_code(error)
        ending = worker_lost(self.exit_code)
        shown = describe(error, os.getcwd(), self._package)["traceback"]
        self.outcome = _outcome(state="FAILURE", exception=type_name(WorkerLostError), message=ending, traceback=shown)

    def _ended(self) -> None:
        self.runtime_s = self.runtime_s or time.monotonic() - self.started

    def _failed(self, error: BaseException, state: str) -> None:
        self._ended()
        sys.settrace(None)
        if issubclass(type(error), Reject) and attributes(error).get("requeue"):
            state = "RETRY"
        error = cause(error)
        if issubclass(type(error), bdb.BdbQuit):
            self.cannot = Cannot("interrupted", LEFT)
            return
        self.outcome = _outcome(state=state, **describe(error, os.getcwd(), self._package))
        if self._post_mortem and os.getpid() == self._process:
            from .stepping import post_mortem

            post_mortem(error, self._is_own)

    def _is_own(self, frame: FrameType) -> bool:
        return is_own(frame, os.getcwd(), self._package)


def _outcome(**values: "Unpack[Outcome]") -> Outcome:
    nothing: Outcome = {
        "result": None,
        "result_literal": None,
        "exception": None,
        "message": "",
        "traceback": "",
        "frames": [],
    }
    return {**nothing, **values}


def _literal(value: Any) -> "str | None":
    if not is_plain(value, most=LONGEST_LITERAL, enums=True):
        return None
    try:
        found = literal(value)
    except NoLiteral:
        return None
    return found.code if found.comparable and len(found.code) <= LONGEST_LITERAL else None


def _exit_code(error: BaseException) -> int:
    """That of a process that this ends."""
    code = of_error("code", error, SystemExit) if issubclass(type(error), SystemExit) else 1
    return 0 if code is None else int.__and__(code, 0xFF) if issubclass(type(code), int) else 1


@contextmanager
def _soft_limit(seconds: "float | None") -> "Iterator[None]":
    """Raise SoftTimeLimitExceeded in the task after that time, as a worker's pool does."""
    if not seconds:
        yield
        return
    from billiard.pool import soft_timeout_sighandler

    signal.signal(signal.SIGUSR1, soft_timeout_sighandler)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with suppress(SoftTimeLimitExceeded):  # right now
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the timer may be about to send it
        timer.cancel()


def _stepping(app: Any, name: str) -> Any:
    from .stepping import Stepping

    return Stepping(codes(app, name))
