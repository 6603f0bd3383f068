"""Free ports on the loopback interface, and who holds one that is not free."""

import socket
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
TRIES = 100


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


def next_free(port: int, taken: set[int]) -> int:
    """The first free port from `port` on that is not in `taken`; an arbitrary free one when a hundred are in use."""
    for candidate in range(port, min(port + TRIES, 65536)):
        if candidate not in taken and is_free(candidate):
            return candidate
    with socket.create_server((HOST, 0)) as server:
        found: int = server.getsockname()[1]
        return found


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
