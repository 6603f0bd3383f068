"""Breakpoints that are set without editing code: who arrives at one is told to the debugger.

Where Python can watch single lines (3.12 on, PEP 669) only these cost anything. Before, a trace function sees each
call while a breakpoint is set. Without one nothing is installed, and a look at the file's date is all there is.
"""

import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from ...model.breakpoint import Breakpoint
from ...store.breakpoints import Breakpoints
from ..tell.exceptions import in_short
from .changes import FolderSignal
from .monitor import MONITORING, Monitor
from .places import Places, inside_its_line

Hit = Callable[[types.FrameType, str], None]
FindTask = Callable[[str], "list[types.CodeType]"]

PAUSES = frozenset({"set_trace", "breakpoint"})


class WatchedBreakpoints:
    """The breakpoints of one project, in this process.

    `hit` is called in the thread that arrived, before the line is executed, with its frame and the reason. What it
    raises is raised in the code that arrived there. `find_task` gives the code of the tasks with a name.
    """

    def __init__(self, store: Breakpoints, root: str, hit: Hit, find_task: FindTask) -> None:
        self.active = False  # whether there is a breakpoint at a line or a task
        self._store = store
        self._root = root
        self._hit = hit
        self._find_task = find_task
        self._stamp: tuple[int, ...] | None = None  # of the file that was read; None: there was none
        self._all: list[Breakpoint] = []
        self._places = Places()
        self._conditions: dict[str, types.CodeType] = {}
        self._reading = threading.Lock()
        self._due = False  # the file is to be read
        self._traced = False  # a thread of this process is traced, or was
        self._busy = threading.local()
        self._signal = FolderSignal(store.folder, self._noticed)
        # A bound method is a new object each time: here is the one that is compared.
        self._global_trace = self.tracer
        self._local_trace = self._trace_lines
        self._monitor = Monitor(self._places, self._entered, self._reached) if MONITORING else None

    def refresh(self) -> None:
        """Take note of what was set and removed. To be called when a task starts: costs nothing if nothing changed.

        Where lines are traced, this thread is traced from here on.
        """
        if self._changed():
            self._due = True
        if self._due or self._places.missing:
            self._update()
        if self.active or self._traced:
            self.follow()

    def notify(self) -> None:
        """From now on a change is noticed at once. To be called in the main thread, and again after a fork.

        Does nothing where the system does not tell of changes.
        """
        self._reading = threading.Lock()  # a thread that held it at the fork is not here any more
        self._signal.arm()

    def _noticed(self) -> None:
        """A change, in the middle of whatever runs: who steps through that is not to be led into this."""
        tracer = sys.gettrace()
        if tracer in (None, self._global_trace):
            self.refresh()
            return
        sys.settrace(None)
        try:
            self.refresh()
        finally:
            sys.settrace(tracer)

    def failure_wanted(self, task: str, state: str) -> "Breakpoint | None":
        """The breakpoint for which a task that ends in this state is to pause: "FAILURE", or "RETRY"."""
        for found in self._all:
            wanted = state == "FAILURE" or (state == "RETRY" and found.retries)
            if wanted and found.kind == "failure" and found.concerns(task):
                return found
        return None

    def for_editor(self, why: str) -> "Breakpoint | None":
        """The breakpoint of this reason, if it is one for an editor."""
        return next((one for one in self._all if one.kind == "ide" and why == _name(one)), None)

    def in_frame(self, frame: types.FrameType) -> bool:
        """Whether there is a breakpoint in the code of this frame: whoever traces already must trace it, too."""
        return self._places.stops(frame.f_code) is not None

    def here(self, frame: types.FrameType) -> "str | None":
        """Why to stop before the line at which this frame is; None if there is no breakpoint, or none that holds."""
        return self._why_here(frame, frame.f_lasti)

    def _why_here(self, frame: types.FrameType, instruction: int) -> "str | None":
        stops = self._places.stops(frame.f_code)
        if stops is None or getattr(self._busy, "now", False):
            return None
        found = stops.lines.get(frame.f_lineno, ())
        if found and inside_its_line(frame):
            found = ()
        if stops.at_first and instruction == stops.first:
            # An editor first: who asks for it wants nothing else.
            found = sorted([*found, *stops.at_first], key=lambda one: one.kind != "ide")
        return next(filter(None, (self._why(breakpoint_, frame) for breakpoint_ in found)), None)

    def tracer(self, frame: types.FrameType, event: str, _arg: Any) -> Any:
        """A trace function: for `sys.settrace`, or to be asked by another one at each call."""
        if event == "call" and self._places.stops(frame.f_code) is not None:
            return self._local_trace
        if not self.active and sys.gettrace() is self._global_trace:
            sys.settrace(None)  # another thread found that there is no breakpoint any more
        return None

    def follow(self) -> None:
        """Trace this thread if there is a breakpoint, and no longer if there is none.

        Who sets another trace function and removes it calls this afterwards. Does nothing where no tracing is needed,
        and while this thread has somebody else's trace function.
        """
        current = sys.gettrace()
        if self.active and not (self._monitor and self._monitor.watches):
            self._traced = True
            if current is None:
                sys.settrace(self._global_trace)
            if threading.gettrace() is None:
                threading.settrace(self._global_trace)
            if current in (None, self._global_trace):
                self._trace_running()
        else:
            if current is self._global_trace:
                sys.settrace(None)
            if threading.gettrace() is self._global_trace:
                threading.settrace(None)

    def _trace_running(self) -> None:
        """Frames that were entered before there was a breakpoint have no trace function of their own."""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_trace is None and self.in_frame(frame):
                frame.f_trace = self._local_trace
            frame = frame.f_back

    def _trace_lines(self, frame: types.FrameType, event: str, _arg: Any) -> Any:
        if event == "line" and (why := self.here(frame)):
            self._arrive(frame, why)
            self.follow()
            # The debugger may have begun to step: what is returned here becomes the frame's trace function.
            return frame.f_trace or self._local_trace
        return self._local_trace

    def _entered(self, frame: types.FrameType) -> bool:
        """A function was entered; returns whether anybody can ever stop at that.

        In Python 3.13 the line in which it is entered is not reached once more when its body begins there.
        """
        stops = self._places.stops(frame.f_code)
        if stops is None or not stops.on_entry:
            return False
        if why := self._why_here(frame, stops.first):
            self._arrive(frame, why)
        return frame.f_lineno in stops.lines or bool(stops.at_first)

    def _reached(self, frame: types.FrameType) -> bool:
        """A watched line is about to be executed; returns whether anybody can ever stop at it."""
        stops, instruction = self._places.stops(frame.f_code), frame.f_lasti
        if stops is None or (stops.on_entry and instruction == stops.first):
            return False
        if why := self.here(frame):
            self._arrive(frame, why)
        return frame.f_lineno in stops.lines or instruction == stops.first

    def _arrive(self, frame: types.FrameType, why: str) -> None:
        self._busy.now = True
        try:
            self._hit(frame, why)
        finally:
            self._busy.now = False

    def _why(self, breakpoint_: Breakpoint, frame: types.FrameType) -> "str | None":
        name = _name(breakpoint_)
        if breakpoint_.task_id:
            wanted = breakpoint_.task_id == _current_task_id() and not _pauses_itself(frame.f_code)
            return "its first line" if wanted else None
        if not breakpoint_.condition:
            return name
        self._busy.now = True
        try:
            condition = self._compiled(breakpoint_.condition)
            # All names as globals: the body of a comprehension sees only these.
            return name if eval(condition, {**frame.f_globals, **frame.f_locals}) else None  # noqa: S307 - what it is for
        except Exception as error:
            return f"{name} (its condition raised {in_short(error)})"
        finally:
            self._busy.now = False

    def _compiled(self, condition: str) -> types.CodeType:
        found = self._conditions.get(condition)
        if found is None:
            found = self._conditions[condition] = compile(condition.strip(), "<condition>", "eval")
        return found

    def _update(self) -> None:
        # The signal's handler may interrupt this very thread in the middle: it leaves the work to whoever is at it.
        while self._reading.acquire(blocking=False):
            try:
                if self._due:
                    self._due = False
                    self._read()
                else:
                    self._find_missing()
            finally:
                self._reading.release()
            if not self._due:
                break

    def _changed(self) -> bool:
        if self._stamp is None and not os.access(self._store.path, os.F_OK):
            return False  # faster than an exception, and the rule
        try:
            stat = os.stat(self._store.path)
        except OSError:
            stamp = None
        else:
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        changed = stamp != self._stamp
        self._stamp = stamp
        return changed

    def _read(self) -> None:
        self._all = self._store.all() if self._stamp else []
        places = [found for found in self._all if found.kind != "failure"]
        self._places.set(places, self._root)
        self._find_missing()
        self.active = bool(places)
        if self._monitor:
            self._monitor.watch(self.active)

    def _find_missing(self) -> None:
        """The code of tasks that had none yet: their modules may be imported late."""
        found = False
        for breakpoint_ in self._places.missing[:]:
            codes = self._find_task(breakpoint_.task)
            if codes:
                self._places.set_task(breakpoint_, codes)
                found = True
        if found and self._monitor and self._monitor.watches:
            self._monitor.watch(True)


def _current_task_id() -> "str | None":
    from celery import current_task

    return current_task.request.id if current_task else None


def _pauses_itself(code: types.CodeType) -> bool:
    """Whether the code calls a debugger, here or in a function within."""
    within = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return not PAUSES.isdisjoint(code.co_names) or any(map(_pauses_itself, within))


def _name(breakpoint_: Breakpoint) -> str:
    return f"breakpoint {breakpoint_.number}"
