"""Watching single lines, where Python can (3.12 on, PEP 669)."""

import atexit
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .places import Places

Stop = Callable[[types.FrameType], bool]


MONITORING: Any = getattr(sys, "monitoring", None)
TOOL_IDS = (3, 4)  # the others have a meaning: debugger, coverage, profiler, optimizer
TOOL = "devkit"


class Monitor:
    """PEP 669: Python calls back for the lines of some code objects."""

    def __init__(self, places: Places, entered: Stop, reached: Stop) -> None:
        self._places = places
        self._entered = entered
        self._reached = reached
        self._tool: int | None = None
        self._watched: dict[int, types.CodeType] = {}

    @property
    def watches(self) -> bool:
        """False as well where two other tools have taken what there is: then lines are traced."""
        return self._tool is not None

    def watch(self, wanted: bool) -> None:
        """Anew, for the breakpoints as they are now."""
        for code in list(self._watched.values()):  # other threads may add to it
            MONITORING.set_local_events(self._tool, code, 0)
        self._watched = {}
        if not wanted:
            self._release()
        elif self._take():
            self._look_at_running()
            # What was looked at before is looked at again.
            MONITORING.restart_events()

    def _take(self) -> bool:
        events = MONITORING.events
        for tool in TOOL_IDS if self._tool is None else ():
            with suppress(ValueError):  # somebody else has it
                MONITORING.use_tool_id(tool, TOOL)
                self._tool = tool
                MONITORING.register_callback(tool, events.PY_START, self._start)
                MONITORING.register_callback(tool, events.PY_RESUME, self._resume)
                MONITORING.register_callback(tool, events.LINE, self._line)
                MONITORING.set_events(tool, events.PY_START | events.PY_RESUME)
                atexit.register(self._release)  # what runs while Python ends finds no module of this one any more
                break
        return self._tool is not None

    def _release(self) -> None:
        if self._tool is not None:
            events = MONITORING.events
            MONITORING.set_events(self._tool, 0)
            for event in (events.PY_START, events.PY_RESUME, events.LINE):
                MONITORING.register_callback(self._tool, event, None)
            MONITORING.free_tool_id(self._tool)
            self._tool = None
            atexit.unregister(self._release)

    def _look_at_running(self) -> None:
        """Who is in a function already does not enter it."""
        for running in sys._current_frames().values():
            frame: types.FrameType | None = running
            while frame is not None:
                self._look(frame.f_code)
                frame = frame.f_back

    def _look(self, code: types.CodeType) -> None:
        if self._tool is not None and id(code) not in self._watched and self._places.stops(code) is not None:
            self._watched[id(code)] = code
            MONITORING.set_local_events(self._tool, code, MONITORING.events.LINE)

    def _start(self, code: types.CodeType, _offset: int) -> Any:
        self._look(code)
        if id(code) in self._watched and self._entered(sys._getframe(1)):
            return None
        return MONITORING.DISABLE  # to have looked at each code object once is enough

    def _resume(self, code: types.CodeType, _offset: int) -> Any:
        self._look(code)
        return MONITORING.DISABLE

    def _line(self, *_: Any) -> Any:
        return None if self._reached(sys._getframe(1)) else MONITORING.DISABLE
