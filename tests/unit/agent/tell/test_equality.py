"""Whether values are equal, without asking them."""

import copy
import functools
import math
import threading
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest

from devkit.agent.tell.equality import Unclear, same
from tests.unit.agent.tripwires import MAKE, equal_to_all, made_of_traps, nothing_runs


@dataclass
class Order:
    lines: list[Any]


class Text(str):
    """With attributes."""


def text(name: str) -> Text:
    made = Text("x")
    made.name = name  # type: ignore[attr-defined]
    return made


MadeOf: Any = {base: type("Made", (base,), {}) for base in (deque, array, BytesIO, datetime)}


def with_attributes(made: Any, **values: Any) -> Any:
    vars(made).update(values)
    return made


def around(value: Any) -> Any:
    made = [value]
    made.append(made)
    return made


EQUAL: list[Any] = [
    1, "x", b"x", 2.5, None, math.nan, 10**10_000, [1, [2]], (1,), {"x": [1]}, {1, "2"}, frozenset({(1, 2)}), set(),
    datetime(2020, 1, 1, tzinfo=UTC), Decimal("1.50"), Order([1]), {"x": Order([{1: 2}])}, OrderedDict(x=1), text("a"),
    around(1), [math.nan], True,
]  # fmt: skip


@pytest.mark.parametrize("value", [pytest.param(value, id=str(number)) for number, value in enumerate(EQUAL)])
def test_what_was_copied_is_equal_and_to_nothing_else(value: Any) -> None:
    assert same(value, copy.deepcopy(value))
    others = [one for one in EQUAL if one is not value]
    assert [one for one in others if same(value, one)] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [2, 1]), ({"x": 1}, {"x": 2}), ({"x": 1}, {"y": 1}), ({1, 2}, {1, 3}), (Order([1]), Order([2])),
        (text("a"), text("b")), (around(1), around(2)), ("x" * 10**6, "x" * 10**6 + "y"), (1, True),
        (with_attributes(ValueError(1), x=1), with_attributes(ValueError(2), x=1)),
        ({"x": 1}, OrderedDict(x=1)), ([], [None]), ({equal_to_all("x"): 1}, {equal_to_all("x"): 2}),
    ],
)  # fmt: skip
def test_what_differs_anywhere_is_not(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same([{"x": one}], [{"x": other}])


def test_order_counts_for_lists_only() -> None:
    assert same(with_attributes(Order([]), x=1, y=2), with_attributes(Order([]), y=2, x=1))
    assert same({"x": 1, "y": 2}, {"y": 2, "x": 1})
    assert same({f"{number}" for number in range(100)}, {f"{number}" for number in reversed(range(100))})


@pytest.mark.parametrize("make", [
    object, threading.Lock, lambda: deque([1]),
    # What is in these attributes do not tell.
    lambda: with_attributes(MadeOf[deque]([1]), x=1),
    lambda: with_attributes(MadeOf[array]("i", [1]), x=1),
    lambda: with_attributes(MadeOf[BytesIO](b"x"), x=1),
    lambda: with_attributes(MadeOf[datetime](2020, 1, 1), x=1),
    lambda: with_attributes(functools.partial(print, 1), x=1),
    lambda: with_attributes(Order([]), **{f"x{number}": 1 for number in range(300)}),
])  # fmt: skip
def test_what_cannot_be_looked_into_is_unclear(make: Callable[[], Any]) -> None:
    with pytest.raises(Unclear):
        same([make()], [make()])
    one = make()
    assert same([one], [one])


def test_too_much_is_unclear() -> None:
    def doubled() -> Any:
        value: Any = [1]
        for _ in range(30):
            value = [value, value]
        return value

    assert same(doubled(), doubled())  # of what is met again no second look is taken
    with pytest.raises(Unclear):
        same([[] for _ in range(200_000)], [[] for _ in range(200_000)])


@pytest.mark.parametrize("make", MAKE)
def test_nothing_is_run(make: Callable[[], Any]) -> None:
    values = [make(), *made_of_traps(make())]
    others = [make(), *made_of_traps(make())]
    with nothing_runs():
        for one, other in zip(values, others, strict=True):
            try:
                assert same(one, other) in (True, False)
            except Unclear:
                continue
