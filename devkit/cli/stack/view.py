"""What `devkit logs` shows: lines of several services on standard output, for people as `up` shows them, or as JSON."""

import json
import sys
from collections.abc import Iterable, Sequence

from devkit.cli.console import show, wants_colour
from devkit.stack.logfile import Line
from devkit.stack.printer import Printer


class LogView:
    """Of these services. `following`: more lines come later, so that as JSON each is a document of its own."""

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
