"""What a debugger reads and writes: a stream whose other end is whoever is attached, at times nobody."""

from collections.abc import Callable
from queue import Empty
from typing import Any

from . import telnet
from .listener import Client, Item, Listener

POLL_S = 0.2


class Released(BaseException):
    """Nobody is to wait any longer: the worker ends."""


class DebuggerStream:
    """Standard input and output of one debugger.

    What was written last without a line's end is a prompt when something is read next; until then it is held back.
    """

    encoding = "utf-8"

    def __init__(self, listener: Listener, complete: "Callable[[str], tuple[int, list[str]]]") -> None:
        self.listener = listener
        self.while_waiting: Callable[[], None] = lambda: None  # called again and again while nobody says anything
        self.waiting = False
        self.lines = 0  # how many have been taken of those that came
        self.ends_at_eof = False  # what reads now takes Ctrl-D as its end; otherwise it is for detaching
        self._complete = complete
        self._partial = ""
        self._greeted: Client | None = None
        self._greeted_as_devkit = False
        self._position: dict[str, Any] = {}
        self._position_text = ""
        self._position_shown = True

    @property
    def client(self) -> "Client | None":
        return self.listener.client

    # For the debugger, and for whatever it runs

    def write(self, text: str) -> int:
        """Send whole lines; returns the number of characters, like every stream."""
        whole, newline, self._partial = (self._partial + text).rpartition("\n")
        client = self.client
        if newline and client:
            client.send(telnet.text(whole + newline))
        return len(text)

    def take_back(self) -> str:
        """What was written and has not been sent, because its line is not complete."""
        begun, self._partial = self._partial, ""
        return begun

    def flush(self) -> None:
        """Nothing to do: what can be sent is sent."""

    def isatty(self) -> bool:
        return False

    def readline(self, _: int = -1) -> str:
        """Wait for a line of whoever is attached, or will be. Raises Released; returns "" only for Ctrl-D where
        `ends_at_eof`."""
        prompt, self._partial = self._partial, ""
        self._show_position()
        self._prompt(prompt)
        self.waiting = True
        try:
            while True:
                line = self._take(self._next_item(), prompt)
                if line is not None:
                    return line
        finally:
            self.waiting = False

    def _next_item(self) -> "Item | None":
        try:
            return self.listener.items.get(timeout=POLL_S)
        except Empty:
            self.while_waiting()
            return None

    def _take(self, item: "Item | None", prompt: str) -> "str | None":
        if item is None:
            return None
        if item.kind == "line":
            self.waiting = item.client is not self.client  # first: a Ctrl-C that comes now is meant for this line
            self.lines += 1
        if item.client is not self.client:  # of one that is gone
            return None
        if item.kind == "line":
            return f"{item.data}\n"
        if item.kind == "attached":
            # One that came while something ran was told after that; one that turned out to be devkit's is told anew.
            if item.client is not self._greeted or item.client.by_hand is self._greeted_as_devkit:
                self._position_shown = False
                self._show_position()
                self._prompt(prompt)
        elif item.kind == "eof" and self.ends_at_eof:
            return ""
        elif item.kind == "eof":
            self.detach()
        elif item.kind == "complete":
            self._send_completions(item.client, item.data)
        return None

    # For whoever is attached

    def stopped(self, position: "dict[str, Any]", text: str) -> None:
        """The task stands somewhere: `position` for devkit's client, `text` for telnet by hand."""
        self._position, self._position_text, self._position_shown = position, text, False

    def running(self) -> None:
        """It goes on."""
        self._end_line()
        self._tell("running")

    def ended(self, state: str, result: "str | None", exception: "str | None") -> None:
        """The task is over; so is the conversation."""
        self._end_line()
        if client := self.client:
            words = telnet.message("ended", state=state, result=result, exception=exception)
            if client.by_hand:
                words = telnet.text(f"-- the task ended: {state} {exception or result or ''}".rstrip() + "\n")
            self.listener.detach(client, words)

    def detach(self, why: str = "detached") -> None:
        """Let the client go; the task stays as it is."""
        if client := self.client:
            text = "-- detached: the task stays paused\n" if why == "detached" else f"-- {why}\n"
            words = telnet.text(text) if client.by_hand else telnet.message("goodbye", why=why)
            self.listener.detach(client, words)

    def _end_line(self) -> None:
        if self._partial:
            self.write("\n")

    def _show_position(self) -> None:
        client = self.client
        if client and not self._position_shown:
            self._position_shown = True
            words = telnet.text(self._position_text + "\n")
            client.send(words if client.by_hand else telnet.message("stopped", **self._position))

    def _prompt(self, prompt: str) -> None:
        if client := self.client:
            self._greeted, self._greeted_as_devkit = client, not client.by_hand
            client.send(telnet.text(prompt) if client.by_hand else telnet.message("prompt", text=prompt))

    def _tell(self, kind: str, **fields: Any) -> None:
        client = self.client
        if client and not client.by_hand:
            client.send(telnet.message(kind, **fields))

    def _send_completions(self, client: Client, asked: "dict[str, Any]") -> None:
        start, matches = self._complete(str(asked.get("text", "")))
        client.send(telnet.message("completions", id=asked.get("id"), start=start, matches=matches))
