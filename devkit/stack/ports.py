"""Free ports on the loopback interface, and who holds one that is not free."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Collection
from contextlib import suppress
from itertools import chain
from pathlib import Path

from devkit.errors import DevkitError
from devkit.model.private import make_runtime

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """True when a server could bind 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class Reservations:
    """The ports that this stack has chosen: no other stack of this user takes them, also while nobody listens yet,
    or while the service that listens there starts again."""

    def __init__(self) -> None:
        # One folder for all projects, whatever their runtime folders are.
        self._folder = Path(tempfile.gettempdir()) / f"devkit-{os.getuid()}" / "ports"
        self._held: list[int] = []

    def next_free(self, port: int, taken: Collection[int], wish: int | None = None) -> int:
        """Reserve the one wished for, else the first from `port` on, that is free, reserved by no other stack and not
        in `taken`."""
        for candidate in chain([wish] if wish else [], range(port, 65536)):
            if candidate not in taken and is_free(candidate) and self._reserve(candidate):
                return candidate
        raise DevkitError(f"no port from {port} to 65535 is free on {HOST}")

    def close(self) -> None:
        """Give them back."""
        while self._held:
            os.close(self._held.pop())

    def _reserve(self, port: int) -> bool:
        try:
            make_runtime(self._folder)
            fd = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except (OSError, DevkitError):
            return True  # somebody else's folder, a full disk: then only what listens counts
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._held.append(fd)
        return True


def holder(port: int) -> str:
    """Who listens on `port`, for an error message: "pid 4711 (uvicorn main:app)"."""
    import psutil

    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listens and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                home = str(Path.home())
                return f"pid {connection.pid} ({command.replace(home, '~')[:100]})"
    return "another user's process"
