"""What is measured, and what the peers type."""

import importlib.util
import shlex
import sys

from benchmarks._common import CELERY_APP, DEVKIT

DEADLINE_S = 75  # until a task that was queued counts as lost; no peer may kill one before
QUIET = ("--without-mingle", "--without-gossip")
PREFORK, SOLO = ("-c", "2", *QUIET), ("-P", "solo", *QUIET)


def devkit_worker(*options: str) -> list[str]:
    """What is measured."""
    return [DEVKIT, "worker", "-A", CELERY_APP, *options]


def celery_worker(*options: str) -> list[str]:
    """What the peers start again and again."""
    return [sys.executable, "-m", "celery", "-A", CELERY_APP, "worker", *options]


def watchmedo(*options: str, quick: bool = False, tuned: bool = True) -> list[str]:
    """`quick` is SIGTERM: to the whole group, so it ends the pool at once, and the tasks that run in it.

    SIGINT, its default, these processes ignore. A save is several events; without a debounce interval each of them is a
    restart. By default it kills after 10 s.
    """
    tuning = ("--debounce-interval", "0.05", "--kill-after", str(DEADLINE_S)) if tuned else ()
    if quick:
        tuning = (*tuning, "--signal", "SIGTERM")
    watch = ("-m", "watchdog.watchmedo", "auto-restart", "--directory", ".", "--pattern", "**/*.py", "--recursive")
    return [sys.executable, *watch, *tuning, "--", *celery_worker(*options)]


def watchfiles(*options: str, tuned: bool = True) -> list[str]:
    """By default it kills after 5 s, and its debounce cannot be set."""
    tuning = ("--sigint-timeout", str(DEADLINE_S)) if tuned else ()
    watch = ("-m", "watchfiles", "--filter", "python", "--target-type", "command")
    return [sys.executable, *watch, *tuning, shlex.join(celery_worker(*options))]


def has_watchfiles() -> bool:
    """It is no dependency of devkit's."""
    return importlib.util.find_spec("watchfiles") is not None
