"""What others see of a thread that is paused: its session, in the project's folder."""

import os
import secrets
import socket
import threading
import time
from dataclasses import replace
from types import FrameType
from typing import Any

from ...model.container import container_id
from ...model.session import Session
from ...store.sessions import PAUSED, Sessions, process_started
from ..calls import current_call
from ..say import say
from ..tell.values import call_text


class KeptSession:
    """The session of the thread that makes this: others find it from the first `put` on, until it is removed."""

    def __init__(self, sessions: Sessions, session_id: str, main_pid: int, otherwise: str) -> None:
        """`otherwise` is what follows where it cannot be kept, in words."""
        task, request = current_call() or (None, None)
        thread = threading.current_thread()
        self._sessions = sessions
        self._otherwise = otherwise
        self._keeping = threading.Lock()
        self._removed = False
        self.now = Session(
            id=session_id, task=task.name if task else "", task_id=request.id if request else "",
            args=call_text(task.run, request.args or (), request.kwargs or {}) if task and request else "",
            file="", line=0, function="", host=socket.gethostname(), container=container_id(),
            pid=os.getpid(), pid_started=process_started(os.getpid()), main_pid=main_pid,
            thread="" if thread is threading.main_thread() else thread.name, port=0, token=secrets.token_hex(16),
            since=time.time(), state="running", paused_s=0.0, why="",
        )  # fmt: skip

    def change(self, **changes: Any) -> None:
        """Change some fields; others learn of it by the next `put`."""
        self.now = replace(self.now, **changes)

    def put(self, **changes: Any) -> None:
        """Change some fields, and let others see all of them."""
        with self._keeping:
            self.change(**changes)
            if not self._removed:
                try:
                    self._sessions.put(self.now)
                except OSError as error:
                    say(f"devkit: {self._sessions.folder}: {error.strerror}: {self._otherwise}")

    def paused(self, frame: FrameType, line: int, why: str) -> None:
        """From now on it waits there."""
        code = frame.f_code
        self.put(
            file=os.path.abspath(code.co_filename), line=line, function=code.co_name, since=time.time(), state=PAUSED,
            why=why,
        )  # fmt: skip

    def resumed(self) -> None:
        """From now on it runs."""
        self.put(state="running", paused_s=self.now.paused_s + time.time() - self.now.since)

    def remove(self) -> None:
        """Nobody sees it any more, whatever becomes known later."""
        with self._keeping:
            self._removed = True
            self._sessions.remove(self.now.id)
