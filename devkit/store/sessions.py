"""The tasks that wait in the debugger: one file each, which only this user can read.

Not in Redis: whoever may read a session may run code in the worker, and a Redis on this machine answers everybody.
"""

import json
import os
import socket
from contextlib import suppress
from urllib.parse import quote

from ..model.container import container_id
from ..model.session import Session
from .files import make_private, replace

PAUSED = "paused"
GONE = -1.0


class Sessions:
    """The sessions in a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def put(self, session: Session) -> None:
        """Write it, in place of what was known of it. Raises OSError."""
        make_private(self.folder)
        replace(self._path(session.id), json.dumps(session.to_wire()))

    def remove(self, session_id: str) -> None:
        """Forget it; one that is not there is forgotten already."""
        with suppress(OSError):
            os.unlink(self._path(session_id))

    def of_task(self, task_id: str) -> "list[Session]":
        """All of one task: more than one where its threads are paused, too."""
        names = [name for name in self._names() if name.startswith(_name(task_id))]
        found = [self._read(os.path.join(self.folder, name)) for name in names]
        return [session for session in found if session and session.task_id == task_id]

    def all(self) -> "list[Session]":
        """Those of living processes, the longest paused first; what others left is cleared away."""
        found = []
        for name in self._names():
            session = self._read(os.path.join(self.folder, name))
            if session and is_alive(session):
                found.append(session)
            elif session:
                self.remove(session.id)
        return sorted(found, key=lambda session: session.since)

    def _names(self) -> "list[str]":
        try:
            return [name for name in os.listdir(self.folder) if name.endswith(".json")]
        except OSError:
            return []

    def _path(self, session_id: str) -> str:
        return os.path.join(self.folder, f"{_name(session_id)}.json")

    def _read(self, path: str) -> "Session | None":
        try:
            with open(path, encoding="utf-8") as file:
                return Session.from_wire(json.load(file))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


def _name(session_id: str) -> str:
    """A task's id may be any text that its sender chose."""
    return quote(session_id, safe="", errors="surrogatepass")


def is_here(session: Session) -> bool:
    """Whether its process is one of those that this process can see: on this host, in the same container or in none."""
    return session.host == socket.gethostname() and session.container == container_id()


def is_alive(session: Session) -> bool:
    """Whether its process still runs; of other hosts and containers nothing is known."""
    if not is_here(session):
        return True
    try:
        os.kill(session.pid, 0)
    except PermissionError:
        pass
    except OSError:
        return False
    started = process_started(session.pid)
    return None in (started, session.pid_started) or started == session.pid_started


def process_started(pid: int) -> "float | None":
    """When a process started, in ticks since the machine did; GONE for one that has ended, though nobody may have asked
    for its exit code yet; None where the system does not tell (not Linux)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command, which comes second, is in parentheses and may hold any character.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return GONE if os.path.exists("/proc/self/stat") else None
    return GONE if fields[0] == b"Z" else float(fields[19])
