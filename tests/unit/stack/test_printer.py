"""The services' output as a terminal gets it, here through a pipe."""

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from devkit.stack.printer import BUFFER_BYTES, HELD_LINES, LONGEST_LINE, MAGENTA, RED, RESET, Printer
from tests.unit.waiting import wait_for


class Terminal:
    """A pipe to write into, and what came out of its other end once that is closed."""

    def __init__(self) -> None:
        self._reading, self.fd = os.pipe()
        self._seen = bytearray()
        self._thread = Thread(target=self._read, daemon=True)

    def read(self) -> None:
        """Begin to read: before that, the pipe takes as much as it holds."""
        self._thread.start()

    def leave(self) -> None:
        """Close the reader's end: nobody will ever read this."""
        os.close(self._reading)

    def close(self) -> bytes:
        """All that was written."""
        os.close(self.fd)
        self._thread.join()
        os.close(self._reading)
        return bytes(self._seen)

    def _read(self) -> None:
        while chunk := os.read(self._reading, 1 << 16):
            self._seen += chunk


def unexpected() -> None:
    pytest.fail("the terminal is there")


@contextmanager
def printing(*names: str, colour: bool = False, hold: bool = False) -> Iterator[tuple[Printer, list[bytes]]]:
    """A printer, and the list that holds the lines it wrote once the block is left."""
    terminal, lines = Terminal(), list[bytes]()
    terminal.read()
    printer = Printer(terminal.fd, names, colour=colour, on_lost=unexpected)
    if not hold:
        printer.release()
    yield printer, lines
    printer.close(timeout_s=10)
    lines += terminal.close().splitlines(keepends=True)


def printed(chunks: Iterable[bytes], *, colour: bool = False) -> list[bytes]:
    """What becomes of one service's output, without the prefix."""
    with printing("web", colour=colour) as (printer, lines):
        for chunk in chunks:
            printer.output("web", chunk)
        printer.ended("web")
    prefix = b"\x1b[36mweb | \x1b[0m" if colour else b"web | "
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


# --- prefixes and whole lines ---


def test_each_line_has_its_services_name_in_a_column() -> None:
    with printing("api", "worker") as (printer, lines):
        printer.output("worker", b"one\ntwo\n")
        printer.output("api", b"three\n\n")

    assert lines == [b"worker | one\n", b"worker | two\n", b"api    | three\n", b"api    | \n"]


def test_each_service_has_a_colour_of_its_own() -> None:
    names = [f"service{number}" for number in range(10)]
    with printing(*names, colour=True) as (printer, lines):
        for name in names:
            printer.output(name, b"x\n")

    colours = {line.partition(b"service")[0] for line in lines}
    assert len(colours) == 10
    assert all(line.endswith(b" | \x1b[0mx\n") for line in lines)


def test_more_services_than_colours() -> None:
    names = [f"service{number}" for number in range(25)]
    with printing(*names, colour=True) as (printer, lines):
        for name in names:
            printer.output(name, b"x\n")

    assert len(lines) == 25


def test_services_that_come_later_are_lined_up_with_those_that_are_there() -> None:
    with printing("api") as (printer, lines):
        printer.output("api", b"half")
        printer.add(["api", "worker-1", "web"])
        for name in ("worker-1", "web", "api"):
            printer.output(name, b"x\n")

    assert lines == [b"worker-1 | x\n", b"web      | x\n", b"api | halfx\n"]


def test_a_line_is_shown_once_it_is_whole() -> None:
    with printing("api", "web") as (printer, lines):
        printer.output("api", b"be")
        printer.output("web", b"between\n")
        printer.output("api", b"gun\nne")
        printer.output("api", b"xt\n")

    assert lines == [b"web | between\n", b"api | begun\n", b"api | next\n"]


def test_what_a_service_leaves_without_a_newline_is_shown_when_it_ends() -> None:
    with printing("api") as (printer, lines):
        printer.output("api", b"first\nlast words")
        printer.ended("api")
        printer.ended("api")

    assert lines == [b"api | first\n", b"api | last words\n"]


