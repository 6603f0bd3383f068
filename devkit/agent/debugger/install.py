"""The debugger in a worker: replaces celery's, and keeps one for each thread that is paused.

Celery's own (celery.contrib.rdb) is one for all tasks of a process, and a client that vanishes leaves it unusable.
"""

import bdb
import os
import pdb
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from celery import signals
from celery.contrib import rdb

from ...store.breakpoints import Breakpoints
from ...store.sessions import Sessions
from ..breakpoints.watched import WatchedBreakpoints
from ..calls import before_failures, cause, codes, current_call
from ..say import say
from ..structure import traceback_of
from ..tell.exceptions import in_short
from . import printed
from .editor import Editors
from .pause import INTERRUPT_SIGNAL, Pause
from .release import Release
from .stream import DebuggerStream


class Debugging:
    """The debuggers of this process, and of those that it forks."""

    def __init__(self, folder: str) -> None:
        """`folder` is where the sessions are kept (`devkit.store.sessions`)."""
        self.sessions = Sessions(os.path.join(folder, "sessions"))
        self._breakpoints = Breakpoints(folder)
        self._watched: WatchedBreakpoints | None = None
        self.release = Release()
        self._editors = Editors(self.sessions, self.release, self._follow)
        self._loaded_at = time.time()
        self._pauses: dict[int, Pause] = {}  # by the thread's ident
        self._streams: dict[int, DebuggerStream] = {}
        os.register_at_fork(after_in_child=self._forked)

    def install(self) -> None:
        """Take the place of celery's debugger, and of pdb, which has no terminal here."""
        rdb.set_trace = self.set_trace
        pdb.set_trace = self.set_trace
        if os.environ.get("PYTHONBREAKPOINT") != "0":
            sys.breakpointhook = self.set_trace
        signals.worker_shutting_down.connect(lambda **_: self.release.give(), weak=False)

    def watch(self, app: Any, root: str) -> None:
        """Pause at the breakpoints that are set without editing code; `root` is the project's folder."""
        self._watched = watched = WatchedBreakpoints(self._breakpoints, root, self.stop, lambda name: codes(app, name))
        before_failures(self._failing)
        signals.worker_process_init.connect(lambda **_: self._begin_to_watch(watched), weak=False)
        self._begin_to_watch(watched)

    def watch_each_task(self) -> None:
        """Look for breakpoints when a task starts: for threads, which nothing else reaches before Python 3.12."""
        if self._watched:
            refresh = self._watched.refresh
            signals.task_prerun.connect(lambda **_: refresh(), weak=False)

    def _begin_to_watch(self, watched: WatchedBreakpoints) -> None:
        watched.notify()
        watched.refresh()

    @property
    def _elsewhere(self) -> "WatchedBreakpoints | None":
        """The breakpoints that a debugger has to look after itself while it traces, where there is only one tracer."""
        return self._watched if sys.version_info < (3, 12) else None

    def _follow(self) -> None:
        if self._elsewhere is not None:
            self._elsewhere.follow()

    def _failing(self, task: Any, state: str, error: BaseException) -> None:
        """A task is about to be marked as failed, or to be tried again."""
        error = cause(error)
        wanted = self._watched and self._watched.failure_wanted(task.name, state)
        traceback = traceback_of(error)
        if wanted and traceback and not issubclass(type(error), bdb.BdbQuit):
            last = traceback
            while last.tb_next:
                last = last.tb_next
            text = in_short(error)
            self.stop(last.tb_frame, f"failure: {text}", event="failure", detail=text, traceback=traceback)

    def set_trace(self, frame: "FrameType | None" = None, **_: Any) -> None:
        """Pause at the caller's next line; in a frame that is given, right there."""
        caller = sys._getframe().f_back
        assert caller is not None
        if self._editors.stop_next(frame or caller):
            return
        pause = self.here()
        if pause is None or pause.debugger.interacting:
            return
        if frame is None or frame is caller:
            pause.debugger.stop_next(caller, "breakpoint")
        else:
            pause.debugger.stop_now(frame, "breakpoint")

    def stop(self, frame: FrameType, why: str, **more: Any) -> None:
        """Pause right here, in this thread."""
        wanted = self._watched.for_editor(why) if self._watched else None
        if self._editors.stop(frame, wanted, more.get("event", "line")):
            return
        pause = self.here()
        if pause is not None:
            pause.debugger.stop_now(frame, why, **more)

    def here(self) -> "Pause | None":
        """What pauses this thread; made at the first time. None where nobody is to wait any more."""
        if self.release.given():
            return None
        ident = threading.get_ident()
        if ident not in self._pauses:
            try:
                pause = Pause(
                    self._session_id(), self.sessions, self.release, self._end, self._elsewhere, self._loaded_at
                )
            except Exception as error:  # the task is not to suffer
                say(f"devkit: a breakpoint is passed over, the debugger cannot start: {error}")
                return None
            if not self._pauses:
                signals.task_postrun.connect(self._task_ended, weak=False, dispatch_uid="devkit.debugging")
            self._pauses[ident], self._streams[ident] = pause, pause.stream
            if threading.current_thread() is threading.main_thread():
                signal.signal(INTERRUPT_SIGNAL, self._interrupted)
            printed.route(self._streams)
        return self._pauses[ident]

    def _end(self, pause: "Pause") -> None:
        """Nothing of it is left."""
        self._pauses.pop(pause.ident, None)
        self._streams.pop(pause.ident, None)
        if not self._pauses:
            printed.restore()

    def _session_id(self) -> str:
        call = current_call()
        base = call[1].id if call else f"pid-{os.getpid()}"
        taken = {pause.id for pause in self._pauses.values()}
        number = 1
        while (name := base if number == 1 else f"{base}-{number}") in taken:
            number += 1
        return name

    def _task_ended(self, task_id: str, state: "str | None" = None, retval: Any = None, **_: Any) -> None:
        for pause in [pause for pause in self._pauses.values() if pause.task_id == task_id]:
            pause.task_ended(state or "", retval)
            self._end(pause)

    def _interrupted(self, _: int, frame: "FrameType | None") -> None:
        """Somebody pressed Ctrl-C while the main thread's task ran."""
        pause = self._pauses.get(threading.get_ident())
        if pause is None or frame is None or not pause.interrupted or pause.stream.waiting:
            return
        pause.interrupted = False
        if pause.debugger.evaluating:
            raise KeyboardInterrupt
        if pause.debugger.interacting:
            pause.debugger.interrupted = True
        else:
            pause.debugger.interrupt(frame)

    def _forked(self) -> None:
        """A new process: what its parent debugs it does not."""
        for stream in self._streams.values():
            stream.listener.client = None
        self._pauses.clear()
        self._streams.clear()
        self._editors.forked()
        printed.restore()
        sys.settrace(None)
