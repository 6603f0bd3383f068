"""A service's output on disk: nothing is lost, neither to rotation nor to a reader."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devkit.stack.logfile import TAIL_BYTES, LogFile, Reader, rotated, split_stamp

STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ")


def unexpected(problem: str) -> None:
    pytest.fail(problem)


def log_in(folder: Path, *, limit: int = 10_000_000, keep: int = 3) -> LogFile:
    return LogFile(folder / "web.log", unexpected, limit=limit, keep=keep)


def write(log: LogFile, *chunks: bytes) -> None:
    for chunk in chunks:
        log.write(chunk)
    log.close()


def files(log: LogFile) -> list[bytes]:
    """The content of the files without the stamps, the oldest first."""
    there = [rotated(log.path, number) for number in range(20, -1, -1)]
    return [STAMP.sub(b"", path.read_bytes()) for path in there if path.exists()]


def numbered(first: int, last: int) -> list[bytes]:
    return [b"line %d" % number for number in range(first, last)]


# --- stamps ---


def test_each_line_begins_with_the_time_wherever_chunks_end(tmp_path: Path) -> None:
    log = log_in(tmp_path)

    write(log, b"one\n", b"tw", b"", b"o\n\nfo", b"ur\n", b"five")

    lines = log.path.read_bytes().split(b"\n")
    assert [STAMP.sub(b"", line) for line in lines] == [b"one", b"two", b"", b"four", b"five"]
    assert all(len(STAMP.findall(line)) == 1 for line in lines)
    times = [split_stamp(line)[0] for line in lines]
    assert times == sorted(times)


def test_a_stamp_and_what_follows_it() -> None:
    assert split_stamp(b"2026-01-01T00:00:00.000000Z text \xff") == ("2026-01-01T00:00:00.000000Z", b"text \xff")
    assert split_stamp(b"2026-01-01T00:00:00.000000Z ") == ("2026-01-01T00:00:00.000000Z", b"")


def test_bytes_are_kept_as_they_came(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    output = bytes(range(256)) + b"\r\n\x1b[31m\n"

    write(log, output)

    assert b"".join(files(log)) == output


def test_the_log_is_the_users_alone_and_goes_on_in_the_next_run(tmp_path: Path) -> None:
    write(log_in(tmp_path), b"one\n")
    log = log_in(tmp_path)

    write(log, b"two\n")

    assert files(log) == [b"one\ntwo\n"]
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_what_a_process_left_without_a_newline_is_ended_once(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.write(b"last words")

    log.end_line()
    log.end_line()
    write(log, b"first words\n")

    assert files(log) == [b"last words\nfirst words\n"]


def test_what_the_run_before_left_without_a_newline_stays_a_line_of_its_own(tmp_path: Path) -> None:
    write(log_in(tmp_path), b"killed in the mid")
    log = log_in(tmp_path)

    write(log, b"first\n")

    assert files(log) == [b"killed in the mid\nfirst\n"]


# --- rotation ---


def test_files_end_with_a_whole_line_and_no_line_is_lost(tmp_path: Path) -> None:
    log = log_in(tmp_path, limit=500, keep=20)
    output = b"".join(line + b"\n" for line in numbered(0, 150))

    write(log, *(output[start : start + 37] for start in range(0, len(output), 37)))

    found = files(log)
    assert len(found) > 5
    assert b"".join(found) == output
    assert all(content.endswith(b"\n") for content in found)
    assert all(path.stat().st_size <= 700 for path in tmp_path.iterdir())


def test_the_oldest_files_go(tmp_path: Path) -> None:
    log = log_in(tmp_path, limit=40, keep=2)

    for line in numbered(0, 20):
        log.write(line + b"\n")
    log.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log", "web.log.1", "web.log.2"]
    left = b"".join(files(log)).splitlines()
    assert 3 <= len(left) < 10
    assert left == numbered(20 - len(left), 20)


def test_a_line_without_end_is_kept_and_cannot_fill_the_disk(tmp_path: Path) -> None:
    log = log_in(tmp_path, limit=1000, keep=20)

    write(log, *[b"x" * 100] * 100, b"\nnext\n")

    assert b"".join(files(log)) == b"x" * 10_000 + b"\nnext\n"
    assert all(path.stat().st_size <= 2500 for path in tmp_path.iterdir())


# --- what was printed last ---


def test_what_was_printed_last_is_known_without_the_file(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    write(log, b"one\ntwo\nth", "reé\n".encode(), b"fo\xffur")
    log.path.unlink()

    assert log.tail() == "one\ntwo\nthreé\nfo\ufffdur"


def test_of_a_service_that_prints_much_only_the_end_is_remembered(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    write(log, b"first\n" + b"x\n" * TAIL_BYTES, b"last\n")

    assert log.tail().endswith("\nx\nlast\n")
    assert len(log.tail()) == TAIL_BYTES


def test_a_silent_service_has_an_empty_log(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.close()

    assert log.tail() == ""
    assert files(log) == [b""]


# --- a disk that is full or gone ---


class Disk:
    """A log whose disk can be full: its file is /dev/full then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.troubles: list[str] = []
        self.log = LogFile(folder / "web.log", self.troubles.append)

    def fill(self) -> None:
        self.log.path.unlink(missing_ok=True)
        self.log.path.symlink_to("/dev/full")
        self.log.close()

    def empty(self) -> None:
        self.log.path.unlink()

    def lines(self) -> list[bytes]:
        """Each line of the file, without its stamp."""
        self.log.close()
        lines = self.log.path.read_bytes().splitlines()
        assert all(STAMP.match(line) for line in lines)
        return [split_stamp(line)[1] for line in lines]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_full_disk_is_told_of_once(disk: Disk) -> None:
    disk.fill()

    for line in numbered(0, 3):
        disk.log.write(line + b"\n")

    assert len(disk.troubles) == 1
    assert f"{disk.log.path} cannot be written (No space left on device)" in disk.troubles[0]
    assert disk.log.tail() == "line 0\nline 1\nline 2\n"


