"""Breakpoints as people name their places: set, listed, cleared."""

from pathlib import Path

import pytest

from devkit.cli.debug.lists import breakpoint_line
from devkit.errors import UsageError
from devkit.services.debug.breakpoints import ProjectBreakpoints
from tests.unit.services.debug.pauses import settings_in

SOURCE = "from celery import Celery\napp = Celery()\n\n@app.task\ndef f():\n    pass\n"


@pytest.fixture
def breakpoints(tmp_path: Path) -> ProjectBreakpoints:
    (tmp_path / "tasks.py").write_text(SOURCE)
    return ProjectBreakpoints(settings_in(tmp_path), tmp_path)


def test_they_are_set_listed_and_cleared(breakpoints: ProjectBreakpoints, tmp_path: Path) -> None:
    breakpoints.add("tasks.py:6", "x > 1")
    breakpoints.add("f", "")
    breakpoints.add_on_failure("f", retries=True)
    (tmp_path / "tasks.py").write_text("\n" + SOURCE)

    assert [breakpoint_line(one, now) for one, now in breakpoints.all()] == [
        "breakpoint 1: tasks.py:7 if x > 1",
        "breakpoint 2: first line of f",
        "breakpoint 3: failures of f, also those that are tried again",
    ]
    assert breakpoints.clear((), "f") == 2
    assert breakpoints.clear((), None) == 1
    assert breakpoints.all() == []


def test_one_may_be_cleared_by_its_place(breakpoints: ProjectBreakpoints) -> None:
    breakpoints.add("tasks.py:6", "")
    breakpoints.add("f", "")

    assert breakpoints.clear(["tasks.py:6"], None) == 1
    assert [one.kind for one, _ in breakpoints.all()] == ["task"]


@pytest.mark.parametrize("place", ["nowhere.py:3", "tasks.py:60"])
def test_a_place_that_is_none_is_wrong_usage(breakpoints: ProjectBreakpoints, place: str) -> None:
    with pytest.raises(UsageError, match=f"no breakpoint at {place}"):
        breakpoints.add(place, "")


def test_the_first_one_makes_the_folder_which_git_ignores(breakpoints: ProjectBreakpoints, tmp_path: Path) -> None:
    breakpoints.add("f", "")

    assert (tmp_path / ".devkit" / ".gitignore").read_text() == "*\n"
