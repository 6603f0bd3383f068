"""What Celery runs in this process: which task in which thread, the tasks' code, and their failures."""

import inspect
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import CodeType
from typing import Any

from celery import _state
from celery.app.trace import TraceInfo
from celery.exceptions import Retry


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
        if f".{full}".endswith(f".{name}"):
            # Celery wraps what is to be retried by itself, or takes pydantic's models.
            function = inspect.unwrap(getattr(task, "_orig_run", task.run))
            if code := getattr(getattr(function, "__func__", function), "__code__", None):
                found.append(code)
    return found


def before_failures(call: "Callable[[Any, str, BaseException], None]") -> None:
    """Have `call` called with the task, its state and the error, before Celery stores them."""
    original = TraceInfo.handle_error_state

    def handle_error_state(info: Any, task: Any, *args: Any, **kwargs: Any) -> Any:
        if (error := sys.exc_info()[1]) is not None:
            call(task, info.state, cause(error))
        return original(info, task, *args, **kwargs)

    TraceInfo.handle_error_state = handle_error_state


def describe_failures(describe: "Callable[[Any, BaseException, bool], Any]") -> None:
    """Have what `describe` makes of a task and its error go with it to the worker's main process, as `einfo.devkit`.

    It has to be JSON values: there the error's frames are gone, and their values never were. What it gets last is
    whether it has to tell the traceback as well: the einfo has that of what was raised, which a retry's cause is not.
    """
    original = TraceInfo.handle_error_state

    def handle_error_state(info: Any, task: Any, *args: Any, **kwargs: Any) -> Any:
        error = sys.exc_info()[1]
        described = None
        if error is not None:
            with suppress(Exception):  # the project's own values had a part in it
                found = cause(error)
                described = describe(task, found, found is not error)
        einfo = original(info, task, *args, **kwargs)
        if einfo is not None:
            einfo.devkit = described
        return einfo

    TraceInfo.handle_error_state = handle_error_state


def cause(error: BaseException) -> BaseException:
    """The error for which a task is to be tried again, where it is."""
    found = getattr(error, "exc", None) if isinstance(error, Retry) else None
    return found if isinstance(found, BaseException) and found.__traceback__ else error