def test_when_the_disk_is_back_the_log_says_what_it_misses(disk: Disk) -> None:
    disk.fill()
    disk.log.write(b"12345\n")
    disk.log.write(b"6789\n")
    disk.empty()

    disk.log.write(b"back\n")
    disk.log.write(b"again\n")

    assert disk.lines() == [b"[devkit: 11 bytes are missing here]", b"back", b"again"]


def test_a_second_trouble_is_told_of_again(disk: Disk) -> None:
    disk.fill()
    disk.log.write(b"1\n")
    disk.empty()
    disk.log.write(b"back\n")
    disk.fill()

    disk.log.write(b"2\n")

    assert len(disk.troubles) == 2


def test_what_is_missing_in_the_middle_of_a_line_has_a_line_of_its_own(disk: Disk) -> None:
    disk.log.write(b"begun")
    written = disk.log.path.read_bytes()
    disk.fill()
    disk.log.write(b" and lost\n")
    disk.empty()
    disk.log.path.write_bytes(written)

    disk.log.write(b"back\n")

    assert disk.lines() == [b"begun", b"[devkit: 10 bytes are missing here]", b"back"]


def test_a_folder_that_is_not_there_disturbs_nobody(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "gone")
    disk.log.write(b"lost\n")
    disk.folder.mkdir()

    disk.log.write(b"back\n")

    assert "No such file or directory" in disk.troubles[0]
    assert disk.lines() == [b"[devkit: 5 bytes are missing here]", b"back"]


# --- reading ---


def texts(lines: list[bytes]) -> list[bytes]:
    """What the service printed; each line has to have its stamp."""
    assert all(STAMP.match(line) for line in lines), lines
    return [split_stamp(line)[1] for line in lines]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[LogFile]:
    """A log that is rotated every two or three lines."""
    with closing(log_in(tmp_path, limit=100)) as log:
        yield log


@pytest.fixture
def reader(small: LogFile) -> Iterator[Reader]:
    """Reads that log."""
    with closing(Reader(small.path)) as reader:
        yield reader


def append(log: LogFile, lines: list[bytes]) -> None:
    for line in lines:
        log.write(line + b"\n")


def test_a_reader_gets_all_files_and_then_what_comes(small: LogFile, reader: Reader) -> None:
    append(small, numbered(0, 6))
    assert rotated(small.path, 1).exists()

    assert texts(list(reader.lines())) == numbered(0, 6)
    assert list(reader.lines()) == []
    append(small, [b"line 6"])
    assert texts(list(reader.lines())) == [b"line 6"]


def test_a_line_is_read_once_it_is_whole(small: LogFile, reader: Reader) -> None:
    small.write(b"one\nbe")

    assert texts(list(reader.lines())) == [b"one"]
    small.write(b"gu")
    assert list(reader.lines()) == []
    small.write(b"n\n")
    assert texts(list(reader.lines())) == [b"begun"]


def test_a_log_that_is_not_there_yet(small: LogFile, reader: Reader) -> None:
    small.close()
    small.path.unlink()

    assert list(reader.lines()) == []
    append(small, [b"one"])
    assert texts(list(reader.lines())) == [b"one"]


@pytest.mark.parametrize("each", [1, 2, 3, 5, 7])  # lines between two looks; with 7 of them, several files are new
def test_a_reader_misses_no_rotation(small: LogFile, reader: Reader, each: int) -> None:
    seen = list(reader.lines())

    for start in range(0, 42, each):
        append(small, numbered(start, min(start + each, 42)))
        seen += reader.lines()

    assert texts(seen) == numbered(0, 42)


def test_a_rotation_while_lines_are_read(small: LogFile, reader: Reader) -> None:
    append(small, numbered(0, 5))
    lines = reader.lines()

    seen = [next(lines)]
    append(small, numbered(5, 8))
    seen += [*lines, *reader.lines()]

    assert texts(seen) == numbered(0, 8)


def test_a_line_without_end_has_its_stamp_in_each_file(small: LogFile, reader: Reader) -> None:
    write(small, *[b"x" * 50] * 10, b"\nnext\n")

    *pieces, last = texts(list(reader.lines()))

    assert b"".join(pieces) == b"x" * 500
    assert last == b"next"
