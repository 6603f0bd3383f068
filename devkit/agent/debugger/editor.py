"""Tasks in an editor: debugpy in the process that runs the task.

The editor is shown the task that was asked for, as long as that runs. It stops all threads that it knows of: so the
others, which have other tasks or the connection to the broker, are hidden from it.
"""

import os
import secrets
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from celery import signals

from ...model.breakpoint import Breakpoint
from ...model.container import container_id
from ...model.editor import ATTACHED, HOST, PORT, WAITS
from ...model.session import Session
from ...store.sessions import PAUSED, process_started
from ..calls import current_call
from ..say import say
from ..tell.values import call_text

if TYPE_CHECKING:
    from .install import Debugging

PORTS_TRIED = 50
POLL_S = 0.1
WAITING = "devkit: {name}[{id}] waits for an editor on {host}:{port}: attach with VS Code, or another client of DAP"
MISSING = "devkit: {name} runs on, without an editor: {python} lacks debugpy: {python} -m pip install debugpy"


class Editors:
    """The calls of tasks in this process that an editor looks into: one, or several in a pool of threads."""

    def __init__(self, debugging: "Debugging") -> None:
        self._debugging = debugging
        self._calls: dict[int, Call] = {}  # by the thread's ident
        self._port = 0  # where debugpy listens; it cannot begin twice in a process
        self._starting = threading.Lock()

    def stop(self, frame: FrameType, wanted: "Breakpoint | None", event: str) -> bool:
        """Stop right here, if that is for an editor; returns whether it is."""
        call = self._calls.get(threading.get_ident())
        if call is None and wanted is not None:
            call = self._begin(frame, wanted.port or PORT)
        attached = call is not None and call.attached
        if call and attached and event != "failure":  # for these an editor has its own breakpoints
            call.stop(frame)
        return attached or wanted is not None

    def stop_next(self, frame: FrameType) -> bool:
        """The same, at the frame's next line."""
        call = self._calls.get(threading.get_ident())
        if call is None or not call.attached:
            return False
        call.stop_next(frame)
        return True

    def forked(self) -> None:
        """A new process: debugpy's threads are not in it, and nobody is to wait for them."""
        self._calls.clear()
        self._starting = threading.Lock()
        if self._port and sys.version_info >= (3, 12):
            sys.monitoring.set_events(sys.monitoring.DEBUGGER_ID, 0)

    def _begin(self, frame: FrameType, port: int) -> "Call | None":
        task, request = current_call() or (None, None)
        if task is None or request is None or self._debugging.released():
            return None
        call = Call(self._debugging, task, request, frame)  # before debugpy: to load it counts for no time limit
        if not self._listen(port, task.name):
            call.end()
            return None
        self._calls[threading.get_ident()] = call
        call.begin(self._port)
        return call

    def _listen(self, port: int, name: str) -> bool:
        """Start debugpy, at the first time; returns whether it runs."""
        with self._starting:
            if self._port:
                return True
            for thread in threading.enumerate():
                _hide(thread)
            hook, settrace = sys.breakpointhook, sys.settrace
            try:
                self._port = _listen(port)
            except ImportError:
                say(MISSING.format(name=name, python=sys.executable))
                return False
            except Exception as error:
                say(f"devkit: {name} runs on, without an editor: debugpy does not start: {error}")
                return False
            finally:
                # It replaces both: the second one by one that warns of all others who trace.
                sys.breakpointhook, sys.settrace = hook, settrace
            if self._port != port:
                say(f"devkit: port {port} is taken, debugpy listens on {self._port}")
            signals.task_prerun.connect(self._leave_alone, weak=False)
            signals.task_postrun.connect(self._ended, weak=False)
            return True

    def _leave_alone(self, **_: Any) -> None:
        """A task begins in this thread: debugpy traces each new thread by itself."""
        if threading.get_ident() not in self._calls:
            self._let_go()

    def _ended(self, task_id: str, **_: Any) -> None:
        call = self._calls.get(threading.get_ident())
        if call is not None and call.task_id == task_id:
            del self._calls[threading.get_ident()]
            call.end()
            self._let_go()

    def _let_go(self) -> None:
        """This thread is none of the editor's business, until it has a task that is."""
        import debugpy
        import pydevd

        _hide(threading.current_thread())
        if pydevd.get_global_debugger() is not None:
            debugpy.trace_this_thread(True)  # where it does not know a thread it would trace it later
            debugpy.trace_this_thread(False)
        if self._debugging.elsewhere is not None:
            self._debugging.elsewhere.follow()


