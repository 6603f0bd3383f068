"""Starts a service's Python program early: imports what it will need, then waits to hear what to run.

Importing Celery or Flower takes most of a service's start, and none of it depends on the broker's address. So devkit
starts these processes first and finds out about ports and brokers meanwhile. An order on standard input ends the wait.
"""

import gc
import importlib
import os
import runpy
import signal
import sys
from contextlib import suppress
from functools import partial

from ...model.lines import Lines
from ...model.wire import LaunchOrder, Where
from ..pipes import Notify


def main(argv: "list[str]") -> None:
    """`argv`: a name for people who read `ps`, and the modules to import ahead, with commas."""
    # A Ctrl-C while all starts ends the process without a traceback: an exception in the midst of an import may come
    # out as another one (a RuntimeError of __set_name__, before Python 3.12).
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    gc.disable()  # imports make thousands of objects and hardly any garbage
    notify = Notify()
    for module in filter(None, argv[1].split(",")):
        # The program itself will say what it misses; without redis-py kombu's error is not ImportError.
        with suppress(Exception):
            importlib.import_module(module)
    order = Lines(partial(os.read, 0), LaunchOrder).next()
    if order is not None:
        _run(notify, order)


def enter(order: Where) -> None:
    """Take on the working directory, the import roots and the environment that an order names."""
    before = os.environ.get("PYTHONPATH")
    os.environ.update(order["env"])
    import_from(order)
    if before and "PYTHONPATH" in order["env"]:  # for processes of the program's own: what it had stays, after that
        os.environ["PYTHONPATH"] += os.pathsep + before


def import_from(order: Where) -> None:
    """The working directory comes first on the path, then PYTHONPATH, as in an interpreter that starts with both."""
    os.chdir(order["cwd"])
    del sys.path[0]  # where this process began
    paths = [path for path in order["env"].get("PYTHONPATH", "").split(os.pathsep) if path and path not in sys.path]
    sys.path[:0] = [order["cwd"], *paths]
    for folder in (order["cwd"], *paths):  # a new module is found although the listing may be remembered
        sys.path_importer_cache.pop(folder, None)


def without_input() -> None:
    """Nothing reads standard input from here on: no program can take what is meant for somebody else."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)


def _run(notify: Notify, order: LaunchOrder) -> None:
    """Become the program: like `python -m MODULE ARGUMENTS`."""
    without_input()
    enter(order)
    sys.argv = [order["module"], *order["argv"]]
    gc.enable()
    if order["module"] == "celery":
        importlib.import_module(f"{__package__.rpartition('.')[0]}.app.command")
        _tell_when_beat_is_ready(notify)
        _name_app(order["argv"])
    # By its package's name runpy does not find it where that, imported ahead, has put a module without a spec in its
    # place, as Celery did before 5.3.
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # until the program sets a handler of its own
    is_imported = hasattr(sys.modules.get(order["module"]), "__path__")
    runpy.run_module(order["module"] + ".__main__" * is_imported, run_name="__main__", alter_sys=True)


def _name_app(argv: "list[str]") -> None:
    """Make an app findable for Celery whose name it does not take: `main:app.queue`, `main:make()`."""
    module, _, attribute = argv[argv.index("-A") + 1].partition(":") if "-A" in argv else ("", "", "")
    if attribute and not attribute.isidentifier():
        from ..app.load import Problem, load_app

        with suppress(Problem):  # which Celery's own command tells
            load_app(module, attribute)


def _tell_when_beat_is_ready(notify: Notify) -> None:
    from celery import signals

    # It is sent before the first tick.
    signals.beat_init.connect(lambda **_: notify.tell(ready=True), weak=False)
