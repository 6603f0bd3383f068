"""Two tracebacks beside each other, or one below the other."""

import unicodedata

import pytest

from devkit.replay.tracebacks import side_by_side
from tests.unit.replay.failures import TRACEBACK

NEW = TRACEBACK.replace("line 20", "line 31").replace("x / y", "x / (y + '')").replace(
    "ZeroDivisionError: division by zero", "TypeError: unsupported operand"
)  # fmt: skip


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def test_side_by_side() -> None:
    assert [line.rstrip() for line in side_by_side(TRACEBACK, NEW, 123)] == [
        f"{left:60} {sign} {right}".rstrip()
        for left, sign, right in (
            ("then", " ", "now"),
            ("Traceback (most recent call last):", "│", "Traceback (most recent call last):"),
            ('  File "/home/me/shop/tasks.py", line 20, in divide', "│",
             '  File "/home/me/shop/tasks.py", line 31, in divide'),
            ("    return x / y", "≠", "    return x / (y + '')"),
            ("ZeroDivisionError: division by zero", "≠", "TypeError: unsupported operand"),
        )
    ]  # fmt: skip


def test_stacked() -> None:
    lines = side_by_side(TRACEBACK, NEW, 80)

    assert lines[:2] == ["── then ──", "Traceback (most recent call last):"]
    assert lines[lines.index("") + 1] == "── now ──"
    assert lines[-1] == "TypeError: unsupported operand"
    assert not [line for line in lines if "celery" in line]


def test_frames_of_libraries_where_there_are_no_others() -> None:
    library = "\n".join(TRACEBACK.splitlines()[:3] + TRACEBACK.splitlines()[5:])

    assert '  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 479, in trace_task' in side_by_side(
        library, library, 100
    )


def test_causes_stay() -> None:
    both = f"{TRACEBACK}\nDuring handling of the above exception, another exception occurred:\n\n{TRACEBACK}"

    lines = side_by_side(both, TRACEBACK, 100)

    assert "During handling of the above exception, another exception occurred:" in lines
    assert len([line for line in lines if "in divide" in line]) == 3
    assert len([line for line in lines if "ZeroDivisionError" in line]) == 3
    assert not [line for line in lines if "retval" in line]


@pytest.mark.parametrize("width", [1, 20, 60, 119, 120, 200])
def test_no_line_is_wider(width: int) -> None:
    odd = (
        'x\n  File "/'
        + "long/" * 50
        + 'tasks.py", line 3, in f\n    日本語'
        + "語" * 100
        + "\nE: \x1b[31m\x9b"
        + "x" * 300
    )

    lines = side_by_side(odd, TRACEBACK, width)

    assert max(map(cells, lines)) <= width
    assert not [line for line in lines if "\x1b" in line or "\x9b" in line]


def test_of_a_long_path_the_end_stays() -> None:
    odd = 'x\n  File "/' + "long/" * 50 + 'tasks.py", line 3, in f\n'

    assert [line for line in side_by_side(odd, "", 60) if line.endswith('/tasks.py", line 3, in f')]


def test_no_traceback_at_all() -> None:
    assert side_by_side("", "", 80) == ["── then ──", "", "── now ──"]
    assert side_by_side("", "", 140)[0].split() == ["then", "now"]
