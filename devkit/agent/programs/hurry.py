"""Lets a worker in which nothing runs end at once.

At a stop Celery and billiard wait for fixed times (celery.concurrency.prefork.TaskPool.on_stop: half a second;
billiard.pool.Worker._do_exit: one second in each child) that only a pool with something to do needs. Together they make
two seconds of an idle worker's end.
"""

import mmap
import time
import types
from typing import Any

from celery import signals

LONGEST_S = 0.02
# Shared with the pool's children, which are forked later: whether this worker ends, with nothing left to do.
_ending = mmap.mmap(-1, 1)


def prepare() -> None:
    """To be called before the pool starts."""
    signals.worker_process_shutdown.connect(_hurry_child, weak=False)


def end() -> None:
    """Nothing runs, and nothing will: from now on nobody sleeps long."""
    from celery.concurrency import asynpool, prefork

    _ending[0] = 1
    prefork.time = asynpool.time = _impatient()
    asynpool.sleep = _impatient().sleep


def _hurry_child(**_: Any) -> None:
    """In a child that is about to exit, after the project's own handlers."""
    if _ending[0]:
        from billiard import pool

        pool.time = _impatient()


def _impatient() -> Any:
    """The time module, but for its sleep."""
    sleep = time.sleep
    return types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: sleep(min(seconds, LONGEST_S))})
