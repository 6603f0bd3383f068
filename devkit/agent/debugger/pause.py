"""One thread of a task that is paused: its debugger, its port, and what others see of it."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from celery.contrib import rdb

from ...store.sessions import Sessions
from ..calls import current_call
from ..say import say
from ..tell.exceptions import in_short
from ..tell.values import short
from .listener import Listener
from .prompt import Debugger
from .release import Release
from .session import KeptSession
from .stream import DebuggerStream, Released

# Its default is to be ignored, and a worker, which has no terminal, gets it from nobody else.
INTERRUPT_SIGNAL = signal.SIGWINCH
# What a log shows of a pause; devkit's printer looks for the first words.
PAUSED = (
    "Remote Debugger:{port}: {name}[{id}] is paused at {where}: devkit debug {short_id} (or: telnet 127.0.0.1 {port})"
)
SHORT_ID = 8


class Pause:
    """One thread of a task that is paused, or was and runs on."""

    def __init__(
        self,
        session_id: str,
        sessions: Sessions,
        release: Release,
        end: "Callable[[Pause], None]",
        elsewhere: Any,
        loaded_at: float,
    ) -> None:
        """`end` is called when nothing of it is left; the last two are Debugger's.

        Raises OSError where no port is free.
        """
        self.id = session_id
        self.ident = threading.get_ident()
        call = current_call()
        self.task: Any = call[0] if call else None
        self._request: Any = call[1] if call else None
        self.task_id = self._request.id if self._request else ""
        self._release = release
        self._end = end
        self._is_main = threading.current_thread() is threading.main_thread()
        self._announced = False
        self.interrupted = False
        self._session = KeptSession(sessions, session_id, release.main_pid, "devkit debug does not see this task")
        self.debugger = Debugger(self._make_stream, self._pausing, self._resuming, elsewhere, loaded_at)
        self.stream = self.debugger.stream
        self._session.change(port=self.stream.listener.port)

    def _make_stream(self, complete: Any) -> DebuggerStream:
        first = int(os.environ.get("CELERY_RDB_PORT") or rdb.DEFAULT_PORT) + _process_index()
        stream = DebuggerStream(Listener(self._session.now.token, first, self._welcome, self._interrupt), complete)
        stream.while_waiting = self._wait
        return stream

    def _wait(self) -> None:
        if self._release.given():
            self.stream.detach("the worker ends: the task runs on")
            raise Released
        if self._is_main:
            self._release.while_waiting()

    def _welcome(self) -> "dict[str, Any]":
        told = self._session.now.to_wire()
        del told["token"]
        return told

    def _pausing(self, frame: FrameType, line: int, why: str) -> None:
        self._session.paused(frame, line, why)
        if not self._announced:
            self._announced = True
            if not self.stream.client:
                self._announce()
            self._send_event("task-paused", file=self._session.now.file, line=line)

    def _resuming(self, freely: bool) -> None:
        self.stream.running()
        if freely and not self.task:
            self._close()
            self._end(self)
            return
        self._session.resumed()
        if freely:
            self._announced = False
            self._send_event("task-started")

    def _announce(self) -> None:
        session = self._session.now
        file = os.path.relpath(session.file) if session.file.startswith(os.getcwd() + os.sep) else session.file
        where = f"{file}:{session.line}" + (f" ({session.why})" if session.why != "breakpoint" else "")
        name = session.task or session.thread or "process"
        short_id = session.id[:SHORT_ID] if session.task else session.id
        say(PAUSED.format(port=session.port, name=name, id=session.id, where=where, short_id=short_id))

    def _send_event(self, kind: str, **fields: Any) -> None:
        """For Flower, which shows the state; by a thread, since the broker may be slow or gone."""
        if self.task and self.id == self.task_id:
            arguments = self.task.app, self._request.hostname, kind, {"uuid": self.task_id, **fields}
            threading.Thread(target=_send_event, args=arguments, daemon=True).start()

    def _interrupt(self) -> None:
        """Somebody pressed Ctrl-C. Called in the listener's thread."""
        lines = self.stream.lines  # read first: it grows after the other has changed
        if self.stream.waiting:
            self.debugger.interrupted = self.stream.listener.lines > lines  # meant for a line that has just come
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
        failed = issubclass(type(value), BaseException)
        exception = in_short(value) if failed else None
        self.stream.ended(state, None if failed else short(value), exception)
        self._close()

    def _close(self) -> None:
        if threading.get_ident() == self.ident:
            self.debugger.end()
        self.stream.listener.close()
        self._session.remove()


def _send_event(app: Any, hostname: str, kind: str, fields: "dict[str, Any]") -> None:
    try:
        with app.events.default_dispatcher(hostname=hostname) as dispatcher:
            dispatcher.send(kind, retry=False, **fields)
    except Exception as error:
        say(f"devkit: the event {kind} was not sent: {error}")


def _process_index() -> int:
    """Celery's debugger counts ports by the pool's processes: ForkPoolWorker-2 begins at 6899 + 2."""
    from billiard.process import current_process

    index = current_process().name.rpartition("-")[2]
    return int(index) if index.isdigit() else 0
