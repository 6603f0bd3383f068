"""Sends what a task prints to whoever debugs it; what others print goes where it always went."""

import sys
import threading
from collections.abc import Mapping
from typing import Any, cast

from .stream import DebuggerStream


class Routed:
    """Stands in for sys.stdout while a task is debugged."""

    def __init__(self, stream: Any, debugged: "Mapping[int, DebuggerStream]") -> None:
        """`debugged` has the streams of the debugged threads, by their ident."""
        self.stream = stream
        self._debugged = debugged

    def write(self, text: str) -> Any:
        debugged = self._debugged.get(threading.get_ident())
        if debugged and debugged.client:
            return debugged.write(text)
        if debugged and (begun := debugged.take_back()):  # the rest of its line goes the other way
            self.stream.write(begun)
        return self.stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def route(debugged: "Mapping[int, DebuggerStream]") -> None:
    """From now on sys.stdout looks who prints."""
    if not isinstance(sys.stdout, Routed):
        sys.stdout = cast("Any", Routed(sys.stdout, debugged))


def restore() -> None:
    """Nobody is debugged any more."""
    if isinstance(sys.stdout, Routed):
        sys.stdout = sys.stdout.stream
