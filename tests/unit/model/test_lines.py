"""Lines of JSON, as they arrive and as they are written."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

import pytest

from devkit.model.lines import CHUNK, Lines, line, write
from devkit.model.wire import Json, LoanNews


def arriving(*pieces: bytes) -> "Callable[[int], bytes]":
    """A stream that brings these, one after the other, and ends."""
    left = iter(pieces)
    return lambda _: next(left, b"")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        with suppress(OSError):  # the test did
            os.close(fd)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b'{"n": 1}\n', b'{"n": 2}\n'], id="one by one"),
        pytest.param([b'{"n": 1}\n{"n": 2}\n'], id="at once"),
        pytest.param([b'{"n', b'": 1}', b"\n", b'{"n": 2}\n'], id="in parts"),
        pytest.param([b'{"n": 1}\n{"n":', b" 2}\n"], id="one and a half"),
        pytest.param([bytes([byte]) for byte in b'{"n": 1}\n{"n": 2}\n'], id="byte by byte"),
        pytest.param([b'{"n": 1}\r\n{"n": 2}\r\n'], id="with CR"),
        pytest.param([b'{"n": 1}\n{"n": 2}\n{"n": 3', b"4"], id="the end within a line"),
    ],
)
def test_lines_in_any_pieces(pieces: list[bytes]) -> None:
    assert list(Lines(arriving(*pieces), Json)) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("pieces", [[], [b'{"n": 1}'], [b'{"n": ']])
def test_at_the_end_there_is_no_more(pieces: list[bytes]) -> None:
    lines = Lines(arriving(*pieces), Json)

    assert lines.next() is None
    assert lines.next() is None


def test_what_has_arrived_is_taken_without_waiting() -> None:
    lines = Lines(arriving(b'{"n": 2}\n{"n"', b": 3}\n"), Json)
    lines.feed(b'{"n": 1}\n')

    assert (lines.take(), lines.take()) == ({"n": 1}, None)
    assert lines.fill()
    assert (lines.take(), lines.take()) == ({"n": 2}, None)
    assert lines.fill()
    assert (lines.take(), lines.take()) == ({"n": 3}, None)
    assert not lines.fill()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(b"\n", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="no JSON"),
        pytest.param(b'{"n": 1\n', id="half an object"),
        pytest.param(b'{"n": 1} {"n": 2}\n', id="two in one line"),
        pytest.param(b'{"n": "\xff"}\n', id="no text"),
        pytest.param(b"\0" * 8 + b"\n", id="zeros"),
        pytest.param(b'"text"\n', id="a text"),
        pytest.param(b"[1]\n", id="a list"),
        pytest.param(b"null\n", id="null"),
        pytest.param(b'{"n": ' + b"9" * 10_000 + b"}\n", id="a number that Python does not read"),
        pytest.param(b"[" * 1_000_000 + b"]" * 1_000_000 + b"\n", id="nested too deep"),
        pytest.param(b'{"n":' * 1_000_000 + b"1" + b"}" * 1_000_000 + b"\n", id="objects nested too deep"),
    ],
)
def test_what_is_no_object_is_said_and_the_next_line_can_be_read(wrong: bytes) -> None:
    lines = Lines(arriving(wrong + b'{"n": 1}\n'), Json)

    with pytest.raises(ValueError):  # noqa: PT011 - json has words of its own
        lines.next()
    assert lines.next() == {"n": 1}


def test_an_object_of_another_kind_is_said_too() -> None:
    lines = Lines(arriving(b'{"pid": "1"}\n{"pid": 1}\n'), LoanNews)

    with pytest.raises(ValueError, match="what is no LoanNews"):
        lines.next()
    assert lines.next() == {"pid": 1}


def test_whoever_bears_others_passes_over_them() -> None:
    lines = Lines(arriving(b'{"pid": "1"}\nprinted\n[1]\n{"pid": 1}\n{"pid": nu'), LoanNews, bear=True)

    assert list(lines) == [{"pid": 1}]


@pytest.mark.parametrize("more", [b"", b"\n"], ids=["without an end", "whole"])
def test_a_line_that_is_too_long_is_not_kept(more: bytes) -> None:
    received = 0

    def receive(size: int) -> bytes:
        nonlocal received
        received += size
        return b"x" * (size - len(more)) + more if received < 100 * CHUNK else b""

    with pytest.raises(ValueError, match="more than 1000 bytes"):
        Lines(receive, Json, longest=1000).next()
    assert received == CHUNK


def test_the_longest_line() -> None:
    told = line({"x": "y"})

    assert Lines(arriving(told), Json, longest=len(told) - 1).next() == {"x": "y"}
    with pytest.raises(ValueError, match="more than"):
        Lines(arriving(told), Json, longest=len(told) - 2).next()


MESSAGE: dict[str, Any] = {"text": "ž\n\u2028\ud800 🙂", "n": [1.5, None, True], "": {}}


def test_what_is_written_arrives(pipe: tuple[int, int]) -> None:
    write(pipe[1], line(MESSAGE))
    os.close(pipe[1])

    lines = Lines(partial(os.read, pipe[0]), Json)
    assert lines.next() == MESSAGE
    assert lines.next() is None


def test_it_is_one_line_of_ascii() -> None:
    assert line(MESSAGE).isascii()
    assert line(MESSAGE).count(b"\n") == 1


def test_what_is_no_json_value_may_be_described() -> None:
    assert json.loads(line({"x": {1}}, default=repr)) == {"x": "{1}"}
    with pytest.raises(TypeError):
        line({"x": {1}})


@pytest.mark.parametrize("blocking", [True, False])
def test_what_is_larger_than_a_pipe_is_written_whole(pipe: tuple[int, int], blocking: bool) -> None:
    message = {"x": "y" * 10_000_000}
    os.set_blocking(pipe[1], blocking)
    writing = Thread(target=write, args=(pipe[1], line(message)), daemon=True)
    writing.start()

    assert Lines(partial(os.read, pipe[0]), Json).next() == message
    writing.join()


def test_a_socket_that_times_out_says_so() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        theirs.sendall(b'{"n": ')
        lines = Lines(ours.recv, Json)
        with pytest.raises(TimeoutError):
            lines.next()
        theirs.sendall(b"1}\n")
        assert lines.next() == {"n": 1}