SAMPLE = (
    b"plain\n\n"
    + "žluťoučký 🐎 日本\n".encode()
    + b"\x1b[32mgreen\x1b[0m and \x1b[1mbold\n"
    + b"\x1b[2K\x1b[1Gmoved\x07\n"
    + b" 10%\r 50%\r100%\n"
    + b"dos line\r\n"
    + b"[2026-01-01 00:00:00,000: ERROR/MainProcess] broke\n"
    + b"Traceback (most recent call last):\n  File 'x.py', line 1\nZeroDivisionError\n"
    + b"[2026-01-01 00:00:01,000: INFO/MainProcess] goes on\n"
    + b"Remote Debugger:6900: Please telnet\n"
    + b"invalid \xff\xfe bytes\n"
    + b"no newline at the end"
)


@pytest.mark.parametrize("colour", [False, True])
def test_it_does_not_matter_where_chunks_end(colour: bool) -> None:
    whole = printed([SAMPLE], colour=colour)
    assert len(whole) == SAMPLE.count(b"\n") + 1
    assert printed([bytes([byte]) for byte in SAMPLE], colour=colour) == whole

    for seed in range(50):
        dice = random.Random(seed)  # noqa: S311 - the same in each run
        cuts = sorted(dice.sample(range(len(SAMPLE)), dice.randint(1, 20)))
        chunks = [SAMPLE[start:end] for start, end in zip([0, *cuts], [*cuts, len(SAMPLE)], strict=True)]
        assert printed(chunks, colour=colour) == whole, f"seed {seed}: cut at {cuts}"


def test_without_colour_bytes_stay_as_they_are() -> None:
    line = b"\x1b[31mred\x1b[0m \x1b[2J \x07 \xff\xfe \x00 " + "ž".encode() + b"\tx\n"

    assert printed([line]) == [line]


def test_a_line_without_end_is_shown_in_pieces() -> None:
    text = b"x" * (5 * LONGEST_LINE)

    lines = printed(text[start : start + 10_000] for start in range(0, len(text), 10_000))

    assert len(lines) >= 4
    assert b"".join(line[:-1] for line in lines) == text


def test_a_character_is_not_cut_where_a_line_without_end_is() -> None:
    text = ("日本" * LONGEST_LINE).encode()

    lines = printed((text[start : start + 65_536] for start in range(0, len(text), 65_536)), colour=True)

    assert len(lines) >= 4
    assert b"".join(line[:-1] for line in lines) == text


# --- what a terminal would do with it ---


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b" 1%\r 50%\r100%\n", b"100%\n"),
        (b"working...\r\n", b"working...\n"),
        (b"\r\x1b[K 50%\r\x1b[K100%\r\r\n", b"100%\n"),
        (b"\r\n", b"\n"),
    ],
)
def test_a_progress_bar_is_shown_in_its_last_state(line: bytes, shown: bytes) -> None:
    assert printed([line], colour=True) == [shown]


@pytest.mark.parametrize(
    "sequence",
    [
        pytest.param(b"\x1b[2J", id="clear"),
        pytest.param(b"\x1b[10;20H", id="position"),
        pytest.param(b"\x1b[1A", id="up"),
        pytest.param(b"\x1b[?25l", id="hide the cursor"),
        pytest.param(b"\x1b[?1049h", id="other screen"),
        pytest.param(b"\x1b]0;title\x07", id="title"),
        pytest.param(b"\x1b]0;title\x1b\\", id="title, the other end"),
        pytest.param(b"\x1bM", id="scroll"),
        pytest.param(b"\x1bc", id="reset"),
        pytest.param(b"\x1b7", id="save the cursor"),
        pytest.param(b"\x1b8", id="restore the cursor"),
        pytest.param(b"\x1b(0", id="line drawing instead of letters"),
        pytest.param(b"\x1b[!p", id="soft reset"),
        pytest.param(b"\x1b[>4;1m", id="keyboard mode"),
        pytest.param(b"\x1b", id="half a sequence"),
        pytest.param(b"\x07", id="bell"),
        pytest.param(b"\x08\x0b\x0c\x7f", id="control characters"),
        pytest.param("\x85\x9b\x9f".encode(), id="control characters beyond ASCII"),
        pytest.param("\u2028\u2029".encode(), id="line ends beyond ASCII"),
        pytest.param("\u202e\u2066\u200f".encode(), id="another direction"),
    ],
)
def test_what_would_move_the_cursor_or_change_the_terminal_is_removed(sequence: bytes) -> None:
    (line,) = printed([b"be" + sequence + b"\xc3\xa4fore\n"], colour=True)

    assert line.removesuffix(RESET + b"\n").removesuffix(b"\n") == "beäfore".encode()


