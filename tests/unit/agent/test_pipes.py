"""Lines of JSON, in both directions."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from devkit.agent.pipes import ATOMIC_BYTES, Notify, Orders
from devkit.model.wire import NOTIFY_FD, AppFacts


class Pipe:
    """A pipe and what was written to it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def close(self) -> None:
        os.close(self.reading)
        self.end()

    def end(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
        self.writing = -1

    def read(self) -> bytes:
        return os.read(self.reading, 1_000_000)

    def write(self, data: bytes) -> None:
        os.write(self.writing, data)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def notify(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> Notify:
    monkeypatch.setenv(NOTIFY_FD, str(pipe.writing))
    return Notify()


def test_nobody_inherits_what_tells_where_to_tell(notify: Notify) -> None:
    assert NOTIFY_FD not in os.environ


def test_what_is_told_is_one_line(notify: Notify, pipe: Pipe) -> None:
    notify.tell(generation=3, failed={"message": "a\nb"}, text="c\nd")

    assert pipe.read() == b'{"generation": 3, "failed": {"message": "a\\nb"}, "text": "c\\nd"}\n'


def test_of_a_long_text_the_beginning_and_the_end_are_told_in_one_piece(
    notify: Notify, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = os.write

    def count(fd: int, data: bytes) -> int:
        writes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", count)
    notify.tell(generation=3, text=f"first{'x' * 100_000}last")

    (told,) = pipe.read().splitlines()
    text = json.loads(told)["text"]
    assert writes == [len(told) + 1]
    assert len(told) < ATOMIC_BYTES
    assert text.startswith("firstxxx")
    assert text.endswith("xxxlast")
    assert "\n…\n" in text


def test_a_text_that_just_fits_is_left_whole(notify: Notify, pipe: Pipe) -> None:
    text = "x" * (ATOMIC_BYTES - len('{"text": ""}\n'))
    notify.tell(text=text)

    told = pipe.read()
    assert len(told) == ATOMIC_BYTES
    assert json.loads(told)["text"] == text


def test_facts_of_any_size_arrive(notify: Notify, pipe: Pipe) -> None:
    facts = cast("AppFacts", {"tasks": [f"shop.tasks.task{number}" for number in range(2000)]})
    notify.tell(facts=facts)

    assert json.loads(pipe.read()) == {"facts": facts}


@pytest.mark.parametrize("character", ["ä", "漢", "🙂", "\x1b"])
def test_a_long_text_of_other_letters_is_one_piece_too(notify: Notify, pipe: Pipe, character: str) -> None:
    notify.tell(generation=3, text=character * 5000)

    assert len(pipe.read()) <= ATOMIC_BYTES


# --- orders ---


def order(number: int) -> bytes:
    return json.dumps({"start": number}).encode() + b"\n"


def arrived(orders: Orders) -> list[Any]:
    return list(orders.arrived())


def test_orders_arrive_one_after_the_other(pipe: Pipe) -> None:
    orders = Orders(pipe.reading)
    pipe.write(order(1) + order(2))

    assert orders.next() == {"start": 1}
    assert orders.waiting()
    assert orders.next() == {"start": 2}
    assert not orders.waiting()
    pipe.end()
    assert orders.next() is None


def test_orders_that_have_arrived_are_given_without_waiting_for_more(pipe: Pipe) -> None:
    orders = Orders(pipe.reading)

    assert arrived(orders) == []
    pipe.write(order(1) + order(2) + b'{"sta')
    assert arrived(orders) == [{"start": 1}, {"start": 2}]
    pipe.write(b'rt": 3}\n')
    assert arrived(orders) == [{"start": 3}]


def test_the_end_of_the_orders_is_told_after_the_last_one(pipe: Pipe) -> None:
    orders = Orders(pipe.reading)
    pipe.write(order(1))
    pipe.end()

    assert arrived(orders) == [{"start": 1}]
    assert orders.waiting()
    assert arrived(orders) == [None]


def test_orders_come_from_standard_input_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Orders().fd == 0
