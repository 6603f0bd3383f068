"""What `up` shows while it runs: the table, the services' output, and what happens to them."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from types import TracebackType

from devkit.cli.console import error_text, wants_colour
from devkit.cli.stack.table import all_ready, service_table
from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus
from devkit.model.text import printable
from devkit.settings.paths import Paths
from devkit.stack.excerpt import excerpt
from devkit.stack.logfile import LogFile, now
from devkit.stack.messages import OutputLost, Taker
from devkit.stack.printer import Printer

TAIL_LINES = 20
STDERR = 2


class Report:
    """Keeps every service's output in its log file and shows it; `quiet` shows only what devkit itself says."""

    def __init__(self, paths: Paths, names: Sequence[str], inbox: Taker, *, quiet: bool) -> None:
        self._quiet = quiet
        with suppress(OSError):  # a full disk keeps no log at all
            paths.started.touch(0o600)
            paths.started.write_text(now())
        self._folder = paths.logs
        self._logs: dict[str, LogFile] = {}
        self._printer = Printer(
            sys.stdout.fileno(),
            [*names, "devkit"],
            colour=wants_colour(sys.stdout),
            on_lost=lambda: inbox.put(OutputLost()),
        )
        self.add(names)
        # rich is imported now, while the services start, not when the table is due.
        if not quiet:
            Thread(target=service_table, args=([],), kwargs={"with_state": False}, daemon=True).start()

    def __enter__(self) -> "Report":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._printer.close()
        for log in self._logs.values():
            log.close()

    def add(self, names: Sequence[str]) -> None:
        """Services of which nothing was known before."""
        self._logs |= {name: LogFile(self._folder / f"{name}.log", self.notice) for name in names}
        self._printer.add(names)

    def output(self, name: str, chunk: bytes) -> None:
        """What a service printed, as it came."""
        self._logs[name].write(chunk)
        if not self._quiet:
            self._printer.output(name, chunk)

    def ended(self, name: str) -> None:
        """A service's process ended; its output is complete."""
        self._logs[name].end_line()
        self._printer.ended(name)

    def ready(self, name: str) -> None:
        """A service is ready."""
        self._printer.ready(name)

    def all_ready(self, services: Sequence[ServiceStatus]) -> None:
        """All are: the table, then the output."""
        if not self._quiet:
            self._printer.say(service_table(services, with_state=False) + "\n\n")
            self.notice(f"{all_ready(services)}; Ctrl-C stops it")
        self._printer.release()
        if self._quiet:  # whoever started this in the background shows it once it hears of the state
            self._printer.flush()

    def notice(self, text: str) -> None:
        """Something that happened to a service."""
        self._printer.say(f"devkit: {printable(text, lines=True)}\n", STDERR)

    def stopping(self) -> None:
        """The stack stops; from now on nothing waits for a slow terminal."""
        self._printer.release()
        # Not by way of the printer, which may wait for a reader of stdout: the answer to Ctrl-C comes at once.
        Thread(target=os.write, args=(STDERR, b"devkit: stopping; Ctrl-C again kills\n"), daemon=True).start()
        self._printer.hurry()

    def failed(self, error: DevkitError) -> None:
        """A service that will not run."""
        self._printer.say(error_text(error, colour=wants_colour(sys.stderr)) + "\n", STDERR)

    def tail(self, name: str) -> str:
        """The last lines of a service, for an error about it."""
        return excerpt(self._logs[name].tail(), TAIL_LINES)