@pytest.mark.parametrize("colour", [b"\x1b[31m", b"\x1b[m", b"\x1b[1;38;5;208m", b"\x1b[38:2::255:0:0m"])
def test_colour_stays_and_ends_with_its_line(colour: bytes) -> None:
    assert printed([colour + b"text\nnext\n"], colour=True) == [colour + b"text" + RESET + b"\n", b"next\n"]


def test_what_is_no_text_cannot_harm_the_terminal() -> None:
    assert printed([b"\x9b2J \xff\n"], colour=True) == ["\ufffd2J \ufffd\n".encode()]


# --- failures and pauses ---

CELERY_ERROR = b"[2026-01-01 00:00:00,000: ERROR/ForkPoolWorker-1] Task x[1] raised unexpected: ZeroDivisionError()\n"
TRACEBACK = b'Traceback (most recent call last):\n  File "x.py", line 1\n\nZeroDivisionError: division by zero\n'


def reds(output: bytes) -> list[bytes]:
    """The lines that are shown as a failure."""
    lines = printed([output], colour=True)
    return [line.removeprefix(RED).removesuffix(RESET + b"\n") for line in lines if line.startswith(RED)]


@pytest.mark.parametrize(
    "record",
    [
        b"[2026-01-01 00:00:01,000: INFO/MainProcess] goes on\n",
        b"[I 260101 00:00:01 command:168] Flower goes on\n",
        b"INFO:     uvicorn goes on\n",
        b"WARNING:  uvicorn goes on\n",
    ],
)
def test_a_failure_is_red_with_its_traceback_until_the_next_record(record: bytes) -> None:
    output = b"before\n" + CELERY_ERROR + TRACEBACK + record + b"after\n"

    assert reds(output) == (CELERY_ERROR + TRACEBACK).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        CELERY_ERROR,
        b"[2026-01-01 00:00:00,000: CRITICAL/MainProcess] Unrecoverable error\n",
        b"ERROR:    Exception in ASGI application\n",
        b"CRITICAL: out of memory\n",
        b"[E 260101 00:00:00 events:191] Flower failed\n",
        TRACEBACK.splitlines(keepends=True)[0],
    ],
)
def test_what_a_failure_looks_like(line: bytes) -> None:
    assert reds(b"before\n" + line) == [line[:-1]]


@pytest.mark.parametrize(
    "line", [b"no ERROR here\n", b"ERRORS: 0\n", b"[2026-01-01 00:00:00,000: INFO/MainProcess] ERROR/x\n", b"  ERROR\n"]
)
def test_what_a_failure_does_not_look_like(line: bytes) -> None:
    assert reds(b"before\n" + line) == []


def test_a_pause_stands_out_also_within_a_failure() -> None:
    pause = b"Remote Debugger:6900: Please telnet into 127.0.0.1 6900."

    assert printed([pause + b"\nx\n"], colour=True) == [MAGENTA + pause + RESET + b"\n", b"x\n"]
    assert printed([CELERY_ERROR + pause + b"\nx\n"], colour=True)[1:] == [
        MAGENTA + pause + RESET + b"\n",
        RED + b"x" + RESET + b"\n",
    ]


def test_a_failure_is_the_failure_of_one_service() -> None:
    with printing("api", "web", colour=True) as (printer, lines):
        printer.output("api", CELERY_ERROR)
        printer.output("web", b"fine\n")
        printer.output("api", b"traceback\n")

    assert [RED in line for line in lines] == [True, False, True]


# --- held back until the table is there ---


