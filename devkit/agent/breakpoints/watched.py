"""Breakpoints that are set without editing code: who arrives at one is told to the debugger.

Where Python can watch single lines (3.12 on, PEP 669) only these cost anything. Before, a trace function sees each
call while a breakpoint is set. Without one nothing is installed, and a look at the file's date is all there is.
"""

import atexit
import fcntl
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterable
from contextlib import suppress
from opcode import opmap
from typing import Any, NamedTuple

from ...model.breakpoint import Breakpoint
from ...store.breakpoints import Breakpoints, where_now
from ...store.files import make_private

Hit = Callable[[types.FrameType, str], None]
FindTask = Callable[[str], "list[types.CodeType]"]
Stop = Callable[[types.FrameType], bool]

MONITORING: Any = getattr(sys, "monitoring", None)
TOOL_IDS = (3, 4)  # the others have a meaning: debugger, coverage, profiler, optimizer
TOOL = "devkit"
PAUSES = frozenset({"set_trace", "breakpoint"})
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Stops(NamedTuple):
    """Where the frames of one code object stop: at lines, and at one instruction, the first of a task's body.

    `on_entry`: that instruction is in the line in which the function is entered, as in `def f(x): return 1 / x`.
    """

    lines: "dict[int, list[Breakpoint]]"
    first: int
    on_entry: bool
    at_first: "list[Breakpoint]"


class Watched:
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
        self._places = _Places()
        self._conditions: dict[str, types.CodeType] = {}
        self._reading = threading.Lock()
        self._due = False  # the file is to be read
        self._traced = False  # a thread of this process is traced, or was
        self._busy = threading.local()
        self._signal = _FolderSignal(store.folder, self._noticed)
        # A bound method is a new object each time: here is the one that is compared.
        self._global_trace = self.tracer
        self._local_trace = self._trace_lines
        self._monitor = _Monitor(self._places, self._entered, self._reached) if MONITORING else None

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
        if found and _inside_its_line(frame):
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
            return f"{name} (its condition raised {type(error).__name__}: {error})"
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


class _Places:
    """Which code objects have breakpoints in them."""

    def __init__(self) -> None:
        self.missing: list[Breakpoint] = []
        self._files: dict[str, dict[int, list[Breakpoint]]] = {}  # real path, line
        self._tasks: dict[int, tuple[types.CodeType, list[Breakpoint]]] = {}
        self._names = _Names(self._lines)
        # By identity: code objects are compared by what they do, slowly. Each is held, so that no other gets its id.
        self._known: dict[int, tuple[types.CodeType, Stops | None]] = {}
        self._real: dict[str, str] = {}

    def set(self, breakpoints: "Iterable[Breakpoint]", root: str) -> None:
        """These, in place of those before."""
        lines: dict[str, dict[int, list[Breakpoint]]] = {}
        self.missing = []
        for found in breakpoints:
            if found.kind in ("task", "ide"):
                self.missing.append(found)
            elif (line := where_now(root, found)) is not None:
                file = os.path.realpath(os.path.join(root, found.file))
                lines.setdefault(file, {}).setdefault(line, []).append(found)
        self._files, self._tasks = lines, {}
        self._forget()

    def set_task(self, breakpoint_: Breakpoint, codes: "Iterable[types.CodeType]") -> None:
        """Where a task begins, in addition."""
        self.missing.remove(breakpoint_)
        for code in codes:
            self._tasks.setdefault(id(code), (code, []))[1].append(breakpoint_)
        self._forget()

    def stops(self, code: types.CodeType) -> "Stops | None":
        """Where this code has breakpoints; None if it has none. Called for each call of a function: quick."""
        if self._names[code.co_filename] is None:
            return None
        cache = self._known
        known = cache.get(id(code))
        if known is None:
            known = cache[id(code)] = (code, self._look(code))
        return known[1]

    def _forget(self) -> None:
        # New ones, not emptied ones: another thread may be looking into them.
        self._known = {}
        self._names = _Names(self._lines)

    def _lines(self, name: str) -> "dict[int, list[Breakpoint]] | None":
        """The breakpoints in a file, by the name that code objects have for it; None: nothing of interest in it."""
        if not self._files and not self._tasks:
            return None
        real = self._real.get(name)
        if real is None:
            real = name
            with suppress(OSError, ValueError):  # there may be no working directory any more
                real = name if name.startswith("<") else os.path.realpath(name)
            self._real[name] = real
        found = self._files.get(real)
        if found is None and any(code.co_filename == name for code, _ in self._tasks.values()):
            return {}
        return found

    def _look(self, code: types.CodeType) -> "Stops | None":
        wanted = self._names[code.co_filename] or {}
        lines = {line: wanted[line] for _, _, line in code.co_lines() if line is not None and line in wanted}
        _, at_first = self._tasks.get(id(code), (code, []))
        if not lines and not at_first:
            return None
        return Stops(lines, *_first_of_body(code), at_first)


