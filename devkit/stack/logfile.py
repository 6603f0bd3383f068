"""A service's output on disk: every byte of it, each line stamped with the time it was read, in rotated files."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

LIMIT_BYTES = 10_000_000
KEEP = 3
TAIL_BYTES = 16_384
NEWLINE = ord("\n")
STAMP_LENGTH = len("2026-01-01T00:00:00.000000Z")

Line = tuple[str, str, bytes]  # when, by which service, and what it printed


def now() -> str:
    """The time as it stands before each line: ISO 8601, UTC, so that later is greater."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _stamp() -> bytes:
    return f"{now()} ".encode()


class LogFile:
    """Appends to `path`; beyond `limit` bytes that becomes `path`.1, the oldest of `keep` such files goes.

    A disk that is full or gone never disturbs the service: `on_trouble` hears of it once, writing is tried again
    with each chunk, and the file then says how many bytes it misses.
    """

    def __init__(
        self, path: Path, on_trouble: Callable[[str], None], *, limit: int = LIMIT_BYTES, keep: int = KEEP
    ) -> None:
        self.path = path
        self._on_trouble = on_trouble
        self._limit = limit
        self._keep = keep
        self._fd: int | None = None
        self._size = 0
        self._at_line_start = True
        self._missed = 0
        self._tail = b""
        with suppress(OSError):  # then the first chunk meets it again
            self._open()

    def write(self, chunk: bytes) -> None:
        """Append output as it came; it may end anywhere in a line."""
        self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        try:
            self._write(chunk)
        except OSError as error:
            if not self._missed:
                self._on_trouble(f"{self.path} cannot be written ({error.strerror}): its output is shown, not kept")
            self._missed += len(chunk)
            self.close()

    def end_line(self) -> None:
        """The process ended: what it left without a newline gets one, lest the next process continues the line."""
        with suppress(OSError):
            if self._fd is not None and not self._at_line_start:
                self._append(b"\n")

    def tail(self) -> str:
        """What the service printed last, from memory: it is there even when the disk is full."""
        return self._tail.decode(errors="replace")

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, chunk: bytes) -> None:
        if self._fd is None:
            self._open()
        if self._missed:
            start = b"" if self._at_line_start else b"\n"
            self._append(start + _stamp() + b"[devkit: %d bytes are missing here]\n" % self._missed)
            self._missed = 0
        # Files end with a whole line, so the chunk is cut where its last line ends; a line without end, twice as
        # long as a file may be, is cut where it is.
        cut = chunk.rfind(b"\n") + 1
        if self._size + len(chunk) > self._limit and (cut or self._size > 2 * self._limit):
            self._append(self._stamped(chunk[:cut]))
            self._rotate()
            chunk = chunk[cut:]
        self._append(self._stamped(chunk))

    def _stamped(self, chunk: bytes) -> bytes:
        if not chunk:
            return b""
        stamp = _stamp()
        start = stamp if self._at_line_start else b""
        return start + chunk[:-1].replace(b"\n", b"\n" + stamp) + chunk[-1:]

    def _append(self, data: bytes) -> None:
        assert self._fd is not None
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self._size += written
            self._at_line_start = view[written - 1] == NEWLINE
            view = view[written:]

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        self._end_line_of_the_last_run()

    def _end_line_of_the_last_run(self) -> None:
        """A stack that was killed may have left half a line."""
        if self._at_line_start and self._size:
            with self.path.open("rb") as written, suppress(OSError):
                written.seek(-1, os.SEEK_END)
                if written.read() != b"\n":
                    self._append(b"\n")

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                rotated(self.path, number - 1).replace(rotated(self.path, number))
        self._open()
        self._at_line_start = True


def rotated(path: Path, number: int) -> Path:
    """The name of the file that was rotated `number` times: 0 is the one being written."""
    return path.with_name(f"{path.name}.{number}") if number else path


class Reader:
    """Reads a service's stamped lines, the rotated files first, then on and on as the newest one grows."""

    def __init__(self, path: Path, keep: int = KEEP) -> None:
        self._path = path
        self._keep = keep
        self._files: list[BinaryIO] = []  # those not read to their end, the oldest first
        self._rest = b""

    def lines(self) -> Iterator[bytes]:
        """The whole lines that have come since the last call, at first all there are, without their newlines."""
        self._open_newer()
        while self._files:
            for piece in self._files[0]:
                self._rest += piece
                if piece.endswith(b"\n"):
                    yield self._rest[:-1]
                    self._rest = b""
            if len(self._files) == 1:
                return
            self._files.pop(0).close()
            if self._rest:  # a line so long that the rotation cut it
                yield self._rest
                self._rest = b""

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._files.pop().close()

    def _open_newer(self) -> None:
        """Open the files that are newer than those open already: after a rotation or more."""
        while True:
            found, again = self._open_all(), self._open_all()
            # The service may rotate just then; a file would be missing, or be there twice.
            steady = list(map(_identity, found)) == list(map(_identity, again))
            for file in again if steady else (*found, *again):
                file.close()
            if steady:
                break
        known = {_identity(file) for file in self._files}
        for index, file in enumerate(found):
            newer = not any(_identity(later) in known for later in found[index:])
            if newer:
                self._files.append(file)
            else:
                file.close()

    def _open_all(self) -> list[BinaryIO]:
        files: list[BinaryIO] = []
        for number in range(self._keep, -1, -1):
            with suppress(FileNotFoundError):
                files.append(rotated(self._path, number).open("rb"))
        return files


def _identity(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino


def split_stamp(line: bytes) -> tuple[str, bytes]:
    """A stamped line's time (ISO 8601, UTC) and what the service printed."""
    return line[:STAMP_LENGTH].decode(errors="replace"), line[STAMP_LENGTH + 1 :]
