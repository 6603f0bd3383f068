"""Processes that are started before it is known what they are to run."""

import signal
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from devkit.errors import DevkitError
from devkit.stack.process import Process
from devkit.stack.service import Poll, Service

POLL_S = 0.02


class EarlyProcesses:
    """Processes that were started before it is known what they are to run, or whether at all."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, ...], Process] = {}
        self._grace_s: dict[tuple[str, ...], float] = {}

    def start(self, argv: tuple[str, ...], cwd: Path, env: Mapping[str, str]) -> Process:
        """Start one; `argv` is the command that the service will have."""
        self._processes[argv] = Process(argv, cwd=cwd, env=env, talks=True)
        return self._processes[argv]

    def run_ahead(self, services: Sequence[Service], timeout_s: float) -> None:
        """Start them, and wait until all are ready; the supervisor takes them over. Raises DevkitError."""
        processes = [(one, self.start(one.argv, one.cwd, one.env)) for one in services]
        self._grace_s |= {one.argv: one.grace_s for one in services}
        deadline = time.monotonic() + timeout_s
        for service, process in processes:
            assert isinstance(service.ready, Poll)
            while not service.ready.check():
                if process.ended():
                    raise DevkitError(f"{service.name} ended at once", excerpt=process.last_words() or "")
                if time.monotonic() > deadline:
                    raise DevkitError(
                        f"{service.name} did not become ready in {timeout_s:g} s",
                        mend=[f"devkit waited for {service.ready.what}; more time: --timeout SECONDS"],
                    )
                time.sleep(POLL_S)

    def take(self, argv: tuple[str, ...]) -> Process | None:
        """The process started with this command, if it was."""
        return self._processes.pop(argv, None)

    def close(self, besides: Collection[tuple[str, ...]] = ()) -> None:
        """End those that nobody took; `besides` are commands that will still be asked for."""
        for argv in [argv for argv in self._processes if argv not in besides]:
            process = self._processes.pop(argv)
            if argv in self._grace_s:  # it has data to keep
                process.signal(signal.SIGINT)
                deadline = time.monotonic() + self._grace_s[argv]
                while not process.ended() and time.monotonic() < deadline:
                    time.sleep(POLL_S)
            process.signal(signal.SIGKILL)
            process.wait()