def test_of_what_a_service_prints_before_it_is_ready_only_what_stands_out_is_shown() -> None:
    with printing("api", "web", hold=True) as (printer, lines):
        printer.output("web", b"chatter\n")
        printer.output("web", CELERY_ERROR + b"its cause\nINFO goes on\nRemote Debugger:6900\n")
        printer.ready("web")
        printer.output("web", b"the first request\n")
        printer.say("the table\n")
        printer.release()
        printer.output("web", b"the second request\n")

    assert lines == [
        b"the table\n",
        b"web | " + CELERY_ERROR,
        b"web | its cause\n",
        b"web | Remote Debugger:6900\n",
        b"web | the first request\n",
        b"web | the second request\n",
    ]


def test_a_service_that_never_became_ready_shows_all() -> None:
    with printing("web", hold=True) as (printer, lines):
        printer.output("web", b"chatter\n")
        printer.release()

    assert lines == [b"web | chatter\n"]


def test_what_is_held_back_has_a_limit() -> None:
    with printing("web", hold=True) as (printer, lines):
        printer.output("web", b"".join(b"%d\n" % number for number in range(HELD_LINES + 5)))
        printer.release()

    assert lines[0] == b"web | (5 lines before these: devkit logs)\n"
    assert lines[1:] == [b"web | %d\n" % number for number in range(5, HELD_LINES + 5)]


def test_a_restart_later_hides_nothing() -> None:
    with printing("web") as (printer, lines):
        printer.output("web", b"chatter\n")
        printer.ready("web")

    assert lines == [b"web | chatter\n"]


# --- order ---


def test_a_services_lines_keep_their_order_whatever_they_look_like() -> None:
    output = b"".join(
        [b"%d plain\n" % n, b"%d \x1b[1mbold\n" % n, b"%d x\ry\n" % n, b"ERROR %d\n" % n, b"INFO %d\n" % n][n % 5]
        for n in range(2000)
    )
    dice = random.Random(1)  # noqa: S311 - the same in each run
    chunks, rest = [], output
    while rest:
        size = dice.randint(1, 500)
        chunks.append(rest[:size])
        rest = rest[size:]
    services = ("a", "b", "c")

    with printing(*services) as (printer, lines):

        def run(name: str) -> None:
            for chunk in chunks:
                printer.output(name, chunk)

        threads = [Thread(target=run, args=(name,), daemon=True) for name in services]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    expected = [line.removesuffix(b"\n") for line in printed([output])]
    for name in services:
        prefix = f"{name} | ".encode()
        assert [line.removeprefix(prefix)[:-1] for line in lines if line.startswith(prefix)] == expected


def test_devkits_words_come_where_they_were_said() -> None:
    with printing("web") as (printer, lines):
        printer.output("web", b"one\nun")
        printer.say("said\n")
        printer.output("web", b"finished\n")

    assert lines == [b"web | one\n", b"said\n", b"web | unfinished\n"]


def test_words_for_another_place_keep_their_order_too() -> None:
    """Standard output and standard error are most often the same terminal."""
    terminal = Terminal()
    terminal.read()
    other = os.dup(terminal.fd)
    printer = Printer(terminal.fd, ["web"], colour=False, on_lost=unexpected)
    printer.release()

    for number in range(100):
        printer.output("web", b"%d\n" % number)
        printer.say(f"after {number}\n", other)
    printer.close(timeout_s=10)
    os.close(other)

    expected = [line for number in range(100) for line in (b"web | %d" % number, b"after %d" % number)]
    assert terminal.close().splitlines() == expected


def test_each_place_gets_its_own_words() -> None:
    out, talk = Terminal(), Terminal()
    out.read()
    talk.read()
    printer = Printer(out.fd, ["web"], colour=False, on_lost=unexpected)
    printer.release()

    printer.say("talk\n", talk.fd)
    printer.say("data\n")
    printer.output("web", b"line\n")
    printer.close(timeout_s=10)

    assert (out.close(), talk.close()) == (b"data\nweb | line\n", b"talk\n")


# --- a terminal that is slow, stuck or gone ---

CHUNK = b"x" * 65_535 + b"\n"
TOO_MANY = 4 * BUFFER_BYTES // len(CHUNK)


