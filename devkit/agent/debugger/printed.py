"""Sends what a task prints to whoever debugs it; what others print goes where it always went."""

import sys
import threading
from collections.abc import Mapping
from typing import Any, cast

from .stream import Talk


class Routed:
    """Stands in for sys.stdout while a task is debugged."""

    def __init__(self, stream: Any, talks: "Mapping[int, Talk]") -> None:
        """`talks` has the debugged threads by their ident."""
        self.stream = stream
        self._talks = talks

    def write(self, text: str) -> Any:
        talk = self._talks.get(threading.get_ident())
        if talk and talk.client:
            return talk.write(text)
        if talk and (begun := talk.take_back()):  # the rest of its line goes the other way
            self.stream.write(begun)
        return self.stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def route(talks: "Mapping[int, Talk]") -> None:
    """From now on sys.stdout looks who prints."""
    if not isinstance(sys.stdout, Routed):
        sys.stdout = cast("Any", Routed(sys.stdout, talks))


def restore() -> None:
    """Nobody is debugged any more."""
    if isinstance(sys.stdout, Routed):
        sys.stdout = sys.stdout.stream
