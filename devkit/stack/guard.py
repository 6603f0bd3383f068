"""Ends the services when devkit itself is killed, which no code in devkit can do.

A process of its own, in a session of its own. Its standard input is a pipe from devkit: "+PID" for a service that
started, "-PID" for one that ended. When the pipe closes devkit is gone, and the services get two seconds.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from devkit.stack import sessions

GRACE_S = 2.0
RESTART_S = 0.2


class Guard:
    """devkit's end of the pipe. A guard that was killed is replaced at once."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._pids: set[int] = set()
        self._lock = Lock()
        self._closed = Event()
        self._process = self._start()
        self._keeper = Thread(target=self._keep, name="guard", daemon=True)
        self._keeper.start()

    def started(self, pid: int) -> None:
        """A service started: end it when devkit is gone."""
        with self._lock:
            self._pids.add(pid)
            self._tell(f"+{pid}")

    def ended(self, pid: int) -> None:
        """A service ended: forget it."""
        with self._lock:
            self._pids.discard(pid)
            self._tell(f"-{pid}")

    def close(self) -> None:
        """All services ended: the guard has nothing to do any more."""
        with self._lock:
            self._closed.set()
            self._hang_up()
        self._keeper.join()

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if self._closed.wait(RESTART_S):
                return
            with self._lock:
                if self._closed.is_set():
                    return
                self._hang_up()
                self._process = self._start()
                for pid in self._pids:
                    self._tell(f"+{pid}")

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "devkit.stack.guard", self._stack],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            cwd="/",
            stdin=subprocess.PIPE,
            bufsize=0,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it was killed: its successor hears of all
            self._process.stdin.write(f"{word}\n".encode())

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()


def main(stack: str) -> None:
    """Read devkit's words until it is gone, then end what it left."""
    services: set[int] = set()
    for line in sys.stdin:
        word = line.strip()
        (services.add if word.startswith("+") else services.discard)(int(word[1:]))
    for pid in services:
        with suppress(OSError):
            os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + GRACE_S
    while any(sessions.members(pid) for pid in services) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in services:
        sessions.kill(pid)
    sessions.kill_strays(stack)


if __name__ == "__main__":
    main(sys.argv[1])
