"""A failed task, over the wire and back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from devkit.model.failure import SCHEMA, Failure, Frame, Unreadable

OWN = Frame("/shop/tasks.py", 3, "total", "shop.tasks", "return x / y", True, {"x": "1"})
OTHER = Frame("/lib/json.py", 9, "loads", "json", "raise", False)
FAILURE = Failure(
    id="3f2a", task="shop.tasks.total", state="FAILURE", retries=2, exception="ValueError", message="no",
    traceback="Traceback …", frames=(OWN, OTHER), call="x=1", names=("x",), headers={"id": "3f2a", "deep": [None]},
    properties={}, delivery_info={}, content_type="application/json", content_encoding="utf-8", failed_at=2.5,
    started_at=None, worker="celery@host", revision="abc", body=b"[[1], {}, {}]",
)  # fmt: skip


def wire(**changes: Any) -> Any:
    return json.loads(json.dumps(FAILURE.to_wire())) | changes


def test_it_comes_over_the_wire_as_it_was_and_its_body_beside() -> None:
    assert Failure.from_wire(wire(), FAILURE.body) == FAILURE
    assert "body" not in wire()
    assert Failure.from_wire(wire()).body is None


def test_the_wire_shares_no_frame_with_it() -> None:
    FAILURE.to_wire()["frames"][0]["line"] = 99
    assert OWN.line == 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([], "no record of a failure"),
        ({}, "no record of a failure"),
        (wire(schema="1"), "no record of a failure"),
        (wire(schema=True), "no record of a failure"),
        (wire(schema=SCHEMA + 1), "a newer devkit wrote it"),
        ({name: value for name, value in wire().items() if name != "task"}, "it is not whole: 'task'"),
        (wire(id=None), "it is not whole: None is not str"),
        (wire(retries=True), "it is not whole"),
        (wire(failed_at="now"), "it is not whole"),
        (wire(frames=[{"file": "x"}]), "it is not whole"),
        (wire(names=[1]), "it is not whole"),
        (wire(headers=[]), "it is not whole"),
    ],
)
def test_what_is_no_failure_says_why(data: Any, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        Failure.from_wire(data)


def test_its_own_frame_is_the_innermost_of_the_project() -> None:
    assert FAILURE.own_frame == OWN
    assert replace(FAILURE, frames=(OTHER,)).own_frame is None


def test_only_what_comes_again_by_itself_does_not_count() -> None:
    assert [replace(FAILURE, state=state).counts for state in ("FAILURE", "REJECTED", "RETRY")] == [True, True, False]
    assert FAILURE.key == "3f2a:2"


@pytest.mark.parametrize(
    ("kind", "body", "replayable"),
    [
        ("application/json", b"[]", True),
        ("application/json", None, False),
        ("application/x-python-serialize", b"", False),
        ("application/x-pickle", b"", False),
    ],
)
def test_it_can_be_run_again_if_its_arguments_are_there_and_run_no_code(
    kind: str, body: bytes | None, replayable: bool
) -> None:
    assert replace(FAILURE, content_type=kind, body=body).replayable is replayable
