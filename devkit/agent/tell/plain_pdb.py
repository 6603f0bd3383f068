"""pdb that runs nothing of the project's by itself: neither for what a function returns, nor for what is raised."""

import pdb
from types import FrameType, SimpleNamespace
from typing import Any

from ..structure import pairs
from .exceptions import last_line
from .values import short


class PlainPdb(pdb.Pdb):
    """Says where it stopped; only commands of the user's print values by their own code."""

    def user_exception(self, frame: FrameType, exc_info: Any) -> None:
        kind, error, traceback = exc_info
        frame.f_locals["__exception__"] = kind, error
        if hasattr(self, "set_convenience_variable"):  # from Python 3.12 on
            self.set_convenience_variable(frame, "_exception", error)
        # A generator that is at its end has raised nothing.
        internal = "Internal " if not traceback and kind is StopIteration else ""
        self.message(f"{internal}{last_line(error)}")
        self.interaction(frame, traceback)

    def format_stack_entry(self, frame_lineno: "tuple[FrameType, int]", lprefix: str = ": ") -> str:
        frame, line = frame_lineno
        returned = {name: _ShownAs(short(value)) for name, value in pairs(frame.f_locals) if name == "__return__"}
        shown: Any = SimpleNamespace(f_code=frame.f_code, f_globals=frame.f_globals, f_locals=returned)
        return super().format_stack_entry((shown, line), lprefix)


class _ShownAs(str):
    """Printed as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
