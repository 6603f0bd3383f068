"""One thread of a task that is paused: its debugger, its port, and what others see of it."""

import ctypes
import os
import secrets
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from celery.contrib import rdb

from ...model.container import container_id
from ...model.session import Session
from ...store.sessions import process_started
from ..calls import current_call
from ..say import say
from ..tell.values import call_text, message_of, short
from .listener import Listener
from .prompt import Debugger
from .stream import Released, Talk

if TYPE_CHECKING:
    from .install import Debugging

# Its default is to be ignored, and a worker, which has no terminal, gets it from nobody else.
INTERRUPT_SIGNAL = signal.SIGWINCH
# What a log shows of a pause; devkit's printer looks for the first words.
PAUSED = (
    "Remote Debugger:{port}: {name}[{id}] is paused at {where}: devkit debug {short_id} (or: telnet 127.0.0.1 {port})"
)
SHORT_ID = 8


class Pause:
    """One thread of a task that is paused, or was and runs on."""

    def __init__(self, debugging: "Debugging", session_id: str) -> None:
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
            self._make_talk, self._pausing, self._resuming, debugging.elsewhere, debugging.loaded_at
        )
        self.talk = self.debugger.talk
        self._session = Session(
            id=session_id, task=self.task.name if self.task else "", task_id=self.task_id,
            args=self._arguments(),
            file="", line=0, function="", host=socket.gethostname(), container=container_id(),
            pid=os.getpid(), pid_started=process_started(os.getpid()), main_pid=debugging.main_pid,
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
            say(f"devkit: {self._debugging.sessions.folder}: {error.strerror}: devkit debug does not see this task")

    def _announce(self) -> None:
        session = self._session
        file = os.path.relpath(session.file) if session.file.startswith(os.getcwd() + os.sep) else session.file
        where = f"{file}:{session.line}" + (f" ({session.why})" if session.why != "breakpoint" else "")
        name = session.task or session.thread or "process"
        say(
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
        lines = self.talk.lines  # read first: it grows after the other has changed
        if self.talk.waiting:
            self.debugger.interrupted = self.talk.listener.lines > lines  # meant for a line that has just come
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
        exception = f"{type(value).__name__}: {message_of(value)}" if failed else None
        self.talk.ended(state, None if failed else short(value), exception)
        self._close()

    def _close(self) -> None:
        if threading.get_ident() == self.ident:
            self.debugger.end()
        self.talk.listener.close()
        self._debugging.sessions.remove(self.id)


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
