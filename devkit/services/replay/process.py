"""A process for `devkit replay`: borrowed from the worker's zygote where one runs, else started."""

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

from devkit.model.lines import Lines, line
from devkit.model.private import connect
from devkit.model.wire import LoanNews, LoanOrder
from devkit.services.commands import AGENT
from devkit.services.project.target import Target

# A zygote may be importing something.
PATIENCE_S = 1.0
KILLED = -signal.SIGKILL


class ReplayProcess(Protocol):
    """It runs `devkit.agent.replay.serve`."""

    def wait(self) -> int:
        """Its exit code, or the signal that ended it, negative."""

    def kill(self) -> None:
        """End it."""


class Lent:
    """A fork of the zygote (`devkit.agent.fork.loan`), which alone can wait for it."""

    def __init__(self, connection: socket.socket) -> None:
        """Raises OSError, ValueError or KeyError where none is lent."""
        self._connection = connection
        self._told = Lines(connection.recv, LoanNews)
        self._pid = self._answer()["pid"]
        self._code: int | None = None

    def wait(self) -> int:
        """Its exit code; that of one that was killed if the zygote is gone."""
        if self._code is None:
            self._connection.settimeout(None)
        return self._ended()

    def kill(self) -> None:
        """End it. It has not heard the terminal's Ctrl-C, and gets a moment for its `finally`."""
        if self._code is not None:
            return
        self._connection.settimeout(PATIENCE_S)
        for signum in (signal.SIGINT, signal.SIGKILL):
            with suppress(TimeoutError, ProcessLookupError):
                os.kill(self._pid, signum)
                self._ended()
                break

    def _ended(self) -> int:
        if self._code is None:
            try:
                self._code = os.waitstatus_to_exitcode(self._answer()["status"])
            except (ValueError, KeyError, ConnectionError):
                self._code = KILLED
            self._connection.close()
        return self._code

    def _answer(self) -> LoanNews:
        if (answer := self._told.next()) is None:
            raise ValueError("nothing is lent")
        return answer


def borrow(loans: Path, target: Target, fds: Sequence[int]) -> Lent | None:
    """A fork of the zygote that lends there; `fds` are to be its standard streams, its orders and its answers.

    None where none is lent. Raises DevkitError where another user would lend one.
    """
    argv = [target.app.module, target.app.attribute]
    data = line(LoanOrder(python=target.python, argv=argv, cwd=str(target.app.folder), env=target.environ))
    with ExitStack() as at_failure, suppress(OSError, ValueError, KeyError):
        connection = at_failure.enter_context(connect(loans, PATIENCE_S))
        sent = socket.send_fds(connection, [data], list(fds))
        connection.sendall(data[sent:])
        lent = Lent(connection)
        at_failure.pop_all()
        return lent
    return None


def start(target: Target, fds: Sequence[int]) -> ReplayProcess:
    """A process of its own. Its standard input is ours."""
    _, stdout, _, orders, answers = fds
    argv = [target.python, str(AGENT), "replay", target.app.module, target.app.attribute, str(orders), str(answers)]
    return subprocess.Popen(argv, cwd=target.app.folder, env=target.environ, stdout=stdout, pass_fds=(orders, answers))
