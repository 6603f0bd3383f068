"""Ending processes together with all that they started.

Each service leads a session of its own, so its descendants are found by the session's id, whatever process group
they moved to; those that started yet another session are found by a marker in their environment (Linux).
Standard library only: the guard, which must be quick and small, uses it too.
"""

import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

MARKER = "DEVKIT_STACK"


def _processes() -> Iterator[int]:
    with suppress(OSError):
        yield from (int(entry) for entry in os.listdir("/proc") if entry.isdigit())  # noqa: PTH208 - the fast one


def members(session: int) -> list[int]:
    """The processes of that session that still run; zombies, which only wait for their parent, do not count."""
    found = []
    for pid in _processes():
        with suppress(OSError):
            if os.getsid(pid) == session and not _is_zombie(pid):
                found.append(pid)
    return found


def strays(stack: str) -> list[int]:
    """The processes, in whatever session, whose environment says that they belong to `stack`.

    `stack` is one run's mark, "PROJECT.RUN", or "PROJECT" for all runs of one project.
    """
    mark = f"{MARKER}={stack}".encode()
    found = []
    for pid in _processes():
        with suppress(OSError):
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if pid != os.getpid() and any(item == mark or item.startswith(mark + b".") for item in environ):
                found.append(pid)
    return found


def kill(session: int) -> None:
    """SIGKILL for the whole session; quietly nothing where it is gone."""
    with suppress(OSError):
        os.killpg(session, signal.SIGKILL)
    for pid in members(session):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def end(session: int, wait_s: float = 2.0) -> None:
    """Kill the session, and wait until it is gone; at most so long, for a process may hang in the kernel."""
    deadline = time.monotonic() + wait_s
    kill(session)
    while members(session) and time.monotonic() < deadline:
        time.sleep(0.01)


def kill_strays(stack: str, besides: Collection[int] = ()) -> list[int]:
    """SIGKILL for what belongs to `stack` and escaped from its session; returns their pids.

    `besides` are processes that are killed already, but may still be there.
    """
    killed = []
    for pid in strays(stack):
        with suppress(OSError):
            if pid in besides:
                continue
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    return killed


def _is_zombie(pid: int) -> bool:
    # The state follows the command's name, which is in parentheses and may hold anything.
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
