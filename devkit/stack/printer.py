"""The services' output on the terminal: a prefix and a colour each, line by line, failures and pauses standing out.

Output is put into form in the thread that read it and written by a thread of its own: a terminal that is slow
slows the service down that prints too much, never the supervisor's decisions.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from threading import Condition, Thread

from devkit.model.lines import write
from devkit.model.text import ODD

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
RED, MAGENTA, RESET = b"\x1b[1;31m", b"\x1b[1;35m", b"\x1b[0m"
BUFFER_BYTES = 1 << 20
LONGEST_LINE = 1 << 16
HELD_LINES = 1000

# Control characters that would move a terminal's cursor or ring its bell: all but tab and newline.
_CONTROL = bytes(code for code in range(32) if code not in (9, 10)) + b"\x7f"
# An escape sequence of any kind (ECMA-48), or what is left of one; and those that only set colour.
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\`-~]|)")
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")
_NOTHING = re.compile(rb"(?!)")

_PAUSE = re.compile(rb"Remote Debugger:\d+")
_FAILURE = re.compile(
    rb"^\[[^\]]*: (?:ERROR|CRITICAL)/|^\[E \d{6} |^(?:ERROR|CRITICAL)\b|^Traceback \(most recent call last\)",
    re.MULTILINE,
)
# A record of celery, uvicorn or Flower begins: the failure before it, with its traceback, is over.
_NEW_RECORD = re.compile(rb"^\[\d{4}-|^\[[A-Z] \d{6} |^(?:DEBUG|INFO|WARNING)\b")


@dataclass
class _Stream:
    """One service's output between two chunks."""

    prefix: bytes
    rest: bytes = b""
    in_failure: bool = False
    # While output is held back: the formed lines, and whether each stands out.
    held: list[tuple[bytes, bool]] = field(default_factory=list)
    dropped: int = 0


