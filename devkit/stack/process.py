"""One process of a service: started in a session of its own, its output followed to the end."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread

from devkit.errors import DevkitError
from devkit.model.lines import Lines
from devkit.model.wire import NOTIFY_FD, Note
from devkit.stack import sessions

CHUNK_BYTES = 65536
# How long the end of a service may take after its main process ended: until its output is read and the rest of
# its session is gone.
AFTERMATH_S = 2.0
POLL_S = 0.01


class Process:
    """A started process.

    With `talks` its standard input takes one order (`say`), and a notify pipe brings back what it tells (`answer`).
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        talks: bool = False,
        stdin_open: bool = False,
    ) -> None:
        """Raises DevkitError where the program cannot be started."""
        environ = dict(env)
        notify: int | None = None
        self._answers = -1
        self._told = Lines(lambda size: os.read(self._answers, size), Note, bear=True)
        self._reading = Lock()
        self._handing_over = Lock()
        if talks:
            self._answers, notify = os.pipe()
            environ[NOTIFY_FD] = str(notify)
        try:
            self._popen = subprocess.Popen(
                argv,
                cwd=cwd,
                env=environ,
                stdin=subprocess.PIPE if talks or stdin_open else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
                pass_fds=() if notify is None else (notify,),
            )
        except OSError as error:
            self._close_answers()
            missing = error.filename or argv[0]
            raise DevkitError(f"cannot run {argv[0]}: {missing}: {error.strerror}") from error
        finally:
            if notify is not None:
                os.close(notify)
        self.pid = self._popen.pid
        self.started_at = time.monotonic()

    def follow(self, on_output: Callable[[bytes], None], on_exit: Callable[[int], None]) -> None:
        """Hand every chunk of output to `on_output`, then the exit code to `on_exit`, both in threads."""
        reader = Thread(target=self._read, args=(on_output,), name=f"output of {self.pid}", daemon=True)
        reader.start()
        Thread(target=self._wait, args=(reader, on_exit), name=f"exit of {self.pid}", daemon=True).start()

    def say(self, order: bytes) -> None:
        """Give the process an order on standard input. A process that is gone says so by its exit."""
        assert self._popen.stdin is not None
        with suppress(OSError, ValueError):
            self._popen.stdin.write(order)

    def end_orders(self) -> None:
        """Close its standard input: there will be no order, or no further one."""
        if self._popen.stdin is not None:
            with suppress(OSError):
                self._popen.stdin.close()

    def answer(self, timeout_s: float | None = None) -> Note | None:
        """The next thing that the process says on its notify pipe; None when it ended, or said nothing in time."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._reading:
            while (answer := self._told.take()) is None:
                if not self._hear(None if deadline is None else max(0.0, deadline - time.monotonic())):
                    return None
        return answer

    def _hear(self, timeout_s: float | None) -> bool:
        """Read what is in the notify pipe; false when nothing came in time, or will come any more."""
        if self._answers < 0 or not select.select([self._answers], [], [], timeout_s)[0]:
            return False
        heard = self._told.fill()
        if not heard:
            self._close_answers()
        return heard

    def _close_answers(self) -> None:
        if self._answers >= 0:
            os.close(self._answers)
            self._answers = -1

    def ended(self) -> bool:
        """Whether its main process is gone."""
        return self._popen.poll() is not None

    def last_words(self) -> str | None:
        """What a process printed that ended and that nobody follows; None while it runs."""
        try:
            self._popen.wait(AFTERMATH_S)
        except subprocess.TimeoutExpired:
            return None
        sessions.end(self.pid, AFTERMATH_S)
        assert self._popen.stdout is not None
        with suppress(ValueError), self._popen.stdout as output:
            os.set_blocking(output.fileno(), False)  # what escaped from its session may hold the pipe open
            return (output.read() or b"").decode(errors="replace")
        return ""  # somebody followed it after all

    def signal(self, signum: int, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group; quietly nothing where it is gone."""
        if signum == signal.SIGKILL:
            sessions.kill(self.pid)
        with suppress(OSError):
            if group:
                os.killpg(self.pid, signum)
            else:
                self._popen.send_signal(signum)

    def wait(self) -> int:
        """Wait until it ended and nothing of its session is left; returns the exit code."""
        code = self._popen.wait()
        self.end_orders()
        sessions.end(self.pid, AFTERMATH_S)
        # Nobody is left who could answer: keep what was said, let go of the pipe.
        if self._reading.acquire(timeout=AFTERMATH_S):
            while self._hear(0):
                pass
            self._close_answers()
            self._reading.release()
        return code

    def wait_for_output(self) -> None:
        """Until all that it has printed so far was handed over; one that prints on and on is not waited for."""
        assert self._popen.stdout is not None
        deadline = time.monotonic() + AFTERMATH_S
        with suppress(OSError, ValueError):  # its output has come to its end
            while select.select([self._popen.stdout], [], [], 0)[0] and time.monotonic() < deadline:
                time.sleep(POLL_S)
        with self._handing_over:
            pass

    def _read(self, on_output: Callable[[bytes], None]) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as output:
            chunk = b"-"
            while chunk:
                select.select([output], [], [])
                with self._handing_over:
                    if chunk := os.read(output.fileno(), CHUNK_BYTES):
                        on_output(chunk)

    def _wait(self, reader: Thread, on_exit: Callable[[int], None]) -> None:
        code = self.wait()
        reader.join(AFTERMATH_S)
        on_exit(code)