class _Names(dict):  # type: ignore[type-arg]
    """A cache that fills itself, for the price of one look-up in a dictionary."""

    def __init__(self, find: "Callable[[str], Any]") -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: str) -> Any:
        found = self[key] = self._find(key)
        return found


class _Monitor:
    """PEP 669: Python calls back for the lines of some code objects."""

    def __init__(self, places: _Places, entered: Stop, reached: Stop) -> None:
        self._places = places
        self._entered = entered
        self._reached = reached
        self._tool: int | None = None
        self._watched: dict[int, types.CodeType] = {}

    @property
    def watches(self) -> bool:
        """False as well where two other tools have taken what there is: then lines are traced."""
        return self._tool is not None

    def watch(self, wanted: bool) -> None:
        """Anew, for the breakpoints as they are now."""
        for code in list(self._watched.values()):  # other threads may add to it
            MONITORING.set_local_events(self._tool, code, 0)
        self._watched = {}
        if not wanted:
            self._release()
        elif self._take():
            self._look_at_running()
            # What was looked at before is looked at again.
            MONITORING.restart_events()

    def _take(self) -> bool:
        events = MONITORING.events
        for tool in TOOL_IDS if self._tool is None else ():
            with suppress(ValueError):  # somebody else has it
                MONITORING.use_tool_id(tool, TOOL)
                self._tool = tool
                MONITORING.register_callback(tool, events.PY_START, self._start)
                MONITORING.register_callback(tool, events.PY_RESUME, self._resume)
                MONITORING.register_callback(tool, events.LINE, self._line)
                MONITORING.set_events(tool, events.PY_START | events.PY_RESUME)
                atexit.register(self._release)  # what runs while Python ends finds no module of this one any more
                break
        return self._tool is not None

    def _release(self) -> None:
        if self._tool is not None:
            events = MONITORING.events
            MONITORING.set_events(self._tool, 0)
            for event in (events.PY_START, events.PY_RESUME, events.LINE):
                MONITORING.register_callback(self._tool, event, None)
            MONITORING.free_tool_id(self._tool)
            self._tool = None
            atexit.unregister(self._release)

    def _look_at_running(self) -> None:
        """Who is in a function already does not enter it."""
        for running in sys._current_frames().values():
            frame: types.FrameType | None = running
            while frame is not None:
                self._look(frame.f_code)
                frame = frame.f_back

    def _look(self, code: types.CodeType) -> None:
        if self._tool is not None and id(code) not in self._watched and self._places.stops(code) is not None:
            self._watched[id(code)] = code
            MONITORING.set_local_events(self._tool, code, MONITORING.events.LINE)

    def _start(self, code: types.CodeType, _offset: int) -> Any:
        self._look(code)
        if id(code) in self._watched and self._entered(sys._getframe(1)):
            return None
        return MONITORING.DISABLE  # to have looked at each code object once is enough

    def _resume(self, code: types.CodeType, _offset: int) -> Any:
        self._look(code)
        return MONITORING.DISABLE

    def _line(self, *_: Any) -> Any:
        return None if self._reached(sys._getframe(1)) else MONITORING.DISABLE


