"""One conversation, from the first prompt to the end: what the debugger says is shown, what is answered is sent."""

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from devkit.debug.dialogue import Dialogue
from devkit.debug.events import Ended, Event, Last, Left, Lost, Prompted, Refused

ENDS = (Ended, Left, Refused, Lost)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Front(ABC):
    """Who gives the commands and sees what comes back."""

    # Ctrl-C is for what runs in the task; where nobody sits, it ends the conversation.
    ctrl_c_interrupts = False

    @abstractmethod
    async def read(self, prompt: str) -> str | None:
        """The next command, or None at the end of the input."""

    @abstractmethod
    async def show(self, event: Event) -> None:
        """Show whatever was told."""

    def columns(self) -> int | None:
        """The terminal's width, if it has changed."""
        return None


@dataclass(frozen=True)
class Outcome:
    """How it ended, and by which signal if by one."""

    last: Last
    signum: int | None = None


class Conversation:
    """Lets a front and a debugger talk."""

    def __init__(self, dialogue: Dialogue, front: Front) -> None:
        self._dialogue = dialogue
        self._front = front
        self._signum: int | None = None

    async def run(self) -> Outcome:
        """Until the task ends, or somebody ends the conversation."""
        with self._signals():
            return Outcome(await self._talk(), self._signum)

    async def _talk(self) -> Last:
        receiving = asyncio.create_task(self._dialogue.next())
        reading: asyncio.Task[str | None] | None = None
        try:
            while True:
                await asyncio.wait(filter(None, (receiving, reading)), return_when=asyncio.FIRST_COMPLETED)
                if receiving.done():
                    event = receiving.result()
                    if isinstance(event, ENDS):
                        await _end(reading)
                        await self._front.show(event)
                        return event
                    receiving = asyncio.create_task(self._dialogue.next())
                    await self._front.show(event)
                    # A prompt that is repeated, after a notice, leaves alone what is typed already.
                    if isinstance(event, Prompted) and not reading:
                        reading = asyncio.create_task(self._front.read(event.text))
                elif reading and reading.done():
                    text, reading = reading.result(), None
                    self._answer(text)
        finally:
            await _end(receiving)
            await _end(reading)

    def _answer(self, text: str | None) -> None:
        if (columns := self._front.columns()) is not None:
            self._dialogue.columns(columns)
        if text is None:
            self._dialogue.end_of_input()
        else:
            self._dialogue.command(text)

    def _on_signal(self, signum: int) -> None:
        if signum == signal.SIGINT and self._front.ctrl_c_interrupts:
            self._dialogue.interrupt()
        else:
            self._signum = signum
            self._dialogue.leave()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for signum in SIGNALS:
            loop.add_signal_handler(signum, self._on_signal, signum)
        try:
            yield
        finally:
            for signum in SIGNALS:
                loop.remove_signal_handler(signum)


async def _end(task: asyncio.Task[str | None] | asyncio.Task[Event] | None) -> None:
    if task and not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
