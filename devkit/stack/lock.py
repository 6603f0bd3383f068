"""One stack a project: the lock that its supervisor holds, and what a crashed one left behind."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from devkit.stack import sessions

LOCK = "lock"
RECORD = "services.json"
# To look whether anyone holds the lock (`holder`) takes it for a moment: a start meanwhile tries again this long.
LOOK_S = 0.1


class StackLock:
    """The lock of one project, in its private runtime folder. The kernel drops it when its holder ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock; false when another process holds it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LOOK_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    os.close(fd)
                    return False
                time.sleep(0.01)
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
        self._fd = fd
        return True

    def release(self) -> None:
        """Let the next one have it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def holder(self) -> int | None:
        """The pid of the process that holds the lock, or None when nobody does."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            with suppress(ValueError):
                return int(os.read(fd, 32))
            return 0  # taken a moment ago, its pid not yet written
        finally:
            os.close(fd)
        return None

    def wait_until_free(self, timeout_s: float) -> bool:
        """Wait for the holder to end; false when it still holds the lock after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.holder() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def record(folder: Path, running: dict[str, int]) -> None:
    """Note the running services' pids, for the start after a crash."""
    import psutil

    born = {}
    for name, pid in running.items():
        with suppress(psutil.Error):
            born[name] = [pid, psutil.Process(pid).create_time()]
    temporary = folder / f"{RECORD}.new"
    temporary.write_text(json.dumps(born))
    temporary.replace(folder / RECORD)


def forget(folder: Path) -> None:
    """The stack stopped as it should: it left nothing."""
    (folder / RECORD).unlink(missing_ok=True)


def clean_up(folder: Path, stack: str) -> list[str]:
    """End what a crashed stack left running; returns it as "worker (pid 4711)". Only for the lock's holder."""
    ended = {pid: f"{name} (pid {pid})" for name, pid in _recorded(folder)}
    for pid in ended:
        sessions.end(pid)
    strays = sessions.kill_strays(stack, besides=ended)
    forget(folder)
    return [*ended.values(), *(f"pid {pid}" for pid in strays)]


def _recorded(folder: Path) -> Iterator[tuple[str, int]]:
    """The processes in the record that still run. The same pid with another time of birth is somebody else's."""
    try:
        recorded = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return  # the stack before this one stopped as it should
    import psutil

    with suppress(ValueError, AttributeError, TypeError):
        for name, (pid, born) in recorded.items():
            with suppress(psutil.Error):
                if abs(psutil.Process(pid).create_time() - born) < 1:
                    yield name, pid
