"""Keeps what fails, with the message as it arrived: in the worker's main process, once the task is over.

A worker that devkit does not run gets it with one line:

    app.steps["worker"].add("devkit.agent.recorder:Recording")
"""

import os
import time
from contextlib import suppress
from functools import partial
from typing import Any

import billiard.einfo
import celery
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import bootsteps, signals
from celery.exceptions import Ignore, Reject, Retry
from celery.worker import state
from kombu.utils.imports import symbol_by_name

from ...model.text import worker_lost
from ...store.failures import choose, open_store
from ...store.places import Places
from ...store.records import Limits, StoreError
from ..calls import describe_failures
from ..say import say
from ..structure import name_of, of_error
from ..tell.errors import describe, retold
from .record import of_request, of_unknown, package_of
from .writer import Writer

NAME = "devkit.recorder"
LINE = f"{__package__.lstrip('_')}:Recording"
WAITING = "celery.chord_unlock"  # it is tried again until the tasks of its chord are done

# What an error travels in from a pool's process; before billiard 4 it travels as it is.
WRAPPED: "type | tuple[()]" = getattr(billiard.einfo, "ExceptionWithTraceback", ())

_writers: "list[Writer]" = []  # of this process: one


class Recording(bootsteps.Step):  # type: ignore[misc]  # celery has no type hints
    """The step for any worker, set by the environment: DEVKIT_FAILURES_COUNT, _DAYS, _MB, and DEVKIT_DATA_DIR."""

    name = NAME

    def __init__(self, worker: Any, **options: Any) -> None:
        folder = os.path.join(os.path.abspath(os.environ.get("DEVKIT_DATA_DIR", ".devkit")), "failures")
        limits = limits_of(_number("COUNT", 1000), _number("DAYS", 14), _number("MB", 100))
        record(worker.app, os.getcwd(), folder, limits)
        super().__init__(worker, **options)


def add_recorder(app: Any, root: str, folder: str, limits: "list[float]") -> None:
    """Have devkit's own worker record; its log, and a note for `devkit failures`, tell where.

    `limits` are the settings failures_count, failures_days and failures_mb.
    """

    class Step(bootsteps.Step):  # type: ignore[misc]
        name = NAME

        def __init__(self, worker: Any, **options: Any) -> None:
            if writer := record(app, root, folder, limits_of(*limits)):
                writer.hints = True
                with suppress(OSError):  # `devkit failures` asks the app then
                    Places(folder).note(writer.place)
            super().__init__(worker, **options)

    # The project may ask for the recorder itself, and need not have devkit where this worker runs.
    app.steps["worker"] = {step for step in app.steps["worker"] if step != LINE}
    app.steps["worker"].add(Step)


def limits_of(count: float, days: float, mb: float) -> Limits:
    """The settings failures_count, failures_days and failures_mb."""
    return Limits(int(count), days * 86400, int(mb * 1024 * 1024))


def record(app: Any, root: str, folder: str, limits: Limits) -> "Writer | None":
    """From now on keep what fails in this worker: in the app's Redis, or in the folder."""
    place = choose(_text(app.conf.broker_write_url), _text(app.conf.result_backend), folder)
    try:
        writer = Writer(place, open_store(place, limits), limits, root)
    except (StoreError, ImportError) as error:
        say(f"devkit: failures will not be kept: {error}")
        return None
    describe_failures(lambda task, error, text: describe(error, root, package_of(task), text=text), retold)
    for task in app.tasks.values():
        request = symbol_by_name(task.Request)  # type: ignore[no-untyped-call]
        task.Request = type(request.__name__, (Kept, request), {"devkit_writer": writer})
    signals.task_unknown.connect(partial(_keep_unknown, writer), weak=False)
    signals.worker_shutdown.connect(flush, weak=False)
    _writers.append(writer)
    return writer


def flush(**_: Any) -> None:
    """Wait a moment for what is on its way to the store: the worker ends."""
    for writer in _writers:
        writer.flush()


def _keep_unknown(writer: Writer, sender: Any, message: Any, name: str, id: str, **_: Any) -> None:  # noqa: A002
    writer.put(partial(of_unknown, message, name, id, sender.hostname, time.time()), len(message.body))


class Kept:
    """What is added to a Request, and to a success nothing: it is kept when it fails."""

    devkit_writer: Writer
    _kept = False
    _comes_again = False
    _had_succeeded = False

    if celery.VERSION < (5, 2):

        def __init__(self, message: Any, *args: Any, headers: Any = None, **options: Any) -> None:
            # It writes what the task gets as its request into the headers that it is given, the arguments among them.
            given = dict(message.headers if headers is None else headers)
            super().__init__(message, *args, headers=given, **options)  # type: ignore[call-arg]

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().on_failure(exc_info, *args, **kwargs)  # type: ignore[misc]
        finally:
            self._keep(exc_info.exception, exc_info)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        try:
            return super().on_timeout(soft, timeout)  # type: ignore[misc]
        finally:
            if not soft and not state.should_terminate:  # a worker that is made to end lets nothing fail in this way
                self._keep(TimeLimitExceeded(timeout), None)

    def reject(self, requeue: bool = False) -> None:
        self._comes_again = requeue and not self.acknowledged  # type: ignore[attr-defined]
        super().reject(requeue)  # type: ignore[misc]

    def _success_was_stored(self) -> Any:
        self._had_succeeded = found = super()._success_was_stored()  # type: ignore[misc]
        return found

    def _retry_worker_lost(self, *args: Any) -> Any:
        self._comes_again = sent = super()._retry_worker_lost(*args)  # type: ignore[misc]
        return sent

    def _keep(self, error: Any, exc_info: Any) -> None:
        request: Any = self
        kind = type(error)
        if issubclass(kind, WRAPPED):
            error = error.exc
            kind = type(error)
        if self._kept or self._had_succeeded or issubclass(kind, (Terminated, Ignore)):
            return
        if issubclass(kind, Retry) and request.type == WAITING:
            return
        if issubclass(kind, (SystemExit, KeyboardInterrupt)):  # it has taken the process of the pool with it
            if request._already_cancelled or request._already_revoked:
                return
            error = WorkerLostError(_ending(error))
        again = self._comes_again or issubclass(kind, Retry)
        becomes = "RETRY" if again else "REJECTED" if issubclass(kind, Reject) else "FAILURE"
        self._kept = True  # a time limit comes here twice
        make = partial(of_request, request, error, exc_info, becomes, time.time(), self.devkit_writer.root)
        self.devkit_writer.put(make, len(request.message.body))


def _ending(error: BaseException) -> str:
    """How Celery words the exit of a pool's process."""
    if not issubclass(type(error), SystemExit):
        return f"Worker exited prematurely: {name_of(type(error))}."
    code = of_error("code", error, SystemExit)
    code = 0 if code is None else code
    return worker_lost(int.__int__(code) if issubclass(type(code), int) else 1)


def _text(url: Any) -> str:
    return ";".join(url) if isinstance(url, (list, tuple)) else str(url or "")


def _number(name: str, default: float) -> float:
    """A setting from the environment; a worker starts whatever is in it."""
    text = os.environ.get(f"DEVKIT_FAILURES_{name}", str(default))
    try:
        if 0 < (number := float(text)) < float("inf"):
            return number
    except ValueError:
        pass
    say(f"devkit: DEVKIT_FAILURES_{name}={text} is no number above zero; {default:g} is taken")
    return default
