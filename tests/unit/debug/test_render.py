"""How stops, source and ends look, with colours and without."""

import re
from pathlib import Path

import pytest

from devkit.debug.events import Ended, Stopped
from devkit.debug.render import Paint, as_pdb

PLAIN, COLOURED = Paint(colour=False), Paint(colour=True)
SOURCE = tuple((number, f"line_{number}()") for number in range(4, 17))


def stopped(event: str = "line", detail: str = "") -> Stopped:
    return Stopped("/project/tasks.py", 10, "divide", event, detail, SOURCE)


def without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_the_first_stop_shows_all_lines_and_marks_the_current_one() -> None:
    lines = PLAIN.stop(stopped(), None).splitlines()

    assert lines[0] == "> /project/tasks.py:10 in divide"
    assert lines[1] == "    4  line_4()"
    assert lines[7] == "-> 10  line_10()"
    assert len(lines) == 1 + len(SOURCE)


def test_later_stops_show_two_lines_before_and_after() -> None:
    assert PLAIN.stop(stopped()) == (
        "> /project/tasks.py:10 in divide\n    8  line_8()\n    9  line_9()\n-> 10  line_10()\n"
        "   11  line_11()\n   12  line_12()\n"
    )


@pytest.mark.parametrize(
    ("event", "detail", "shown"),
    [
        ("return", "returns 2.5", "returns 2.5"),
        ("exception", "ZeroDivisionError: division by zero", "ZeroDivisionError: division by zero"),
        ("failure", "ZeroDivisionError: division by zero", "ZeroDivisionError: division by zero"),
        ("call", "", "call"),
    ],
)
def test_what_happened_there(event: str, detail: str, shown: str) -> None:
    assert PLAIN.stop(stopped(event, detail)).splitlines()[1] == f"  {shown}"


def test_colour_adds_nothing_but_colour() -> None:
    stop = stopped("return", "returns 2.5")

    assert COLOURED.stop(stop, None) != PLAIN.stop(stop, None)
    assert without_colour(COLOURED.stop(stop, None)) == PLAIN.stop(stop, None)


LISTING = "  7 B\tdef divide(x, y):\n  8  ->\t    return x / y\n  9  >>\t\n 10  \t\n[EOF]\n"


def test_a_listing_is_coloured_line_by_line() -> None:
    assert without_colour(COLOURED.listing(LISTING)) == LISTING
    assert "\x1b[" in COLOURED.listing(LISTING).splitlines()[0]
    assert COLOURED.listing("*** no source\n") == "*** no source\n"
    assert PLAIN.listing(LISTING) == LISTING


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        (Ended("SUCCESS", "2.5", None), "tasks.divide SUCCESS: 2.5\n"),
        (Ended("FAILURE", None, "ZeroDivisionError: division by zero"),
         "tasks.divide FAILURE: ZeroDivisionError: division by zero\n"),
        (Ended("IGNORED", None, None), "tasks.divide IGNORED\n"),
    ],
)  # fmt: skip
def test_the_end_is_one_line(ended: Ended, line: str) -> None:
    assert PLAIN.ended(ended, "tasks.divide") == line


def test_what_is_paused() -> None:
    session = {"task": "tasks.divide", "task_id": "4f1c", "args": "x=10, y=0", "why": "breakpoint 2"}

    assert PLAIN.session(session) == "tasks.divide(x=10, y=0)  4f1c\n  breakpoint 2\n"
    assert PLAIN.session({**session, "why": "breakpoint"}) == "tasks.divide(x=10, y=0)  4f1c\n"
    assert PLAIN.session({}) == "outside of any task\n"


def test_pdbs_own_words() -> None:
    place = "> /project/tasks.py(10)divide()"

    assert as_pdb(stopped()) == f"{place}\n-> line_10()\n"
    assert as_pdb(stopped("call")) == f"--Call--\n{place}\n-> line_10()\n"
    assert as_pdb(stopped("return", "returns 2.5")) == f"--Return--\n{place}->2.5\n-> line_10()\n"
    assert as_pdb(stopped("exception", "ValueError: no")) == f"ValueError: no\n{place}\n-> line_10()\n"
    assert as_pdb(Stopped("f", 1, "g", shown="> f(1)g()\n-> x\n")) == "> f(1)g()\n-> x\n"


def test_paths_are_relative_inside_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inside = Stopped(str(tmp_path / "app" / "tasks.py"), 3, "f")

    assert PLAIN.stop(inside) == "> app/tasks.py:3 in f\n"