class Flood:
    """A service that prints more than any buffer holds."""

    def __init__(self, printer: Printer) -> None:
        self.printed = 0
        self._printer = printer
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for _ in range(TOO_MANY):
            self._printer.output("web", CHUNK)
            self.printed += 1

    @property
    def fills_the_buffer(self) -> bool:
        return self.printed * len(CHUNK) >= BUFFER_BYTES


def test_a_slow_terminal_slows_the_service_down_and_loses_nothing() -> None:
    terminal = Terminal()
    printer = Printer(terminal.fd, ["web"], colour=False, on_lost=unexpected)
    printer.release()
    flood = Flood(printer)
    wait_for(lambda: flood.fills_the_buffer)
    flood.thread.join(0.05)
    assert flood.thread.is_alive()

    terminal.read()
    flood.thread.join()
    printer.close(timeout_s=10)

    assert terminal.close() == (b"web | " + CHUNK) * TOO_MANY


def test_a_stuck_terminal_holds_nobody_up_once_the_stack_stops() -> None:
    terminal = Terminal()
    printer = Printer(terminal.fd, ["web"], colour=False, on_lost=unexpected)
    printer.release()
    flood = Flood(printer)
    wait_for(lambda: flood.fills_the_buffer)

    printer.hurry()

    flood.thread.join(10)
    assert not flood.thread.is_alive()
    printer.say("bye\n")
    terminal.read()
    printer.close(timeout_s=10)
    *lines, last = terminal.close().splitlines(keepends=True)
    assert lines[-1] == b"bye\n"
    missing = TOO_MANY * len(b"web | " + CHUNK) - sum(map(len, lines[:-1]))
    assert last == b"(%d bytes more than could be shown: see devkit logs)\n" % missing


def test_a_stuck_terminal_does_not_hold_up_the_end() -> None:
    terminal = Terminal()
    printer = Printer(terminal.fd, ["web"], colour=False, on_lost=lambda: None)
    printer.say("x" * BUFFER_BYTES)
    closing = Thread(target=printer.close, args=(0.01,), daemon=True)
    closing.start()

    closing.join(10)

    assert not closing.is_alive()
    terminal.leave()
    os.close(terminal.fd)


def test_devkits_own_words_never_wait() -> None:
    terminal = Terminal()
    printer = Printer(terminal.fd, ["web"], colour=False, on_lost=unexpected)
    printer.release()
    flood = Flood(printer)
    wait_for(lambda: flood.fills_the_buffer)
    speaker = Thread(target=printer.say, args=("said\n",), daemon=True)
    speaker.start()

    speaker.join(10)

    assert not speaker.is_alive()
    terminal.read()
    flood.thread.join()
    printer.close(timeout_s=10)
    assert b"\nsaid\n" in terminal.close()


def test_a_reader_that_is_gone_is_told_of_once_and_output_is_taken_as_before() -> None:
    terminal = Terminal()
    lost = Event()
    told: list[bool] = []

    def on_lost() -> None:
        told.append(True)
        lost.set()

    printer = Printer(terminal.fd, ["web"], colour=False, on_lost=on_lost)
    printer.release()
    terminal.leave()

    printer.output("web", b"nobody reads this\n")

    assert lost.wait(10)
    flood = Flood(printer)
    flood.thread.join(10)
    assert not flood.thread.is_alive()
    printer.say("bye\n")
    printer.close(timeout_s=10)
    os.close(terminal.fd)
    assert told == [True]


def test_a_terminal_that_must_not_be_waited_for_is_still_a_terminal() -> None:
    """Another program that has the terminal may have made it non-blocking: for devkit, too."""
    terminal = Terminal()
    os.set_blocking(terminal.fd, False)
    lost = Event()
    printer = Printer(terminal.fd, ["web"], colour=False, on_lost=lost.set)
    printer.release()
    flood = Flood(printer)

    assert not lost.wait(0.1)

    terminal.read()
    flood.thread.join()
    printer.close(timeout_s=10)
    assert terminal.close() == (b"web | " + CHUNK) * TOO_MANY
