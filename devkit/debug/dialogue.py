"""What every debugger can be told, and the one in devkit's own workers."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from devkit.debug.events import DETACHED, Ended, Event, Left, Lost, Output, Prompted, Refused, Running, Stopped, Welcome
from devkit.debug.transport import Closed, Connection, Message, Text

COMPLETION_S = 2.0


class Dialogue(ABC):
    """One conversation with a debugger."""

    limits = ""

    @abstractmethod
    async def next(self) -> Event:
        """What it tells next; after one of `events.Last` nothing comes."""

    @abstractmethod
    def command(self, text: str) -> None:
        """Answer its prompt."""

    @abstractmethod
    def end_of_input(self) -> None:
        """Ctrl-D at its prompt: leave it, or whatever it asks for in between."""

    @abstractmethod
    def interrupt(self) -> None:
        """Ctrl-C while something runs."""

    @abstractmethod
    def leave(self) -> None:
        """End the conversation in the way that does the task no harm; asked a second time, at once."""

    @abstractmethod
    async def complete(self, text: str) -> tuple[int, list[str]]:
        """What may stand at the end of this line, and from where on."""

    def columns(self, columns: int) -> None:  # noqa: B027 - a plain rdb has no use for it
        """The terminal has this width."""


class Newlines:
    """Turns telnet's line ends into newlines."""

    def __init__(self) -> None:
        self._held = ""

    def __call__(self, text: str) -> str:
        text = self._held + text
        self._held = "\r" if text.endswith("\r") else ""
        return text.removesuffix("\r").replace("\r\n", "\n")


class AgentDialogue(Dialogue):
    """The debugger that a devkit worker carries."""

    def __init__(self, connection: Connection, token: str, columns: int, here: Callable[[str], str] = str) -> None:
        """`here` finds the files that it names."""
        self._connection = connection
        self._here = here
        self._newlines = Newlines()
        self._asked: dict[int, asyncio.Future[tuple[int, list[str]]]] = {}
        self._leaving = False
        connection.tell("hello", token=token, columns=columns)

    async def next(self) -> Event:
        while True:
            match await self._connection.receive():
                case Text(text):
                    if text := self._newlines(text):
                        return Output(text)
                case Message(kind, data):
                    if event := self._event(kind, data):
                        return event
                case Closed():
                    return Left(DETACHED) if self._leaving else Lost()

    def command(self, text: str) -> None:
        self._connection.tell("command", text=text)

    def end_of_input(self) -> None:
        self._connection.tell("eof")

    def interrupt(self) -> None:
        self._connection.interrupt()

    def leave(self) -> None:
        self._leaving = True
        self._connection.close()

    def columns(self, columns: int) -> None:
        self._connection.tell("columns", columns=columns)

    async def complete(self, text: str) -> tuple[int, list[str]]:
        number = max(self._asked, default=0) + 1
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._connection.tell("complete", id=number, text=text)
        try:
            return await asyncio.wait_for(answer, COMPLETION_S)
        except TimeoutError:
            return len(text), []
        finally:
            del self._asked[number]

    def _event(self, kind: str, data: dict[str, Any]) -> Event | None:
        if kind == "completions" and (answer := self._asked.get(data["id"])) and not answer.done():
            answer.set_result((data["start"], data["matches"]))
        event = MEANING[kind](data) if kind in MEANING else None
        return replace(event, file=self._here(event.file)) if isinstance(event, Stopped) else event


def _stopped(data: dict[str, Any]) -> Stopped:
    source = tuple((number, text) for number, text in data["source"])
    return Stopped(data["file"], data["line"], data["function"], data["event"], data["detail"], source,
                   changed=data.get("changed", False))  # fmt: skip


MEANING: dict[str, Callable[[dict[str, Any]], Event]] = {
    "welcome": lambda data: Welcome(data["session"]),
    "stopped": _stopped,
    "prompt": lambda data: Prompted(data["text"]),
    "running": lambda _: Running(),
    "ended": lambda data: Ended(data["state"], data["result"], data["exception"]),
    "refused": lambda data: Refused(data["why"]),
    "goodbye": lambda data: Left(data["why"]),
}
