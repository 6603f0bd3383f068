"""Python's own debugger on a task that is run again: at its first line, or where it failed."""

import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any

from ..structure import traceback_of
from ..tell.exceptions import last_line
from ..tell.plain_pdb import PlainPdb


class Quit(BaseException):
    """The user wants no more of this; not for the task to catch."""


def post_mortem(error: BaseException, is_own: "Callable[[FrameType], bool]") -> None:
    """A prompt in the innermost frame of the project's own code; returns when it is left."""
    if (raised := traceback_of(error)) is None:
        return
    sys.stdout.flush()
    print(last_line(error))  # noqa: T201 - it is for the terminal
    debugger = _PostMortem(is_own)
    debugger.reset()
    debugger.interaction(None, raised)


class _PostMortem(PlainPdb):
    def __init__(self, is_own: "Callable[[FrameType], bool]") -> None:
        super().__init__(nosigint=True)
        self._is_own = is_own

    def setup(self, f: "FrameType | None", tb: "TracebackType | None") -> None:
        super().setup(f, tb)
        this: Any = self
        own = [number for number, (frame, _) in enumerate(this.stack) if self._is_own(frame)]
        if own:
            this.curindex = own[-1]
            this.curframe = this.stack[own[-1]][0]
            if "curframe_locals" in vars(self):
                this.curframe_locals = this.curframe.f_locals


class Stepping(PlainPdb):
    """Stops at the first line of any of these functions, and no longer when that has returned."""

    def __init__(self, codes: "list[CodeType]") -> None:
        super().__init__(nosigint=True)
        self._codes = codes
        self._frame: FrameType | None = None

    def __enter__(self) -> None:
        sys.settrace(self._wait)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _wait(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event != "call" or frame.f_code not in self._codes:
            return None
        self._frame = frame
        self.reset()
        self.set_step()
        sys.settrace(self.trace_dispatch)
        return self.trace_dispatch(frame, event, arg)

    def dispatch_return(self, frame: FrameType, arg: Any) -> Any:
        trace = super().dispatch_return(frame, arg)
        if frame is self._frame:
            self.set_continue()  # what comes now is Celery's
        return trace

    def do_quit(self, arg: str) -> "bool | None":  # noqa: ARG002 - pdb's name for it
        raise Quit

    do_q = do_exit = do_EOF = do_quit  # noqa: N815 - pdb's names
