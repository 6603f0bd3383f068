"""Paused tasks and breakpoints in lists."""

import json
import os
import sys
import time
from typing import Any

import pytest

from devkit.cli.debug.lists import breakpoint_line, breakpoints_json, line, paused_json, paused_table, short_id
from devkit.cli.text import ago
from devkit.containers.execs import InContainer
from devkit.model.breakpoint import Breakpoint
from devkit.model.session import Session
from devkit.model.text import short_path
from devkit.services.debug.paused import Paused

ID = "4f1c22aa-0d3e-4b6c-9a63-0a4b4a4a5d5e"


def paused(there: InContainer | None = None, **fields: Any) -> Paused:
    """One that waits at a breakpoint in `divide(x=10)`."""
    known: dict[str, Any] = {
        "id": ID, "task": "shop.divide", "task_id": ID, "args": "x=10", "file": "/shop/tasks.py", "line": 8,
        "function": "divide", "host": "here", "container": "", "pid": 7, "pid_started": None, "main_pid": 6,
        "thread": "", "port": 6899, "token": "t", "since": time.time() - 61, "state": "paused", "paused_s": 0.0,
        "why": "breakpoint",
    }  # fmt: skip
    return Paused(Session(**{**known, **fields}), there=there)


def cells(shown: str) -> list[list[str]]:
    """The rows of a table, below its head and the line under that."""
    return [[cell for cell in row.split("  ") if cell.strip()] for row in shown.splitlines()[2:]]


# --- paused tasks ---


def test_one_line_each_with_all_that_there_is_to_know() -> None:
    head, _, row = paused_table([paused()]).splitlines()

    assert head.split() == ["id", "task", "where", "host", "port", "since", "why"]
    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == [
        "4f1c22aa", "shop.divide(x=10)", "/shop/tasks.py:8 in divide", "here", "6899", "1 min", "breakpoint",
    ]  # fmt: skip


def test_of_who_waits_in_celerys_own_rdb_little_is_known() -> None:
    one = paused(id="pid-7", task_id="", token="")

    (row,) = cells(paused_table([one]))
    assert [cell.strip() for cell in row] == ["pid-7", "?", "Celery's own rdb", "here", "6899"]


def test_what_is_paused_outside_of_a_task_has_no_name() -> None:
    (row,) = cells(paused_table([paused(id="pid-7", task_id="", task="")]))

    assert row[1].strip() == "-"


def test_what_is_no_terminal_gets_the_whole_of_long_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    long = paused(args="x=" + "9" * 300)
    assert "9" * 300 in paused_table([long])

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    assert max(map(len, paused_table([long]).splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 100])
def test_in_a_narrow_terminal_words_give_way_and_not_what_is_to_be_typed(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    one = paused(task="sample_app.tasks.divide", file="/shop/sample_app/tasks.py", host="shop-worker-2", why="x" * 40)

    head, _, *rows = paused_table([one]).splitlines()

    assert head.split() == ["id", "task", "where", "host", "port", "since", "why"]
    (row,) = rows
    assert [word for word in row.split() if word in ("4f1c22aa", "shop-worker-2", "6899", "1", "min")] == [
        "4f1c22aa", "shop-worker-2", "6899", "1", "min",
    ]  # fmt: skip
    assert "sample_a" in row
    assert len(row) <= width


def test_what_looks_like_markup_is_text() -> None:
    assert "x='[red]'" in paused_table([paused(args="x='[red]'")])


def test_the_container_is_named_where_several_are_to_choose_from() -> None:
    assert line(paused()) == "4f1c22aa  shop.divide(x=10)  /shop/tasks.py:8 in divide"
    assert line(paused(InContainer("1" * 64, "shop-worker-1"))).endswith("in divide  shop-worker-1")


@pytest.mark.parametrize(
    ("session_id", "task_id", "shown"),
    [(ID, ID, "4f1c22aa"), (f"{ID}-2", ID, "4f1c22aa-2"), ("abc", "abc", "abc"), ("pid-4711", "", "pid-4711")],
)
def test_ids_are_short_and_tell_threads_apart(session_id: str, task_id: str, shown: str) -> None:
    assert short_id(paused(id=session_id, task_id=task_id)) == shown


def test_the_document_is_a_list() -> None:
    one = paused()

    assert json.loads(paused_json([one])) == [json.loads(json.dumps(one.to_json()))]
    assert json.loads(paused_json([])) == []


def test_nobody_sees_the_token() -> None:
    one = paused(token="secret")  # noqa: S106 - of nothing

    assert "secret" not in paused_json([one]) + paused_table([one])


# --- breakpoints ---


@pytest.mark.parametrize(
    ("one", "now", "shown"),
    [
        (Breakpoint(1, "line", file="tasks.py", line=8), 9, "tasks.py:9"),
        (Breakpoint(1, "line", file="tasks.py", line=8), None, "tasks.py:8, whose line is gone"),
        (Breakpoint(1, "line", file="tasks.py", line=8, condition="x > 1"), 8, "tasks.py:8 if x > 1"),
        (Breakpoint(1, "task", task="divide"), None, "first line of divide"),
        (Breakpoint(1, "ide", task="divide", port=5678), None, "first line of divide, in an editor on port 5678"),
        (Breakpoint(1, "failure"), None, "failures of any task"),
        (Breakpoint(1, "failure", task="divide", condition="x"), None, "failures of divide if x"),
        (Breakpoint(1, "failure", retries=True), None, "failures of any task, also those that are tried again"),
    ],
)
def test_a_breakpoint_in_words(one: Breakpoint, now: int | None, shown: str) -> None:
    assert breakpoint_line(one, now) == f"breakpoint 1: {shown}"


def test_a_breakpoint_as_json_has_its_line_as_it_is_now_and_nothing_of_how_that_is_found() -> None:
    one = Breakpoint(2, "line", file="tasks.py", line=8, context=("x = 1",), at=0)

    moved, gone = json.loads(breakpoints_json([(one, 11), (one, None)]))
    assert (moved["number"], moved["file"], moved["line"], gone["line"]) == (2, "tasks.py", 11, None)
    assert not {"context", "at"} & moved.keys()


# --- words ---


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (90_000, "25 h")],
)
def test_a_time_span_is_as_short_as_it_can_be(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown


def test_paths_are_relative_to_where_one_is() -> None:
    here = os.getcwd()  # noqa: PTH109 - a text to compare with

    assert short_path(f"{here}/shop/tasks.py") == "shop/tasks.py"
    assert short_path(f"{here}-other/tasks.py") == f"{here}-other/tasks.py"
