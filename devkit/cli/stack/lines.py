"""The view behind `devkit logs`: the services' files, merged by time, in the form that `up` shows."""

import heapq
import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence

from devkit.cli.console import show, wants_colour
from devkit.errors import UsageError, did_you_mean
from devkit.settings.load import BUILT_IN_SERVICES
from devkit.settings.paths import Paths
from devkit.stack.lock import StackLock
from devkit.stack.logfile import Reader, split_stamp
from devkit.stack.printer import Printer

POLL_S = 0.1
Line = tuple[str, str, bytes]  # time, service, what it printed


class LogView:
    """Shows the lines of the named services, or of all that have a log."""

    def __init__(self, paths: Paths, names: Sequence[str], *, as_json: bool, following: bool) -> None:
        """Raises UsageError for a service without a log."""
        there = [path.stem for path in sorted(paths.logs.glob("*.log")) if path.stem != "devkit"]
        there.sort(key=lambda name: BUILT_IN_SERVICES.index(name) if name in BUILT_IN_SERVICES else 99)
        for name in names:
            if name not in there:
                raise UsageError(
                    f"there is no log of '{name}'{did_you_mean(name, there)}",
                    looked=[f"{paths.logs}: {', '.join(there) or 'no logs yet'}"],
                )
        self._stack = StackLock(paths.data, paths.runtime)
        self._readers = {name: Reader(paths.logs / f"{name}.log") for name in names or there}
        self._since = paths.started.read_text() if paths.started.exists() else ""
        self._shown = Lines(list(self._readers), as_json=as_json, following=following)

    def show_past(self, last: int | None) -> None:
        """Show what there is, at most the `last` lines of each service."""
        each = [self._lines(name, reader, last) for name, reader in self._readers.items()]
        # The times of one service only grow, so its own order stays; ties keep the services' order.
        merged = heapq.merge(*each, key=lambda line: line[0])
        self._shown.past(merged)

    def follow(self) -> None:
        """Show what comes, until no stack runs any more."""
        running = True
        while running:
            running = self._stack.holder() is not None  # asked before the last look, so that nothing is missed
            for name, reader in self._readers.items():
                self._shown.more(self._lines(name, reader, None))
            if running:
                time.sleep(POLL_S)

    def close(self) -> None:
        """Write out what is left."""
        self._shown.close()

    def _lines(self, name: str, reader: Reader, last: int | None) -> Iterable[Line]:
        stamped = map(split_stamp, reader.lines())
        found = ((moment, name, text) for moment, text in stamped if moment >= self._since)
        return found if last is None else deque(found, maxlen=last)


class Lines:
    """Lines of several services on standard output: for people as `up` shows them, or as JSON."""

    def __init__(self, names: Sequence[str], *, as_json: bool, following: bool) -> None:
        self._following = following
        self._printer: Printer | None = None
        if not as_json:
            sys.stdout.flush()
            self._printer = Printer(sys.stdout.fileno(), names, colour=wants_colour(sys.stdout), on_lost=lambda: None)
            self._printer.release()

    def past(self, lines: Iterable[Line]) -> None:
        """What there is, in the order of time."""
        if self._printer or self._following:
            self.more(lines)
        else:
            show(json.dumps([_as_json(line) for line in lines], indent=2))

    def more(self, lines: Iterable[Line]) -> None:
        """What came since."""
        for line in lines:
            if self._printer:
                self._printer.output(line[1], line[2] + b"\n")
            else:
                show(json.dumps(_as_json(line)))

    def close(self) -> None:
        """Write out what is left."""
        if self._printer:
            self._printer.close(timeout_s=60.0)


def _as_json(line: Line) -> dict[str, str]:
    return {"time": line[0], "service": line[1], "line": line[2].decode(errors="replace")}
