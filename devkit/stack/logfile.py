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
STAMP_FORMAT_LENGTH = len("2026-01-01T00:00:00.000000Z ")


def _stamp() -> bytes:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode()


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
            self._append(_stamp() + b"[devkit: %d bytes are missing here]\n" % self._missed)
            self._missed, self._at_line_start = 0, True
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
        self._at_line_start = chunk.endswith(b"\n")
        return start + chunk[:-1].replace(b"\n", b"\n" + stamp) + chunk[-1:]

    def _append(self, data: bytes) -> None:
        assert self._fd is not None
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self._size += written
            view = view[written:]

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                rotated(self.path, number - 1).replace(rotated(self.path, number))
        self._open()


def rotated(path: Path, number: int) -> Path:
    """The name of the file that was rotated `number` times: 0 is the one being written."""
    return path.with_name(f"{path.name}.{number}") if number else path


class Reader:
    """Reads a service's stamped lines, the rotated files first, then on and on as the newest one grows."""

    def __init__(self, path: Path, keep: int = KEEP) -> None:
        self._path = path
        self._keep = keep
        self._file: BinaryIO | None = None
        self._rest = b""

    def past(self) -> Iterator[bytes]:
        """All whole lines there are, the oldest first, without their newlines."""
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError), rotated(self._path, number).open("rb") as lines:
                yield from (line.rstrip(b"\n") for line in lines)
        yield from self.new()

    def new(self) -> Iterator[bytes]:
        """The whole lines that came since."""
        yield from self._read()
        if self._file and not self._is_current():  # rotated meanwhile: the rest is in a new file
            yield from self._read()
            self.close()
            yield from self._read()

    def close(self) -> None:
        """Close the file; a later read starts at the newest file's beginning."""
        if self._file:
            self._file.close()
            self._file = None

    def _read(self) -> Iterator[bytes]:
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return
        for piece in self._file:
            self._rest += piece
            if piece.endswith(b"\n"):
                yield self._rest[:-1]
                self._rest = b""

    def _is_current(self) -> bool:
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return True  # between a rotation's two steps


def split_stamp(line: bytes) -> tuple[str, bytes]:
    """A stamped line's time (ISO 8601, UTC) and what the service printed."""
    return line[: STAMP_FORMAT_LENGTH - 1].decode(errors="replace"), line[STAMP_FORMAT_LENGTH:]
