"""Telnet (RFC 854) as the debugger speaks it: text, Ctrl-C, and JSON messages in subnegotiations of the option GMCP.

By hand, `telnet` sends text and Ctrl-C. devkit's own client sends messages, `devkit.KIND JSON` each, and gets such.
Whatever arrives is understood or passed over; nothing raises.
"""

import json
from typing import Any

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
INTERRUPT, EOF, ABORT, SUSPEND, BREAK = 244, 236, 238, 237, 243
GMCP, TIMING_MARK = 201, 6
PREFIX = "devkit."
KINDS = ("hello", "command", "complete", "columns", "eof")
LONGEST_LINE = 1 << 16
LONGEST_MESSAGE = 1 << 20


class Received:
    """What arrived: `kind` is "text", "interrupt", "eof", "reply" (`data` is to be sent back) or that of a message."""

    __slots__ = ("data", "kind")

    def __init__(self, kind: str, data: Any = None) -> None:
        self.kind = kind
        self.data = data


class Parser:
    """Takes bytes as they come, in pieces of any size."""

    def __init__(self) -> None:
        self._state = "data"
        self._verb = 0
        self._message = bytearray()
        self._answered: set[tuple[int, int]] = set()

    def feed(self, data: bytes) -> "list[Received]":
        """What these bytes complete, in order."""
        found: list[Received] = []
        text = bytearray()
        start = 0
        while start < len(data):
            if self._state == "data":  # most bytes are plain text: up to the next command in one step
                end = data.find(IAC, start)
                end = len(data) if end < 0 else end
                text += data[start:end]
                start = end + 1
                if end < len(data):
                    self._state = "command"
                continue
            byte, start = data[start], start + 1
            if self._state == "command" and byte == IAC:  # an escaped 0xFF, which no text in UTF-8 has
                self._state = "data"
                text.append(byte)
                continue
            if text:
                found.append(Received("text", bytes(text)))
                text.clear()
            self._step(byte, found)
        if text:
            found.append(Received("text", bytes(text)))
        return found

    def _step(self, byte: int, found: "list[Received]") -> None:
        if self._state == "command":
            self._command(byte, found)
        elif self._state == "option":
            self._state = "data"
            self._negotiate(byte, found)
        elif self._state == "message":
            if byte == IAC:
                self._state = "message command"
            elif len(self._message) < LONGEST_MESSAGE:
                self._message.append(byte)
        elif byte == SE:
            self._state = "data"
            self._complete(found)
        else:  # in a message: an escaped 0xFF, or a command out of place
            self._state = "message"
            if byte == IAC and len(self._message) < LONGEST_MESSAGE:
                self._message.append(byte)

    def _command(self, byte: int, found: "list[Received]") -> None:
        self._state = "data"
        if byte in (DO, DONT, WILL, WONT):
            self._state, self._verb = "option", byte
        elif byte == SB:
            self._state = "message"
            self._message.clear()
        elif byte in (INTERRUPT, BREAK, ABORT, SUSPEND):
            found.append(Received("interrupt"))
        elif byte == EOF:
            found.append(Received("eof"))

    def _negotiate(self, option: int, found: "list[Received]") -> None:
        """Refuse what is offered or asked for, once; only a mark in the stream, and GMCP, are given."""
        if option == TIMING_MARK and self._verb == DO:  # telnet waits for it after a Ctrl-C, and drops text until then
            found.append(Received("reply", bytes((IAC, WILL, TIMING_MARK))))
            return
        if self._verb in (DONT, WONT) or (self._verb, option) in self._answered:
            return
        self._answered.add((self._verb, option))
        answer = {DO: WILL if option == GMCP else WONT, WILL: DO if option == GMCP else DONT}[self._verb]
        found.append(Received("reply", bytes((IAC, answer, option))))

    def _complete(self, found: "list[Received]") -> None:
        if not self._message or self._message[0] != GMCP:
            return
        kind, _, text = self._message[1:].decode(errors="replace").partition(" ")
        try:
            data = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return
        kind = kind.removeprefix(PREFIX) if kind.startswith(PREFIX) else ""
        if kind in KINDS and isinstance(data, dict):  # others would pass for what telnet itself says
            found.append(Received(kind, data))


def message(kind: str, **fields: Any) -> bytes:
    """A message as it is sent."""
    payload = f"{PREFIX}{kind} {json.dumps(fields)}".encode()  # ASCII: nothing to escape
    return bytes((IAC, SB, GMCP)) + payload + bytes((IAC, SE))


def text(characters: str) -> bytes:
    """Text as it is sent: telnet's lines end in CR LF."""
    return characters.replace("\r\n", "\n").replace("\n", "\r\n").encode(errors="replace")
