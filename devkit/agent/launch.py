"""Starts a service's Python program early: imports what it will need, then waits to hear what to run.

Importing Celery, FastAPI or Flower takes most of a service's start, and none of it depends on the broker's address.
So devkit starts these processes first and finds out about ports and brokers meanwhile.

Standard input brings lines of JSON: {"describe": ...} is answered with the facts about the Celery app, found out in
a forked child, so that this process stays fresh; {"run": ...} ends the wait. What is to be told goes to the pipe
numbered in DEVKIT_NOTIFY_FD.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from contextlib import suppress
from typing import Any

from .describe import Problem, describe


def main(argv: list[str]) -> None:
    """`argv`: a name for people who read `ps`, the modules to import before anything else, and those to import as
    long as there is nothing else to do; each list with commas."""
    # A Ctrl-C while all starts ends the process without a traceback; programs set handlers of their own later.
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    gc.disable()  # imports make thousands of objects and hardly any garbage
    notify = int(os.environ.pop("DEVKIT_NOTIFY_FD"))
    orders = Orders()
    for module in _modules(argv[1]):
        _import(module)
    later = iter(_modules(argv[2]))
    describing = 0
    while True:
        if not orders.waiting() and (module := next(later, "")):
            _import(module)
            continue
        if describing:
            _await_description(notify, describing)
            describing = 0
        order = orders.next()
        if order is None:
            return
        if "run" in order:
            _run(notify, order)
            return
        describing = _describe_in_child(notify, order)


def _modules(text: str) -> list[str]:
    return text.split(",") if text else []


def _import(module: str) -> None:
    with suppress(ImportError):  # the program itself will say what it misses
        importlib.import_module(module)


class Orders:
    """The orders on standard input, one JSON object a line."""

    def __init__(self) -> None:
        self._unread = b""

    def waiting(self) -> bool:
        """Whether the next one has begun to arrive."""
        return bool(self._unread or select.select([0], [], [], 0)[0])

    def next(self) -> "dict[str, Any] | None":
        """The next order; None when there will be no more."""
        while b"\n" not in self._unread:
            piece = os.read(0, 65536)
            if not piece:
                return None
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order


def _tell(notify: int, message: dict[str, Any]) -> None:
    data = (json.dumps(message) + "\n").encode()
    while data:
        data = data[os.write(notify, data) :]


def _await_description(notify: int, child: int) -> None:
    """A child that ends without an answer, by a crash or by os._exit, must not leave devkit waiting."""
    _, status = os.waitpid(child, 0)
    if status:
        _tell(notify, {"facts": {"problem": "died", "code": os.waitstatus_to_exitcode(status)}})


def _go_to(order: dict[str, Any]) -> None:
    os.chdir(order["cwd"])
    sys.path[0] = order["cwd"]


def _describe_in_child(notify: int, order: dict[str, Any]) -> int:
    """Fork a child that tells about the app; returns its pid."""
    child = os.fork()
    if child:
        return child
    _go_to(order)
    # What the project prints on import it prints again when the service runs: once is enough.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.environ.update(order["env"])
    try:
        _tell(notify, {"facts": describe(*order["describe"])})
    except Problem as problem:
        _tell(notify, {"facts": problem.report})
    os._exit(0)


def _run(notify: int, order: dict[str, Any]) -> None:
    """Become the program: like `python -m MODULE ARGUMENTS`."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    _go_to(order)
    os.environ.update(order["env"])
    sys.argv = [order["module"], *order["argv"]]
    gc.enable()
    if order["module"] == "celery":
        _tell_when_celery_is_ready(notify)
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


def _tell_when_celery_is_ready(notify: int) -> None:
    import celery

    celery.maybe_patch_concurrency()  # gevent and eventlet want to patch before anything else is imported
    from celery import signals

    # The worker sends it once its consumer has subscribed to the queues, beat before its first tick.
    for ready in (signals.worker_ready, signals.beat_init):
        ready.connect(lambda **_: _tell(notify, {"ready": True}), weak=False)
