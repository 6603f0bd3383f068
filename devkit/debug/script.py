"""Debugger commands from a list or from a pipe; what comes back looks like pdb's own text."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread

from devkit.debug.conversation import Front
from devkit.debug.events import DETACHED, Ended, Event, Left, Output, Stopped
from devkit.debug.render import Paint, as_pdb


class Script(Front):
    """Gives one command after the other; `say` is for what is not the debugger's own output."""

    def __init__(self, commands: Sequence[str] | None, say: Callable[[str], None], task: str = "the task") -> None:
        """`commands` to give, or None: the lines of standard input. `task` is what is said to have ended."""
        self._task = task
        self._commands = None if commands is None else list(commands)
        self._say = say

    async def read(self, _: str) -> str | None:
        if self._commands is None:
            return await _line()
        return self._commands.pop(0) if self._commands else None

    async def show(self, event: Event) -> None:
        match event:
            case Output(text):
                _write(text)
            case Stopped():
                _write(as_pdb(event))
            case Ended() | Left():
                if isinstance(event, Ended):
                    self._say(Paint(colour=False).ended(event, self._task).rstrip())
                elif event.why != DETACHED:
                    self._say(event.why)
                if self._commands:
                    self._say(f"left over, not executed: {'; '.join(self._commands)}")
            case _:
                pass  # the outcome tells


async def _line() -> str | None:
    """The next line of standard input, or None at its end. Nobody waits for the thread where that never comes."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def arrived(line: str) -> None:
        if not answer.done():
            answer.set_result(line)

    def read() -> None:
        line = sys.stdin.readline()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(arrived, line)

    Thread(target=read, daemon=True).start()
    line = await answer
    return line.rstrip("\n") if line else None


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
