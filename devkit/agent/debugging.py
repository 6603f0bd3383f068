"""The debugger in a worker: replaces celery's, and keeps one for each thread that is paused.

Celery's own (celery.contrib.rdb) is one for all tasks of a process, and a client that vanishes leaves it unusable.
"""

import bdb
import ctypes
import inspect
import mmap
import os
import pdb
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any

from celery import _state, signals
from celery.app.trace import TraceInfo
from celery.contrib import rdb

from ..model.session import Session
from ..store.breakpoints import Breakpoints
from ..store.sessions import Sessions, process_started
from . import output
from .breakpoints import Watched
from .debugger import Debugger
from .ide import Editors
from .listener import Listener
from .masking import call_text, short
from .talk import Released, Talk

# Its default is to be ignored, and a worker, which has no terminal, gets it from nobody else.
INTERRUPT_SIGNAL = signal.SIGWINCH
# What a log shows of a pause; devkit's printer looks for the first words.
PAUSED = (
    "Remote Debugger:{port}: {name}[{id}] is paused at {where}: devkit debug {short_id} (or: telnet 127.0.0.1 {port})"
)
SHORT_ID = 8
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


class Debugging:
    """The debuggers of this process, and of those that it forks."""

    def __init__(self, folder: str) -> None:
        """`folder` is where the sessions are kept (`devkit.store.sessions`)."""
        self.sessions = Sessions(os.path.join(folder, "sessions"))
        self._breakpoints = Breakpoints(folder)
        self._watched: Watched | None = None
        self._editors = Editors(self)
        self.while_waiting: Callable[[], None] = lambda: None
        self._main_pid = os.getpid()
        self._loaded_at = time.time()
        # Shared with the processes of the pool, which are forked later.
        self._released = mmap.mmap(-1, 1)
        self._parent = os.getppid()
        self._pauses: dict[int, Pause] = {}  # by the thread's ident
        self._talks: dict[int, Talk] = {}
        os.register_at_fork(after_in_child=self._forked)

    def install(self) -> None:
        """Take the place of celery's debugger, and of pdb, which has no terminal here."""
        rdb.set_trace = self.set_trace
        pdb.set_trace = self.set_trace
        if os.environ.get("PYTHONBREAKPOINT") != "0":
            sys.breakpointhook = self.set_trace
        signals.worker_shutting_down.connect(lambda **_: self.release(), weak=False)

    def watch(self, app: Any, root: str) -> None:
        """Pause at the breakpoints that are set without editing code; `root` is the project's folder."""
        self._watched = watched = Watched(self._breakpoints, root, self.stop, lambda name: _codes(app, name))
        _before_failures(self._failing)
        signals.worker_process_init.connect(lambda **_: self._begin_to_watch(watched), weak=False)
        self._begin_to_watch(watched)

    def watch_each_task(self) -> None:
        """Look for breakpoints when a task starts: for threads, which nothing else reaches before Python 3.12."""
        if self._watched:
            refresh = self._watched.refresh
            signals.task_prerun.connect(lambda **_: refresh(), weak=False)

    def _begin_to_watch(self, watched: Watched) -> None:
        watched.notify()
        watched.refresh()

    @property
    def elsewhere(self) -> "Watched | None":
        """The breakpoints that a debugger has to look after itself while it traces, where there is only one tracer."""
        return self._watched if sys.version_info < (3, 12) else None

    def _failing(self, task: Any, state: str, error: BaseException) -> None:
        """A task is about to be marked as failed, or to be tried again."""
        wanted = self._watched and self._watched.failure_wanted(task.name, state)
        cause = getattr(error, "exc", None)
        if isinstance(cause, BaseException) and cause.__traceback__:  # celery.exceptions.Retry
            error = cause
        traceback = error.__traceback__
        if wanted and traceback and not isinstance(error, bdb.BdbQuit):
            last = traceback
            while last.tb_next:
                last = last.tb_next
            text = f"{type(error).__name__}: {short_text(error)}"
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
        if self.released():
            return None
        ident = threading.get_ident()
        if ident not in self._pauses:
            try:
                pause = Pause(self, self._session_id())
            except Exception as error:  # the task is not to suffer
                _say(f"devkit: a breakpoint is passed over, the debugger cannot start: {error}")
                return None
            if not self._pauses:
                signals.task_postrun.connect(self._task_ended, weak=False, dispatch_uid="devkit.debugging")
            self._pauses[ident], self._talks[ident] = pause, pause.talk
            if threading.current_thread() is threading.main_thread():
                signal.signal(INTERRUPT_SIGNAL, self._interrupted)
            output.route(self._talks)
        return self._pauses[ident]

    def release(self) -> None:
        """The worker ends: what is paused runs on, and nothing pauses any more, in any process."""
        self._released[0] = 1

    def released(self) -> bool:
        """Whether nobody is to wait any longer, because the worker ends or is gone."""
        return bool(self._released[0]) or os.getppid() != self._parent

    def end(self, pause: "Pause") -> None:
        """Nothing of it is left."""
        self._pauses.pop(pause.ident, None)
        self._talks.pop(pause.ident, None)
        if not self._pauses:
            output.restore()

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
            self.end(pause)

    def _interrupted(self, _: int, frame: "FrameType | None") -> None:
        """Somebody pressed Ctrl-C while the main thread's task ran."""
        pause = self._pauses.get(threading.get_ident())
        if pause is None or frame is None or not pause.interrupted or pause.talk.waiting:
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
        self._parent = os.getppid()
        for talk in self._talks.values():
            talk.listener.client = None
        self._pauses.clear()
        self._talks.clear()
        self._editors.forked()
        output.restore()
        sys.settrace(None)