class _FolderSignal:
    """The kernel sends a signal when something in a folder changes (Linux): no thread, nothing to ask."""

    def __init__(self, folder: str, changed: "Callable[[], None]") -> None:
        self._folder = folder
        self._changed = changed
        self._fd = -1
        self._inode = (0, 0)

    def arm(self) -> None:
        """Ask the kernel for it, in this process. Changes nothing where that is not possible."""
        if not hasattr(fcntl, "F_NOTIFY") or threading.current_thread() is not threading.main_thread():
            return
        wanted = _free_signal(self._handle)
        with suppress(OSError):
            if wanted is not None:
                self._arm(wanted)

    def _arm(self, wanted: int) -> None:
        make_private(self._folder)
        atexit.unregister(self.disarm)
        self.disarm()
        self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        stat = os.fstat(self._fd)
        self._inode = stat.st_dev, stat.st_ino
        signal.signal(wanted, self._handle)
        signal.siginterrupt(wanted, False)
        # While Python ends there is no handler any more, and some signals kill.
        atexit.register(self.disarm)
        events = fcntl.DN_CREATE | fcntl.DN_MODIFY | fcntl.DN_RENAME | fcntl.DN_DELETE | fcntl.DN_MULTISHOT
        fcntl.fcntl(self._fd, fcntl.F_SETSIG, wanted)
        fcntl.fcntl(self._fd, fcntl.F_NOTIFY, events)

    def disarm(self) -> None:
        """No signal comes from here on."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        with suppress(OSError):
            stat = os.fstat(fd)
            if (stat.st_dev, stat.st_ino) == self._inode:  # after a fork somebody may have closed all files
                os.close(fd)

    def _handle(self, *_: Any) -> None:
        # It interrupts whatever runs: nothing may go wrong here. A debugger would be led into a `suppress`.
        try:  # noqa: SIM105
            self._changed()
        except Exception:  # noqa: S110
            pass


def _free_signal(own: Any) -> "int | None":
    """A signal that nobody uses, or that is this handler's already.

    First one that is ignored by default: at worst a notice is lost.
    """
    used = _signals_in_use()
    candidates: list[int] = [signal.SIGURG, *range(signal.SIGRTMIN + 7, signal.SIGRTMAX)]
    for candidate in candidates:
        handler = signal.getsignal(candidate)
        if handler == own or (handler == signal.SIG_DFL and candidate not in used):
            return candidate
    return None


def _signals_in_use() -> "set[int]":
    """Those that are blocked, ignored or caught; also by libraries that did not tell Python."""
    used = 0
    with suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith(("SigBlk:", "SigIgn:", "SigCgt:")):
                used |= int(line.split()[1], 16)
    return {number for number in range(1, signal.NSIG) if used >> (number - 1) & 1}


def _name(breakpoint_: Breakpoint) -> str:
    return f"breakpoint {breakpoint_.number}"


def _inside_its_line(frame: types.FrameType) -> bool:
    """Whether this is a comprehension in a line that the frame around it has stopped at."""
    back, code = frame.f_back, frame.f_code
    return (
        code.co_name in COMPREHENSIONS
        and back is not None
        and back.f_lineno == frame.f_lineno
        and back.f_code.co_filename == code.co_filename
    )


def _first_of_body(code: types.CodeType) -> "tuple[int, bool]":
    """The first instruction at which a function can stop; and whether it is in the line where the function is entered.

    By its line alone a loop would stop again and again. Before it there is what makes a generator, or the cells of
    closures; in Python 3.10 that has no line, but for one instruction of generators.
    """
    instructions, start, entry = code.co_code, 0, None
    if "RESUME" in opmap:
        resume = opmap["RESUME"]
        start = next((at for at in range(0, len(instructions), 2) if instructions[at] == resume), -2) + 2
    elif instructions[0] == opmap["GEN_START"]:
        start = 2
    for begin, end, line in code.co_lines():
        if begin < start:
            entry = line
        if line is not None and end > start:
            return max(begin, start), line == entry
    return start, False
