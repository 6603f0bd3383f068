"""Whether who is connected to a port of this machine is somebody else."""

import os
import socket
import sys

_ESTABLISHED = "01"


def is_another_user(connection: socket.socket) -> bool:
    """Whether a process of another user, who is not root, is connected; where the system does not tell: no."""
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


def _address(address: "tuple[str, int]") -> str:
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return f"{number:08X}:{port:04X}"
