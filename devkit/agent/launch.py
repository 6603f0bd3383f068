"""Starts a service's Python program early: imports what it will need, then waits to hear what to run.

Importing Celery, FastAPI or Flower takes most of a service's start, and none of it depends on the broker's address.
So devkit starts these processes first and finds out about ports and brokers meanwhile.

Standard input brings lines of JSON: {"describe": ...} is answered with the facts about the Celery app, found out in
a forked child, so that this process stays fresh; {"run": ...} ends the wait. What is to be told goes to the pipe
numbered in DEVKIT_NOTIFY_FD.
"""

import importlib
import json
import os
import runpy
import sys
from contextlib import suppress
from typing import Any

from devkit.agent.describe import Problem, describe


def main(argv: list[str]) -> None:
    """`argv`: a name for people who read `ps`, then the modules to import ahead."""
    notify = int(os.environ.pop("DEVKIT_NOTIFY_FD"))
    _import_ahead(argv[1:])
    for line in sys.stdin:
        order = json.loads(line)
        os.chdir(order["cwd"])
        sys.path[0] = order["cwd"]
        if "describe" in order:
            _describe_in_child(notify, order)
        else:
            _run(notify, order)
            return


def _import_ahead(modules: list[str]) -> None:
    for module in modules:
        with suppress(ImportError):  # the program itself will say what it misses
            importlib.import_module(module)


def _tell(notify: int, message: dict[str, Any]) -> None:
    data = (json.dumps(message) + "\n").encode()
    while data:
        data = data[os.write(notify, data) :]


def _describe_in_child(notify: int, order: dict[str, Any]) -> None:
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            code = os.waitstatus_to_exitcode(status)
            _tell(notify, {"facts": {"problem": "died", "code": code}})
        return
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
    os.environ.update(order["env"])
    sys.argv = [order["module"], *order["argv"]]
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