class Printer:
    """Writes to the file descriptor `fd`; `close` it at the end.

    Until `release`, lines are held back: what a service prints while it starts is chatter (its log file has it),
    what it prints once it is `ready`, and what stands out, is shown after the table.
    """

    def __init__(self, fd: int, names: Sequence[str], *, colour: bool, on_lost: Callable[[], None]) -> None:
        self._fd = fd
        self._colour = colour
        self._is_terminal = colour or os.isatty(fd)
        self._on_lost = on_lost
        self._streams: dict[str, _Stream] = {}
        self._holding = True
        self._queue: deque[tuple[int, bytes]] = deque()
        self._queued = 0
        self._hurried = False
        self._closed = False
        self._skipped = 0
        self._changed = Condition()
        self.add(names)
        self._thread = Thread(target=self._write, name="printer", daemon=True)
        self._thread.start()

    def add(self, names: Sequence[str]) -> None:
        """More services that may print, besides those that are known."""
        with self._changed:
            new = [name for name in names if name not in self._streams]
            width = max(map(len, [*self._streams, *new]), default=0)
            for name in new:
                prefix = f"{name:<{width}} | ".encode()
                if self._colour:
                    prefix = b"\x1b[%dm%s\x1b[0m" % (COLOURS[len(self._streams) % len(COLOURS)], prefix)
                self._streams[name] = _Stream(prefix)

    def output(self, name: str, chunk: bytes) -> None:
        """Take output of a service as it came. Waits while the terminal is more than a megabyte behind."""
        stream = self._streams[name]
        text = stream.rest + chunk
        cut = text.rfind(b"\n") + 1
        if cut:
            self._form(stream, text[:cut])
        elif len(text) > LONGEST_LINE:  # a line without end is shown in pieces, between two characters
            cut = max(len(text) - 3, 0)
            while cut < len(text) and text[cut] & 0xC0 == 0x80:
                cut += 1
            self._form(stream, text[:cut] + b"\n")
        stream.rest = text[cut:]

    def ended(self, name: str) -> None:
        """The service's process ended: show what it left without a newline."""
        stream = self._streams[name]
        if stream.rest:
            self.output(name, b"\n")

    def ready(self, name: str) -> None:
        """The service is ready: of what is held back keep what stands out."""
        stream = self._streams[name]
        with self._changed:
            stream.held = [(line, stands_out) for line, stands_out in stream.held if stands_out]
            stream.dropped = 0

    def release(self) -> None:
        """Show what was held back, and everything from now on."""
        with self._changed:
            self._holding = False
            for stream in self._streams.values():
                if stream.dropped:
                    self._append(self._fd, stream.prefix + b"(%d lines before these: devkit logs)\n" % stream.dropped)
                self._append(self._fd, b"".join(line for line, _ in stream.held))
                stream.held.clear()

    def say(self, text: str, fd: int | None = None) -> None:
        """Write devkit's own words between the services' lines, to `fd` or where those go; never waits."""
        with self._changed:
            self._append(self._fd if fd is None else fd, text.encode())

    def hurry(self) -> None:
        """The stack stops: nobody waits for the terminal any more; what it cannot take is counted, not shown."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def flush(self, timeout_s: float = 1.0) -> None:
        """Wait until all is written, if it is taken in time."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queued, timeout_s)

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is left, if the terminal takes it in time."""
        with self._changed:
            self._closed = True
            if self._skipped:
                self._append(self._fd, b"(%d bytes more than could be shown: see devkit logs)\n" % self._skipped)
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _form(self, stream: _Stream, lines: bytes) -> None:
        """Give whole lines their prefix. Ordinary ones, nearly all, are done in one go."""
        clean = lines.isascii() and len(lines.translate(None, _CONTROL)) == len(lines)
        special = stream.in_failure or self._holding or _FAILURE.search(lines) or _PAUSE.search(lines)
        if clean and not special:
            self._put(stream.prefix + lines[:-1].replace(b"\n", b"\n" + stream.prefix) + b"\n")
            return
        for line in lines[:-1].split(b"\n"):
            self._form_one(stream, line)

    def _form_one(self, stream: _Stream, line: bytes) -> None:
        line = line.rstrip(b"\r").rpartition(b"\r")[2]  # a progress bar redraws its line: show its last state
        pauses = bool(_PAUSE.search(line))
        if _FAILURE.search(line):
            stream.in_failure = True
        elif _NEW_RECORD.search(line):
            stream.in_failure = False
        if self._is_terminal:
            kept = _COLOUR if self._colour else _NOTHING
            line = _ESCAPE.sub(lambda found: found[0] if kept.fullmatch(found[0]) else b"", line)
            line = ODD.sub("", line.decode(errors="replace")).encode()
            line = line.translate(None, _CONTROL.replace(b"\x1b", b""))
            if self._colour and (pauses or stream.in_failure):
                line = (MAGENTA if pauses else RED) + line + RESET
            elif b"\x1b" in line:
                line += RESET
        formed = stream.prefix + line + b"\n"
        with self._changed:
            if self._holding:
                stream.held.append((formed, pauses or stream.in_failure))
                stream.dropped += len(stream.held) > HELD_LINES
                del stream.held[:-HELD_LINES]
                return
        self._put(formed)

    def _put(self, data: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._queued < BUFFER_BYTES or self._hurried)
            if self._queued < BUFFER_BYTES:
                self._append(self._fd, data)
            else:
                self._skipped += len(data)

    def _append(self, fd: int, data: bytes) -> None:
        """Queue data; the caller holds the lock."""
        self._queue.append((fd, data))
        self._queued += len(data)
        self._changed.notify_all()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                pieces = list(self._queue)
                self._queue.clear()
            try:
                for fd, group in groupby(pieces, key=itemgetter(0)):
                    write(fd, b"".join(data for _, data in group))
            except OSError:
                # Whoever read this is gone. Go on taking output, for the log files' sake.
                self.hurry()
                self._on_lost()
                return
            finally:
                with self._changed:
                    self._queued -= sum(len(data) for _, data in pieces)
                    self._changed.notify_all()
