"""Processes that are started before it is known what they are to run."""

import signal
from collections.abc import Collection, Mapping
from pathlib import Path

from devkit.stack.process import Process


class EarlyProcesses:
    """Processes that were started before it is known what they are to run, or whether at all."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, ...], Process] = {}

    def start(self, argv: tuple[str, ...], cwd: Path, env: Mapping[str, str]) -> Process:
        """Start one; `argv` is the command that the service will have."""
        self._processes[argv] = Process(argv, cwd=cwd, env=env, talks=True)
        return self._processes[argv]

    def take(self, argv: tuple[str, ...]) -> Process | None:
        """The process started with this command, if it was."""
        return self._processes.pop(argv, None)

    def close(self, besides: Collection[tuple[str, ...]] = ()) -> None:
        """End those that nobody took; `besides` are commands that will still be asked for."""
        for argv in [argv for argv in self._processes if argv not in besides]:
            process = self._processes.pop(argv)
            process.signal(signal.SIGKILL)
            process.wait()