class Pause:
    """One thread of a task that is paused, or was and runs on."""

    def __init__(self, debugging: Debugging, session_id: str) -> None:
        """Raises OSError where no port is free."""
        self.id = session_id
        self.ident = threading.get_ident()
        call = current_call()
        self.task: Any = call[0] if call else None
        self._request: Any = call[1] if call else None
        self.task_id = self._request.id if self._request else ""
        self._debugging = debugging
        self._thread = threading.current_thread()
        self._is_main = self._thread is threading.main_thread()
        self._announced = False
        self.interrupted = False
        self._paused_s = 0.0
        self._token = secrets.token_hex(16)
        self.debugger = Debugger(
            self._make_talk, self._pausing, self._resuming, debugging.elsewhere, debugging._loaded_at
        )
        self.talk = self.debugger.talk
        self._session = Session(
            id=session_id, task=self.task.name if self.task else "", task_id=self.task_id,
            args=self._arguments(),
            file="", line=0, function="", host=socket.gethostname(), container=_container(),
            pid=os.getpid(), pid_started=process_started(os.getpid()), main_pid=debugging._main_pid,
            thread="" if self._is_main else self._thread.name, port=self.talk.listener.port, token=self._token,
            since=time.time(), state="running", paused_s=0.0, why="",
        )  # fmt: skip

    def _arguments(self) -> str:
        if self._request is None:
            return ""
        return call_text(self.task.run, self._request.args or (), self._request.kwargs or {})

    def _make_talk(self, complete: Any) -> Talk:
        first = int(os.environ.get("CELERY_RDB_PORT") or rdb.DEFAULT_PORT) + _process_index()
        talk = Talk(Listener(self._token, first, self._welcome, self._interrupt), complete)
        talk.while_waiting = self._wait  # type: ignore[method-assign]
        return talk

    def _wait(self) -> None:
        if self._debugging.released():
            self.talk.detach("the worker ends: the task runs on")
            raise Released
        if self._is_main:
            self._debugging.while_waiting()

    def _welcome(self) -> "dict[str, Any]":
        told = self._session.to_wire()
        del told["token"]
        return told

    def _pausing(self, frame: FrameType, line: int, why: str) -> None:
        self._session = replace(
            self._session, file=os.path.abspath(frame.f_code.co_filename), line=line, function=frame.f_code.co_name,
            since=time.time(), state="paused", paused_s=self._paused_s, why=why,
        )  # fmt: skip
        self._keep()
        if not self._announced:
            self._announced = True
            if not self.talk.client:
                self._announce()
            self._send_event("task-paused", file=self._session.file, line=line)

    def _resuming(self, freely: bool) -> None:
        self._paused_s += time.time() - self._session.since
        self._session = replace(self._session, state="running", paused_s=self._paused_s)
        self.talk.running()
        if freely and not self.task:
            self._close()
            self._debugging.end(self)
            return
        self._keep()
        if freely:
            self._announced = False
            self._send_event("task-started")

    def _keep(self) -> None:
        try:
            self._debugging.sessions.put(self._session)
        except OSError as error:
            _say(f"devkit: {self._debugging.sessions.folder}: {error.strerror}: devkit debug does not see this task")

    def _announce(self) -> None:
        session = self._session
        file = os.path.relpath(session.file) if session.file.startswith(os.getcwd() + os.sep) else session.file
        where = f"{file}:{session.line}" + (f" ({session.why})" if session.why != "breakpoint" else "")
        name = session.task or session.thread or "process"
        _say(
            PAUSED.format(
                port=session.port, name=name, id=session.id, where=where, short_id=session.id[:SHORT_ID]
                if session.task else session.id,
            )
        )  # fmt: skip

    def _send_event(self, kind: str, **fields: Any) -> None:
        """For Flower, which shows the state; by a thread, since the broker may be slow or gone."""
        if self.task and self.id == self.task_id:
            arguments = self.task.app, self._request.hostname, kind, {"uuid": self.task_id, **fields}
            threading.Thread(target=_send_event, args=arguments, daemon=True).start()

    def _interrupt(self) -> None:
        """Somebody pressed Ctrl-C. Called in the listener's thread."""
        if self.talk.waiting:
            return
        if self._is_main:
            self.interrupted = True
            signal.pthread_kill(self.ident, INTERRUPT_SIGNAL)
        elif self.debugger.evaluating:
            # A thread has no signals of its own. The expression ends when it comes back to Python.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(KeyboardInterrupt))
        elif self.debugger.interacting:
            self.debugger.interrupted = True
        elif (frame := sys._current_frames().get(self.ident)) is not None:
            self.debugger.interrupt_from_outside(frame)

    def task_ended(self, state: str, value: Any) -> None:
        """The task is over; `value` is its result, or what it raised."""
        failed = isinstance(value, BaseException)
        exception = f"{type(value).__name__}: {short_text(value)}" if failed else None
        self.talk.ended(state, None if failed else short(value), exception)
        self._close()

    def _close(self) -> None:
        if threading.get_ident() == self.ident:
            self.debugger.end()
        self.talk.listener.close()
        self._debugging.sessions.remove(self.id)


