"""Whether what was JSON is what its reader takes it for."""

import json
from typing import Literal, TypedDict

import pytest

from devkit.model.shape import fields_fit, fits
from devkit.model.wire import LoanOrder, Note, ReplayAnswer, ZygoteOrder


class Part(TypedDict):
    name: str


class Whole(Part, total=False):
    size: int | None
    parts: list[Part]
    by_name: dict[str, Part]
    kind: Literal["one", "other"]
    share: float
    any: object


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "a"}',
        '{"name": "a", "more": 1}',
        '{"name": "a", "size": null, "parts": [], "by_name": {}}',
        '{"name": "a", "size": 3, "parts": [{"name": "b"}], "by_name": {"c": {"name": "c"}}}',
        '{"name": "a", "kind": "other", "share": 1, "any": [{"x": null}]}',
        '{"name": "a", "share": 0.5, "any": null}',
    ],
)
def test_what_is_of_that_kind(text: str) -> None:
    assert fits(json.loads(text), Whole)


@pytest.mark.parametrize(
    "text",
    [
        "null", "[]", '"name"', "{}",
        '{"name": null}', '{"name": 1}', '{"name": ["a"]}',
        '{"name": "a", "size": "3"}', '{"name": "a", "size": true}', '{"name": "a", "size": 3.0}',
        '{"name": "a", "parts": {}}', '{"name": "a", "parts": null}', '{"name": "a", "parts": [{}]}',
        '{"name": "a", "parts": ["b"]}', '{"name": "a", "by_name": []}', '{"name": "a", "by_name": {"c": 1}}',
        '{"name": "a", "kind": "third"}', '{"name": "a", "kind": ["one"]}',
        '{"name": "a", "share": true}', '{"name": "a", "share": "1"}',
    ],
)  # fmt: skip
def test_what_is_not(text: str) -> None:
    assert not fits(json.loads(text), Whole)


def test_of_a_class_only_the_fields_that_are_given_count() -> None:
    class Pair:
        one: int
        other: str | None

    assert fields_fit({"one": 1}, Pair)
    assert fields_fit({"one": 1, "other": None, "third": object()}, Pair)
    assert not fields_fit({"one": 1, "other": 2}, Pair)


def test_messages_between_the_interpreters() -> None:
    assert fits({"generation": 1, "live": True, "sources": ["/elsewhere"]}, Note)
    assert not fits({"generation": 1, "live": True, "sources": "/elsewhere"}, Note)
    assert not fits({"facts": {"broker": "memory://"}}, Note)
    assert fits({"tell": 3, "order": "stop"}, ZygoteOrder)
    assert not fits({"start": 3, "program": {"kind": "beat"}}, ZygoteOrder)
    assert not fits({"python": "/usr/bin/python", "argv": [], "cwd": "/"}, LoanOrder)
    assert not fits({"running": {"pid": 1}}, ReplayAnswer)
