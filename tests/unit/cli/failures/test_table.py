"""Failed tasks in a table, and as JSON."""

import json
import sys
from datetime import datetime

import pytest

from devkit.cli.failures.table import advice, failures_json, failures_table, short_names
from devkit.cli.text import short_ids, when
from devkit.model.text import cells
from devkit.services.failures.search import Found
from tests.unit.cli.failures.failing import ID, NOW, failure

LONG = "something that is too long to be shown as a whole " * 4


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("NO_COLOR", "1")


def test_one_line_each_with_all_that_there_is_to_know() -> None:
    head, line = failures_table([failure(retries=2)], NOW).split("\n")

    assert head.split() == ["id", "when", "task", "exception", "arguments", "retries", "worker"]
    assert line == (
        "4f1c22aa  1 min ago  divide  ZeroDivisionError: division by zero  x=10, y=0        2  celery.1@host"
    )


@pytest.mark.parametrize("_terminal", [60, 80, 100, 120, 200], indirect=True)
@pytest.mark.usefixtures("_terminal")
def test_the_table_is_as_wide_as_the_terminal(request: pytest.FixtureRequest) -> None:
    width = request.node.callspec.params["_terminal"]
    shown = failures_table([failure(message=LONG, call=LONG), failure(id="77", message="短い" * 80)], NOW).split("\n")

    assert max(map(cells, shown)) <= width
    assert cells(shown[1]) > width - 30  # and no part of it is wasted
    assert ("ZeroDivisionError: som" in shown[1]) is (width >= 80)
    assert ("worker" in shown[0]) is (width >= 120)


@pytest.mark.parametrize("_terminal", [80], indirect=True)
@pytest.mark.usefixtures("_terminal")
def test_what_fits_is_not_cut() -> None:
    assert "…" not in failures_table([failure(task="shop.f", exception="E", message="no", call="")], NOW)


def test_what_a_terminal_would_obey_is_shown_as_text() -> None:
    one = failure(message="first\nsecond \x1b[31m", call="x='\x9b'", worker="w\x07", task="\x1b]0;t\x07", id="\x1b[2J")

    shown = failures_table([one], NOW)

    assert shown.count("\n") == 1
    assert "first second \\x1b[31m" in shown
    assert all(char.isprintable() for char in shown.replace("\n", ""))


def test_ids_are_as_short_as_they_can_be_told_apart() -> None:
    assert short_ids([ID, "4f1c22ab-x", "import-2026-11-21", "import-2026-11-22", "abc"]) == {
        ID: "4f1c22aa",
        "4f1c22ab-x": "4f1c22ab",
        "import-2026-11-21": "import-2026-11-21",
        "import-2026-11-22": "import-2026-11-22",
        "abc": "abc",
    }
    assert short_ids([]) == {}
    assert short_ids([ID, ID]) == {ID: "4f1c22aa"}


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    assert short_names(["cart.tasks.add", "stock.tasks.add", "stock.tasks.remove", "add"]) == {
        "cart.tasks.add": "cart.tasks.add",
        "stock.tasks.add": "stock.tasks.add",
        "stock.tasks.remove": "remove",
        "add": "add",
    }


def test_times() -> None:
    assert when(NOW - 5, NOW) == "5 s ago"
    assert when(NOW - 7300, NOW) == "2 h ago"
    assert when(NOW - 200_000, NOW) == datetime.fromtimestamp(NOW - 200_000).strftime("%Y-%m-%d %H:%M")


def test_the_document() -> None:
    one = failure(
        args=["ann", "pw", [{"token": 1}]], names=("user", "password", "x"), kwargs={"deep": {"api_key": [1]}}
    )

    assert json.loads(failures_json([one])) == [
        {
            "id": ID,
            "task": "shop.tasks.divide",
            "failed_at": "2026-11-22T17:37:01.000Z",
            "exception": "ZeroDivisionError",
            "message": "division by zero",
            "args": ["ann", "***", [{"token": "***"}]],
            "kwargs": {"deep": {"api_key": "***"}},
            "retries": 0,
            "worker": "celery.1@host",
            "replayable": True,
            "source": "recorded",
        }
    ]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"body": None, "missing": "not stored"}, id="none kept"),
        pytest.param({"body": b"\x80\x04", "content_type": "application/x-python-serialize"}, id="pickled"),
        pytest.param({"body": b'[[1], {"x"'}, id="cut short"),
        pytest.param({"body": b"\xff"}, id="no text"),
        pytest.param({"body": b"7"}, id="no list"),
        pytest.param({"body": b"[1, 2, 3]"}, id="no arguments"),
        pytest.param({"body": b"[" * 100_000}, id="too deep"),
        pytest.param({"body": b"[]", "content_encoding": "klingon"}, id="unknown encoding"),
    ],
)
def test_arguments_that_are_not_known_are_null(fields: dict[str, object]) -> None:
    (document,) = json.loads(failures_json([failure(**fields)]))

    assert (document["args"], document["kwargs"]) == (None, None)
    assert document["replayable"] is (fields["body"] is not None and "content_type" not in fields)


def test_the_newest_is_the_example_of_what_to_do() -> None:
    listed = Found([failure(id="4f1c22aa-1"), failure(id="4f1c22aa-2")])

    assert advice(listed, None, None, 20) == [
        "devkit show 4f1c22aa-1 shows one whole, devkit replay 4f1c22aa-1 runs it again"
    ]
    assert advice(listed, None, None, 2)[0].endswith("again; --limit 10 shows more")


def test_where_there_are_none_it_says_of_what() -> None:
    none = Found([], tasks=("shop.add", "shop.sub"))

    assert advice(none, None, None, 20) == ["no failure"]
    assert advice(none, "divide", "2h", 20) == [
        "no failure of divide since 2h",
        "tasks that failed: shop.add, shop.sub",
    ]
