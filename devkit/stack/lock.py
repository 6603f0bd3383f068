"""One stack a data folder: the lock that its supervisor holds, and what a crashed one left behind.

Both lie with the data that they protect: two stacks would write the same files, wherever their sockets are.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from devkit.errors import DevkitError
from devkit.model.container import container_id
from devkit.stack import sessions

LOCK = "lock"
RECORD = "services.json"
TEXTS = ("host", "container", "project", "runtime")
# To look whether anyone holds the lock (`holder`) takes it for a moment: a start meanwhile tries again this long.
LOOK_S = 0.1
MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock: of which project it runs the stack, and in which folder that has its sockets.

    `host` and `container` tell whose processes `pid` counts among: the data folder may be shared with others. Without
    a project it has just taken the lock, and not said so yet.
    """

    pid: int
    host: str
    container: str
    project: str
    runtime: str

    @property
    def is_here(self) -> bool:
        """Whether it is one of the processes that this process can see."""
        return (self.host, self.container) == _here()

    def serves(self, project: Path) -> bool:
        """Whether that project's stack is what it runs, here."""
        with suppress(OSError, ValueError):
            theirs = Path(self.project)  # gone, where the project was moved meanwhile, its data with it
            return self.is_here and (not self.project or not theirs.exists() or theirs.samefile(project))
        return False

    def __str__(self) -> str:
        return f"pid {self.pid}" if self.is_here else f"pid {self.pid} on {self.host}"


class StackLock:
    """The lock of one stack, a file in each of its folders. The kernel drops it when its holder ends.

    That in the data folder is found from everywhere; that in the folder for sockets outlives `git clean`.
    """

    def __init__(self, *folders: Path) -> None:
        self._paths = [folder / LOCK for folder in folders]
        self._fds: list[int] = []

    def acquire(self, project: Path, runtime: Path) -> bool:
        """Take it, in those of the folders that are there; false when another process holds it.

        Raises DevkitError where there can be none.
        """
        told = json.dumps(asdict(Holder(os.getpid(), *_here(), os.fspath(project), os.fspath(runtime)))).encode()
        for path in self._paths:
            try:
                self._fds.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
                if not _locked(self._fds[-1]):
                    self.release()
                    return False
                os.ftruncate(self._fds[-1], 0)
                os.write(self._fds[-1], told)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.release()
                raise DevkitError(
                    f"cannot lock {path}: {error.strerror}",
                    mend=[
                        "keep the data in a folder of yours, on a disk of this machine: DEVKIT_DATA_DIR=/some/folder"
                    ],
                ) from error
        return True

    def release(self) -> None:
        """Let the next one have it."""
        while self._fds:
            os.close(self._fds.pop())

    def holder(self) -> Holder | None:
        """Who holds it, or None when nobody does. What it tells is to be trusted no more than the folder."""
        return next(filter(None, map(_holder, self._paths)), None)

    def wait_until_free(self, timeout_s: float) -> bool:
        """Wait for the holder to end; false when it still holds the lock after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.holder() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _here() -> tuple[str, str]:
    """Whose processes this process can see."""
    return socket.gethostname(), container_id()


def _holder(path: Path) -> Holder | None:
    deadline = time.monotonic() + LOOK_S
    with suppress(OSError), open(path, "rb", opener=_at_once) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
                    told = json.loads(file.read(MOST_BYTES))
                    return Holder(int(told["pid"]), *(str(told[name]) for name in TEXTS))
            else:
                return None
            if time.monotonic() > deadline:
                return Holder(0, *_here(), "", "")
            time.sleep(0.01)  # taken a moment ago, and not yet written
    return None


def _at_once(path: str, flags: int) -> int:
    """Open a file; a pipe of that name has nothing to wait for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _locked(fd: int) -> bool:
    deadline = time.monotonic() + LOOK_S
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


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
    """The processes in the record that still run. The same pid with another time of birth is somebody else's.

    A record that another user wrote says nothing: root may work in a folder of theirs.
    """
    try:
        if (folder / RECORD).stat().st_uid != os.getuid():
            return
        with open(folder / RECORD, opener=_at_once) as file:
            recorded = json.load(file)
    except (OSError, ValueError, RecursionError):
        return  # the stack before this one stopped as it should
    import psutil

    with suppress(ValueError, AttributeError, TypeError):
        for name, (pid, born) in recorded.items():
            with suppress(psutil.Error):
                if abs(psutil.Process(pid).create_time() - born) < 1:
                    yield name, pid
