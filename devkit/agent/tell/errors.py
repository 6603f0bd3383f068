"""What an exception tells: its type, its message, and its frames, with the locals of the project's own code as text."""

import linecache
import os
from types import FrameType, ModuleType, TracebackType
from typing import Any

import billiard
import celery
import kombu

from ...model import own
from ...model.failure import Frame
from ..structure import module_name, pairs, top, traceback_of, type_name
from .exceptions import answers_itself, message, shortened, traceback_text
from .values import MASK, is_secret, short

FIRST_FRAMES, LAST_FRAMES = 5, 25
MOST_LOCALS = 30
LONGEST_VALUE = 200
MOST_TEXT = 8000  # characters of locals in all
TITLE, FRAME = "Traceback (most recent call last):\n", '  File "'
CELERY_FRAMES = tuple(FRAME + os.path.dirname(str(package.__file__)) + os.sep for package in (celery, kombu, billiard))
CELERY = (*own.CELERY, "devkit", "_devkit")


def describe(error: BaseException, root: str, package: str = "", *, text: bool = True) -> "dict[str, Any]":
    """{"exception", "message", "traceback", "frames"}: JSON values, the innermost frame last.

    `root` is the project's folder, `package` the task's (`own.is_own`). Without `text` the traceback is empty: Celery
    makes one, too, and it takes longer than all the rest (`without_celery`).
    """
    start = _beyond_celery(traceback_of(error))
    text_of_it = traceback_text(error, start) if text else ""
    return _described(error, message(error), text_of_it, start, root, package)


def retold(described: "dict[str, Any]", error: BaseException, told: str) -> "dict[str, Any]":
    """The same, now that Celery has written the traceback `told`: what the error answers itself is in there."""
    if not answers_itself(error):
        return described
    text = described["traceback"] and traceback_text(error, _beyond_celery(traceback_of(error)), told)
    return {**described, "message": message(error, told), "traceback": text}


def without_celery(text: str) -> str:
    """A traceback's text without the frames of Celery's with which it begins: how the worker came to call the task."""
    start = text.rfind(TITLE + FRAME) + len(TITLE)  # of the error itself; those that led to it come before
    lines = text[start:].splitlines(keepends=True)
    while lines and lines[0].startswith(CELERY_FRAMES):
        del lines[0]
        while lines and lines[0].startswith("    "):  # the frame's source
            del lines[0]
    # Without any frame left, it is of Celery itself.
    return shortened(text[:start] + "".join(lines) if lines and lines[0].startswith(FRAME) else text)


def describe_passed_on(error: BaseException, told: Any, root: str, package: str = "") -> "dict[str, Any]":
    """The same of an error that was not described where it was raised, by what Celery passes on of it: no locals.

    `told` is billiard's ExceptionInfo, or None.
    """
    start = _beyond_celery(told.tb) if told else None
    if (
        start is None or top(start.tb_frame.f_globals) in CELERY
    ):  # the worker itself raised it, for a process that is gone
        return _described(error, message(error), "", None, root, package)
    return _described(error, message(error, told.traceback), shortened(told.traceback), start, root, package)


def _described(error: BaseException, said: str, text: str, start: Any, root: str, package: str) -> "dict[str, Any]":
    frames = _frames(start)
    cut = frames if len(frames) <= FIRST_FRAMES + LAST_FRAMES else [*frames[:FIRST_FRAMES], *frames[-LAST_FRAMES:]]
    found, room = [], MOST_TEXT
    for frame, line in reversed(cut):  # the innermost has the most to tell
        ours = is_own(frame, root, package)
        values = _locals(frame, room) if ours else {}
        room -= sum(len(name) + len(text) for name, text in values.items())
        found.append(_frame(frame, line, ours, values))
    return {
        "exception": type_name(type(error)),
        "message": said,
        "traceback": text,
        "frames": found[::-1],
    }


def is_own(frame: FrameType, root: str, package: str) -> bool:
    """Whether a frame is of the project's own code."""
    return top(frame.f_globals) not in CELERY and own.is_own(frame.f_code.co_filename, root, package)


def _beyond_celery(start: Any) -> Any:
    """How the worker came to call the task is the same every time."""
    while start and start.tb_next and top(start.tb_frame.f_globals) in CELERY:
        start = start.tb_next
    return start


def _frames(start: "TracebackType | None") -> "list[tuple[FrameType, int]]":
    found = []
    while start:
        found.append((start.tb_frame, start.tb_lineno))
        start = start.tb_next
    return found


def _frame(frame: FrameType, line: int, ours: bool, values: "dict[str, str]") -> "dict[str, Any]":
    code = frame.f_code
    function = getattr(code, "co_qualname", code.co_name)  # from Python 3.11 on
    module = module_name(frame.f_globals)
    source = linecache.getline(code.co_filename, line).strip()[:LONGEST_VALUE]
    return vars(Frame(code.co_filename, line, function, module, source, ours, values))


def _locals(frame: FrameType, room: int) -> "dict[str, str]":
    found = {}
    for name, value in pairs(frame.f_locals)[:MOST_LOCALS]:
        if name.startswith("__") or issubclass(type(value), ModuleType):  # they tell nothing
            continue
        text = MASK if is_secret(name) else short(value)
        if len(text) > LONGEST_VALUE:
            text = f"{text[:LONGEST_VALUE]}…"
        room -= len(name) + len(text)
        if room < 0:
            break
        found[name] = text
    return found
