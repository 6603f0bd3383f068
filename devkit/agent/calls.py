"""What Celery runs in this process: which task in which thread, the tasks' code, and their failures."""

import inspect
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from types import CodeType
from typing import Any

import celery
from celery import _state
from celery.app.trace import TraceInfo
from celery.exceptions import Retry
from celery.utils.serialization import get_pickleable_exception

from ..model.text import is_named
from .structure import attributes, traceback_of

_listeners: "list[Callable[[Any, str, BaseException], Any]]" = []


def current_call() -> "tuple[Any, Any] | None":
    """The task that the worker runs in this thread, with its request; for a thread of the task's own: that of the only
    task that runs at all."""
    running = _stacks(_state._task_stack)
    ident = _ident(_state._task_stack)
    if ident not in running and len(running) == 1:
        ident = next(iter(running))
    task = running.get(ident)
    request = _stacks(task.request_stack).get(ident) if task else None
    return (task, request) if request else None


def _stacks(stack: Any) -> "dict[Any, Any]":
    """What is at the bottom of one of Celery's stacks, which each thread, or greenlet, has its own of."""
    storage = getattr(getattr(stack, "_local", None), "__storage__", None)
    if storage is None:  # with USE_FAST_LOCALS others cannot be looked into
        return {_ident(stack): stack.stack[0]} if stack.stack else {}
    return {ident: held["stack"][0] for ident, held in list(storage.items()) if held.get("stack")}


def _ident(stack: Any) -> Any:
    ask = getattr(stack, "__ident_func__", threading.get_ident)
    return ask()


def codes(app: Any, name: str) -> "list[CodeType]":
    """The code of the tasks of this name, or whose dotted name ends in it."""
    found = []
    for full, task in app.tasks.items():
        if is_named(full, name):
            # Celery wraps what is to be retried by itself, or takes pydantic's models.
            function = inspect.unwrap(getattr(task, "_orig_run", task.run))
            if code := getattr(getattr(function, "__func__", function), "__code__", None):
                found.append(code)
    return found


def before_failures(listener: "Callable[[Any, str, BaseException], Any]") -> "Callable[[], None]":
    """Have `listener` called with the task, its state and the error, before Celery stores them; returns what ends that.

    Of several the latest is called first. What it returns, if anything, is called with the traceback that Celery makes.
    """
    _hook()
    _listeners.insert(0, listener)
    return partial(_listeners.remove, listener)


def describe_failures(
    describe: "Callable[[Any, BaseException, bool], Any]", retold: "Callable[[Any, BaseException, str], Any]"
) -> None:
    """Have what `describe` makes of a task and its error go with it to the worker's main process, as `einfo.devkit`.

    It has to be JSON values: there the error's frames are gone, and their values never were. What it gets last is
    whether it has to tell the traceback as well: the einfo has that of what was raised, which a retry's cause is not.
    `retold` gets what was described, the error, and the traceback that Celery has made of it.
    """

    def described(task: Any, state: str, error: BaseException) -> Any:
        with suppress(Exception):  # the task is to fail of its own error only
            found = cause(error)
            return None if state == "REJECTED" else partial(retold, describe(task, found, found is not error), found)

    before_failures(described)


@cache
def _hook() -> None:
    """Put the listeners in front of what Celery does about a task's error, once and for good in this process."""
    for name in ("handle_error_state", "handle_reject"):
        setattr(TraceInfo, name, _heard(getattr(TraceInfo, name)))


def _heard(original: Any) -> "Callable[..., Any]":
    def handle(info: Any, task: Any, *args: Any, **kwargs: Any) -> Any:
        error = sys.exc_info()[1]
        heard = [listener(task, info.state, error) for listener in list(_listeners)] if error is not None else []
        try:
            einfo = original(info, task, *args, **kwargs)
        except Exception as trouble:
            # Celery cannot store it, such as over what it cannot read. The main process hears of this in its place.
            # What the task's own on_failure raises stands for itself.
            if error is not None and _is_of_storing(trouble):
                trouble.devkit = attributes(error).get("devkit") or _passed_on(error, heard)  # type: ignore[attr-defined]
            raise
        if einfo is not None:
            if celery.VERSION < (5, 3):
                # It puts the error back that cannot be pickled, and the worker's main process never hears of it.
                einfo.exception = get_pickleable_exception(einfo.exception)
            einfo.devkit = _told(heard, einfo.traceback)
        return einfo

    return handle


def _is_of_storing(trouble: BaseException) -> bool:
    """Whether it comes from a backend's mark_as_failure or mark_as_retry (celery.app.trace.TraceInfo)."""
    return any(frame.f_code.co_name.startswith("mark_as_") for frame, _ in traceback.walk_tb(trouble.__traceback__))


def _told(heard: "list[Any]", text: str) -> Any:
    """What the first of the listeners that has something to tell makes of the traceback."""
    return next(filter(None, [finish(text) for finish in filter(None, heard)]), None)


def _passed_on(error: BaseException, heard: "list[Any]") -> Any:
    """The same, with the traceback in it: whoever gets it has another error's."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    told = _told(heard, text)
    return told and {**told, "traceback": told["traceback"] or text}


def cause(error: BaseException) -> BaseException:
    """The error for which a task is to be tried again, where it is."""
    found: Any = attributes(error).get("exc") if issubclass(type(error), Retry) else None
    return found if issubclass(type(found), BaseException) and traceback_of(found) else error