def _before_failures(call: "Callable[[Any, str, BaseException], None]") -> None:
    """Have `call` called with the task, its state and the error, before Celery stores them."""
    original = TraceInfo.handle_error_state

    def handle_error_state(info: Any, task: Any, *args: Any, **kwargs: Any) -> Any:
        if (error := sys.exc_info()[1]) is not None:
            call(task, info.state, error)
        return original(info, task, *args, **kwargs)

    TraceInfo.handle_error_state = handle_error_state


def _codes(app: Any, name: str) -> "list[CodeType]":
    """The code of the tasks of this name, or whose dotted name ends in it."""
    found = []
    for full, task in app.tasks.items():
        if f".{full}".endswith(f".{name}"):
            # Celery wraps what is to be retried by itself, or takes pydantic's models.
            function = inspect.unwrap(getattr(task, "_orig_run", task.run))
            if code := getattr(getattr(function, "__func__", function), "__code__", None):
                found.append(code)
    return found


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


def short_text(error: BaseException) -> str:
    """An exception's message, whatever that does."""
    try:
        return str(error)[:500]
    except Exception:
        return "<its message cannot be had>"


def _send_event(app: Any, hostname: str, kind: str, fields: "dict[str, Any]") -> None:
    try:
        with app.events.default_dispatcher(hostname=hostname) as dispatcher:
            dispatcher.send(kind, retry=False, **fields)
    except Exception as error:
        _say(f"devkit: the event {kind} was not sent: {error}")


def _process_index() -> int:
    """Celery's debugger counts ports by the pool's processes: ForkPoolWorker-2 begins at 6899 + 2."""
    from billiard.process import current_process

    index = current_process().name.rpartition("-")[2]
    return int(index) if index.isdigit() else 0


def _container() -> str:
    return socket.gethostname() if any(map(os.path.exists, CONTAINER_MARKS)) else ""


def _say(text: str) -> None:
    """To the log, whatever the project makes of logging and of sys.stderr."""
    os.write(2, f"{text}\n".encode(errors="replace"))