class Call:
    """One call of a task that an editor looks into, in the thread that runs it."""

    def __init__(self, debugging: "Debugging", task: Any, request: Any, frame: FrameType) -> None:
        self.task_id = request.id
        self._debugging = debugging
        self._thread = threading.current_thread()
        self._is_main = self._thread is threading.main_thread()
        self._over = threading.Event()
        self._looked = threading.Event()
        self._looked.set()
        self._keeping = threading.Lock()
        self._session = Session(
            id=request.id, task=task.name, task_id=request.id,
            args=call_text(task.run, request.args or (), request.kwargs or {}),
            file=os.path.abspath(frame.f_code.co_filename), line=frame.f_lineno, function=frame.f_code.co_name,
            host=socket.gethostname(), container=container_id(), pid=os.getpid(),
            pid_started=process_started(os.getpid()), main_pid=debugging.main_pid,
            thread="" if self._is_main else self._thread.name, port=0, token=secrets.token_hex(16),
            since=time.time(), state=PAUSED, paused_s=0.0, why=WAITS,
        )  # fmt: skip
        self._keep()

    @property
    def attached(self) -> bool:
        """Whether an editor is there, with its breakpoints set."""
        import debugpy

        return bool(debugpy.is_client_connected()) and not self._debugging.released()

    def begin(self, port: int) -> None:
        """Wait for an editor if none is there; the end of the worker ends the wait."""
        self._keep(port=port)
        if not self.attached:
            say(WAITING.format(name=self._session.task, id=self.task_id, host=HOST, port=port))
        while not self.attached and not self._debugging.released():
            if self._is_main:
                self._debugging.while_waiting()
            time.sleep(POLL_S)
        self._keep(why=ATTACHED)
        watcher = threading.Thread(target=self._watch, name="devkit.editor", daemon=True)
        _hide(watcher)
        watcher.is_pydev_daemon_thread = True  # type: ignore[attr-defined]  # an editor does not list it
        watcher.start()

    def stop(self, frame: FrameType) -> None:
        """Stop right here. debugpy itself can stop at the next line only, which a short task does not have."""
        import pydevd
        from _pydevd_bundle.pydevd_comm_constants import CMD_SET_BREAK

        self._trace()
        debugger = pydevd.get_global_debugger()
        debugger.set_suspend(self._thread, CMD_SET_BREAK)
        debugger.do_wait_suspend(self._thread, frame, "line", None)

    def stop_next(self, frame: FrameType) -> None:
        """Stop at the frame's next line."""
        self._trace(suspend=True, stop_at_frame=frame)

    def end(self) -> None:
        """The task is over."""
        with self._keeping:
            self._over.set()
            self._debugging.sessions.remove(self._session.id)

    def _trace(self, **options: Any) -> None:
        import pydevd

        self._thread.pydev_do_not_trace = False  # type: ignore[attr-defined]
        pydevd.settrace(**{"suspend": False, "trace_only_current_thread": True, "notify_stdin": False, **options})

    def _watch(self) -> None:
        """See to what the task's thread cannot, while an editor has stopped it. A thread of its own."""
        import debugpy
        import pydevd

        while not self._over.wait(POLL_S):
            if self._debugging.released():
                pydevd.stoptrace()  # what is stopped runs on, and the editor is told
                return
            attached = bool(debugpy.is_client_connected())
            if attached != (self._session.state == PAUSED):
                self._attached_changed(attached)
            elif attached and self._is_main:
                self._look_around()

    def _attached_changed(self, attached: bool) -> None:
        """For time limits: they go on while no editor is there."""
        now, session = time.time(), self._session
        if attached:
            self._keep(state=PAUSED, since=now)
        else:
            self._keep(state="running", paused_s=session.paused_s + now - session.since)

    def _look_around(self) -> None:
        """The main thread of a worker without a pool hears its orders itself, also while an editor has stopped it."""
        import pydevd
        from _pydevd_bundle.pydevd_constants import STATE_SUSPEND, get_current_thread_id

        def look() -> None:
            self._debugging.while_waiting()
            self._looked.set()

        info = getattr(self._thread, "additional_info", None)
        if self._looked.is_set() and info is not None and info.pydev_state == STATE_SUSPEND:
            self._looked.clear()
            pydevd.get_global_debugger().post_method_as_internal_command(
                get_current_thread_id(self._thread), lambda *_: look()
            )

    def _keep(self, **changes: Any) -> None:
        with self._keeping:
            self._session = replace(self._session, **changes)
            if not self._over.is_set():
                try:
                    self._debugging.sessions.put(self._session)
                except OSError as error:
                    say(f"devkit: {self._debugging.sessions.folder}: {error.strerror}: time limits go on")


def _hide(thread: threading.Thread) -> None:
    """debugpy neither traces nor stops it."""
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]


def _listen(port: int) -> int:
    """Have debugpy listen there, or on the next free port; returns which one it is."""
    import debugpy

    debugpy.configure(subProcess=False)  # what a task starts is no task
    for candidate in range(port, min(port + PORTS_TRIED, 1 << 16)):
        if _is_free(candidate):
            try:
                return int(debugpy.listen((HOST, candidate))[1])
            except RuntimeError:
                if _is_free(candidate):  # it was not for the port
                    raise
    raise OSError(f"no port is free from {port} on")


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False
