"""How a change of the breakpoints is noticed at once: a signal of the folder they are in (Linux)."""

import atexit
import fcntl
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...store.files import make_private


class FolderSignal:
    """The kernel sends a signal when something in a folder changes (Linux): no thread, nothing to ask."""

    def __init__(self, folder: str, changed: "Callable[[], None]") -> None:
        self._folder = folder
        self._changed = changed
        self._fd = -1
        self._inode = (0, 0)

    def arm(self) -> None:
        """Ask the kernel for it, in this process. Changes nothing where that is not possible."""
        if not hasattr(fcntl, "F_NOTIFY") or threading.current_thread() is not threading.main_thread():
            return
        wanted = _free_signal(self._handle)
        with suppress(OSError):
            if wanted is not None:
                self._arm(wanted)

    def _arm(self, wanted: int) -> None:
        make_private(self._folder)
        atexit.unregister(self.disarm)
        self.disarm()
        self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        stat = os.fstat(self._fd)
        self._inode = stat.st_dev, stat.st_ino
        signal.signal(wanted, self._handle)
        signal.siginterrupt(wanted, False)
        # While Python ends there is no handler any more, and some signals kill.
        atexit.register(self.disarm)
        events = fcntl.DN_CREATE | fcntl.DN_MODIFY | fcntl.DN_RENAME | fcntl.DN_DELETE | fcntl.DN_MULTISHOT
        fcntl.fcntl(self._fd, fcntl.F_SETSIG, wanted)
        fcntl.fcntl(self._fd, fcntl.F_NOTIFY, events)

    def disarm(self) -> None:
        """No signal comes from here on."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        with suppress(OSError):
            stat = os.fstat(fd)
            if (stat.st_dev, stat.st_ino) == self._inode:  # after a fork somebody may have closed all files
                os.close(fd)

    def _handle(self, *_: Any) -> None:
        # It interrupts whatever runs: nothing may go wrong here. A debugger would be led into a `suppress`.
        try:  # noqa: SIM105
            self._changed()
        except Exception:  # noqa: S110
            pass


def _free_signal(own: Any) -> "int | None":
    """A signal that nobody uses, or that is this handler's already.

    First one that is ignored by default: at worst a notice is lost.
    """
    used = _signals_in_use()
    candidates: list[int] = [signal.SIGURG, *range(signal.SIGRTMIN + 7, signal.SIGRTMAX)]
    for candidate in candidates:
        handler = signal.getsignal(candidate)
        if handler == own or (handler == signal.SIG_DFL and candidate not in used):
            return candidate
    return None


def _signals_in_use() -> "set[int]":
    """Those that are blocked, ignored or caught; also by libraries that did not tell Python."""
    used = 0
    with suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith(("SigBlk:", "SigIgn:", "SigCgt:")):
                used |= int(line.split()[1], 16)
    return {number for number in range(1, signal.NSIG) if used >> (number - 1) & 1}
