"""Lends forks of the zygote to `devkit replay`, which need to import nothing but the project's own code.

Who connects to the socket, in a folder of this user's alone, sends a LoanOrder, and with it the file descriptors that
are to become the fork's standard input, output and error, its orders and its answers. The answer is LoanNews, first of
its begin and then of its end; or the connection is closed.
"""

import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress

from ...model.lines import CHUNK, Lines, line
from ...model.peer import is_another_user, listen
from ...model.wire import LoanNews, LoanOrder
from .launch import import_from

FDS = 5
PATIENCE_S = 1.0
MOST_FDS = 1024


class Loans:
    """The socket, and the forks that are out."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._socket = listen(path)
        self.fd = self._socket.fileno()
        self._out: dict[int, socket.socket] = {}

    def lend(self) -> "tuple[LoanOrder, list[int]] | None":
        """Answer one who asks: in the fork, returns what was sent; here, None."""
        connection, _ = self._socket.accept()
        fds: list[int] = []
        try:
            connection.settimeout(PATIENCE_S)
            if is_another_user(connection):
                raise ValueError("not for others")
            data, fds, _, _ = socket.recv_fds(connection, CHUNK, FDS)
            lines = Lines(connection.recv, LoanOrder)
            lines.feed(data)
            order = lines.next()
            if order is None or len(fds) != FDS or order["python"] != sys.executable:
                raise ValueError("not for us")
            child = os.fork()
            if child == 0:
                return order, fds
            self._out[child] = connection
            connection.sendall(line(LoanNews(pid=child)))
        except (OSError, ValueError):
            connection.close()
        for fd in fds:
            os.close(fd)
        return None

    def close(self) -> None:
        """Lend no more; what is out comes back as before."""
        self._socket.close()
        self.fd = -1

    def ended(self, pid: int, status: int) -> None:
        """A child of the zygote ended: whoever has borrowed it wants to know."""
        if connection := self._out.pop(pid, None):
            with suppress(OSError):
                connection.sendall(line(LoanNews(status=status)))
            connection.close()


def become(order: LoanOrder, fds: "list[int]") -> None:
    """Replay, in the fork, to its end: the zygote's own loop is not for its fork."""
    try:
        _replay(order, fds)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
        os._exit(1)


def _replay(order: LoanOrder, fds: "list[int]") -> None:
    from ..replay import serve

    with suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends without a word, but while a task runs
    orders, answers = fds[3:]
    kept = sorted((orders, answers))
    for place, fd in enumerate(fds[:3]):
        os.dup2(fd, place)
    # Nobody is to wait for the end of a pipe that is open here only by accident.
    for start, end in zip([2, *kept], [*kept, MOST_FDS]):  # noqa: B905 - Python 3.10
        os.closerange(start + 1, end)
    for stream, terminal in ((sys.stdout, 1), (sys.stderr, 2)):
        with suppress(AttributeError):
            stream.reconfigure(  # type: ignore[union-attr]
                line_buffering=os.isatty(terminal) or terminal == 2
            )
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    import_from(order)
    sys.argv = ["devkit-replay"]
    serve.main([*order["argv"], str(orders), str(answers)])
