"""Tasks in an editor: debugpy in the process that runs the task.

The editor is shown the task that was asked for, as long as that runs. It stops all threads that it knows of: so the
others, which have other tasks or the connection to the broker, are hidden from it.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from celery import signals

from ...model.breakpoint import Breakpoint
from ...model.editor import ATTACHED, HOST, PORT, WAITS
from ...store.sessions import PAUSED, Sessions
from ..calls import current_call
from ..say import say
from .release import Release
from .session import KeptSession

PORTS_TRIED = 50
POLL_S = 0.1
WAITING = "devkit: {name}[{id}] waits for an editor on {host}:{port}: attach with VS Code, or another client of DAP"
MISSING = "devkit: {name} runs on, without an editor: {python} lacks debugpy: {python} -m pip install debugpy"


class Editors:
    """The calls of tasks in this process that an editor looks into: one, or several in a pool of threads."""

    def __init__(self, sessions: Sessions, release: Release, follow: "Callable[[], None]") -> None:
        """`follow` has this thread traced again if it has to be, when debugpy does so no longer."""
        self._sessions = sessions
        self._release = release
        self._follow = follow
        self._calls: dict[int, ShownCall] = {}  # by the thread's ident
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

    def _begin(self, frame: FrameType, port: int) -> "ShownCall | None":
        running = current_call()
        if running is None or self._release.given():
            return None
        # Before debugpy: to load it counts for no time limit.
        call = ShownCall(self._sessions, self._release, running[1].id, frame)
        if not self._listen(port, running[0].name):
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
        self._follow()


class ShownCall:
    """One call of a task that an editor is shown, in the thread that runs it."""

    def __init__(self, sessions: Sessions, release: Release, task_id: str, frame: FrameType) -> None:
        self.task_id = task_id
        self._release = release
        self._thread = threading.current_thread()
        self._is_main = self._thread is threading.main_thread()
        self._over = threading.Event()
        self._looked = threading.Event()
        self._looked.set()
        self._session = KeptSession(sessions, task_id, release.main_pid, "time limits go on")
        self._session.paused(frame, frame.f_lineno, WAITS)

    @property
    def attached(self) -> bool:
        """Whether an editor is there, with its breakpoints set."""
        import debugpy

        return bool(debugpy.is_client_connected()) and not self._release.given()

    def begin(self, port: int) -> None:
        """Wait for an editor if none is there; the end of the worker ends the wait."""
        self._session.put(port=port)
        if not self.attached:
            say(WAITING.format(name=self._session.now.task, id=self.task_id, host=HOST, port=port))
        while not self.attached and not self._release.given():
            if self._is_main:
                self._release.while_waiting()
            time.sleep(POLL_S)
        self._session.put(why=ATTACHED)
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
        self._over.set()
        self._session.remove()

    def _trace(self, **options: Any) -> None:
        import pydevd

        self._thread.pydev_do_not_trace = False  # type: ignore[attr-defined]
        pydevd.settrace(**{"suspend": False, "trace_only_current_thread": True, "notify_stdin": False, **options})

    def _watch(self) -> None:
        """See to what the task's thread cannot, while an editor has stopped it. A thread of its own."""
        import debugpy
        import pydevd

        while not self._over.wait(POLL_S):
            if self._release.given():
                pydevd.stoptrace()  # what is stopped runs on, and the editor is told
                return
            attached = bool(debugpy.is_client_connected())
            if attached != (self._session.now.state == PAUSED):
                self._attached_changed(attached)
            elif attached and self._is_main:
                self._look_around()

    def _attached_changed(self, attached: bool) -> None:
        """For time limits: they go on while no editor is there."""
        if attached:
            self._session.put(state=PAUSED, since=time.time())
        else:
            self._session.resumed()

    def _look_around(self) -> None:
        """The main thread of a worker without a pool hears its orders itself, also while an editor has stopped it."""
        import pydevd
        from _pydevd_bundle.pydevd_constants import STATE_SUSPEND, get_current_thread_id

        def look() -> None:
            self._release.while_waiting()
            self._looked.set()

        info = getattr(self._thread, "additional_info", None)
        if self._looked.is_set() and info is not None and info.pydev_state == STATE_SUSPEND:
            self._looked.clear()
            pydevd.get_global_debugger().post_method_as_internal_command(
                get_current_thread_id(self._thread), lambda *_: look()
            )


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
