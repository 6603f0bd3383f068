"""The end of all waiting: when the worker ends, what is paused runs on."""

import mmap
import os
from collections.abc import Callable


class Release:
    """The worker's word that nobody is to wait any longer, heard in every process that it forks."""

    def __init__(self) -> None:
        self.main_pid = os.getpid()  # of the worker, whose word it is
        self.while_waiting: Callable[[], None] = lambda: None  # what the main thread has to do while it is paused
        # Shared with the processes of the pool, which are forked later.
        self._given = mmap.mmap(-1, 1)
        self._parent = os.getppid()
        os.register_at_fork(after_in_child=self._forked)

    def give(self) -> None:
        """The worker ends: what is paused runs on, and nothing pauses any more, in any process."""
        self._given[0] = 1

    def given(self) -> bool:
        """Whether nobody is to wait any longer, because the worker ends or is gone."""
        return bool(self._given[0]) or os.getppid() != self._parent

    def _forked(self) -> None:
        self._parent = os.getppid()
