"""devkit's side of a zygote: the process under the project's interpreter that forks generations."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Unpack

from devkit.errors import DevkitError
from devkit.model.lines import Lines, line, write
from devkit.model.wire import NOTIFY_FD, Note, ZygoteOrder
from devkit.reload.messages import AllGone, Inbox, Told, ZygoteEnded


class ZygoteProcess:
    """A started zygote. What it tells and its end arrive in the inbox under its `pid`."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], keep: Sequence[int], inbox: Inbox
    ) -> None:
        """`keep` are file descriptors that it inherits. Raises DevkitError where it cannot be started."""
        told, notify = os.pipe()
        try:
            self._popen = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**env, NOTIFY_FD: str(notify)},
                stdin=subprocess.PIPE,
                bufsize=0,
                process_group=0,  # a Ctrl-C in the terminal is ours alone to pass on
                pass_fds=(notify, *keep),
            )
        except OSError as error:
            os.close(told)
            raise DevkitError(f"cannot run {argv[0]}: {error.filename or argv[0]}: {error.strerror}") from error
        finally:
            os.close(notify)
        self.pid = self._popen.pid
        self.program = argv[0]
        Thread(target=self._listen, args=(told, inbox), name=f"zygote {self.pid}", daemon=True).start()
        Thread(target=self._wait, args=(inbox,), name=f"end of zygote {self.pid}", daemon=True).start()

    def order(self, **order: Unpack[ZygoteOrder]) -> None:
        """Give an order (`devkit.agent.fork.zygote`); one that is gone says so by its end."""
        assert self._popen.stdin is not None
        with suppress(OSError, ValueError):
            write(self._popen.stdin.fileno(), line(order))

    def close(self) -> None:
        """No more orders: its generations finish what they run, then it ends."""
        assert self._popen.stdin is not None
        with suppress(OSError):
            self._popen.stdin.close()

    def kill(self) -> None:
        """SIGKILL. Its generations notice, and end when they are done."""
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def kill_generation(self, pid: int) -> None:
        """SIGKILL for a generation and its pool; it is known not to have ended yet."""
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)

    def _listen(self, told: int, inbox: Inbox) -> None:
        for message in Lines(partial(os.read, told), Note, bear=True):
            inbox.put(Told(self.pid, message))
        os.close(told)
        inbox.put(AllGone(self.pid))

    def _wait(self, inbox: Inbox) -> None:
        code = self._popen.wait()
        inbox.put(ZygoteEnded(self.pid, code))
