"""Whether who is connected, to a port of this machine or by a unix socket, is somebody else."""

import os
import socket
import struct
import sys
from contextlib import suppress

_ESTABLISHED = "01"


def is_another_user(connection: socket.socket) -> bool:
    """Whether a process of another user, who is not root, is connected; where the system does not tell: no."""
    if connection.family == socket.AF_UNIX:
        return _uid(connection) not in (0, os.getuid())
    try:
        with open("/proc/net/tcp", encoding="ascii") as table:
            lines = table.readlines()[1:]
        ours, theirs = _address(connection.getsockname()), _address(connection.getpeername())
    except FileNotFoundError:
        return False  # not Linux: the connection came from this machine, more is not known
    except OSError:
        return True
    pair = f" {theirs} {ours} "  # its end of the connection
    found = next((line for line in lines if pair in line), None)
    if found is None:
        return True  # it is gone already
    fields = found.split()
    return fields[3] != _ESTABLISHED or int(fields[7]) not in (0, os.getuid())


def listen(path: str) -> socket.socket:
    """A unix socket for this user alone, in the place of whatever lies there. Raises OSError."""
    with suppress(FileNotFoundError):  # of a process that was killed, or that runs beside this one
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chmod(path, 0o600)
    server.listen(128)
    return server


def _uid(connection: socket.socket) -> int:
    """Whose process is at the other end of a unix socket: the kernel noted it when it connected, or listened."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()  # not Linux: the mode of the socket, and of its folder, have to do
    size = struct.calcsize("iII")
    uid: int = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1]
    return uid


def _address(address: "tuple[str, int]") -> str:
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return f"{number:08X}:{port:04X}"
