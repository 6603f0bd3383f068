"""Who is at the other end of a connection to the debugger: whether it may come in."""

import os
import re
import socket
import sys

# A browser that was tricked into posting here, a proxy, or somebody who takes this for a web server.
_HTTP_LINE = re.compile(rb"\S HTTP/\d(\.\d)?\s*$")
TLS = b"\x16\x03"
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


def looks_like_a_browser(data: bytes) -> bool:
    """Whether what was sent first is the beginning of an HTTP request or of a TLS handshake."""
    return data.startswith(TLS) or _HTTP_LINE.search(data) is not None


def _address(address: "tuple[str, int]") -> str:
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return f"{number:08X}:{port:04X}"
