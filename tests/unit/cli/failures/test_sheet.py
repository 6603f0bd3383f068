"""One failure as a whole."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.cli.failures.sheet import LONGEST_VALUE, Sheet, failure_json
from devkit.model.failure import Failure
from tests.unit.cli.failures.failing import ID, NOW, failure, frame

SOURCE = '''def divide(x, y):
    """Fails with y=0."""
    return x / y


def other():
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(SOURCE)
    return tmp_path


def sheet(one: Failure, root: Path = Path("/nowhere"), attempts: tuple[Failure, ...] = ()) -> str:
    return Sheet(one, attempts, root, NOW).text()


def test_the_whole(root: Path) -> None:
    foreign = frame(
        file="/env/lib/python3.11/site-packages/lib/core.py",
        line=7,
        function="call",
        own=False,
        locals={},
        source="f()",
    )
    one = failure(frames=(frame(file=f"{root}/tasks.py"), foreign), revision="1a2b3c4-dirty", retries=1)
    before = replace(one, state="RETRY", retries=0, message="not yet")

    shown = sheet(one, root, (before, one))

    assert shown.startswith(f"shop.tasks.divide(x=10, y=0)\n{ID}\nFAILURE 1 min ago (2026-")
    assert "), after 2.50 s\n\nrequest\n" in shown
    assert "  worker    celery.1@host\n  queue     celery\n  retries   1\n  revision  1a2b3c4-dirty\n" in shown
    assert "root" not in shown.partition("arguments")[0]  # it is itself
    assert "arguments\n  x = 10\n  y = 0\n" in shown
    assert "RETRY  ZeroDivisionError: not yet\n" in shown
    assert shown.endswith(
        "traceback\n"
        "tasks.py:3 in divide\n"
        "   1  def divide(x, y):\n"
        '   2      """Fails with y=0."""\n'
        "-> 3      return x / y\n"
        "      x = 10\n"
        "      y = 0\n"
        "\n"
        "  lib/core.py:7 in call\n"
        "\n"
        "ZeroDivisionError: division by zero"
    )


def test_only_the_recorded_line_where_the_file_has_changed(root: Path) -> None:
    (root / "tasks.py").write_text(SOURCE.replace("    return x / y", "    return y / x"))

    shown = sheet(failure(frames=(frame(file=f"{root}/tasks.py"),)), root)

    assert "tasks.py:3 in divide  (changed since)\n-> 3  return x / y\n      x = 10\n" in shown


@pytest.mark.parametrize("file", ["/gone/tasks.py", "<string>", "\0"])
def test_only_the_recorded_line_where_there_is_no_file(file: str) -> None:
    shown = sheet(failure(frames=(frame(file=file),)))

    assert ":3 in divide\n-> 3  return x / y\n" in shown


def test_a_frame_without_source() -> None:
    assert "/shop/tasks.py:3 in divide\n      x = 10\n" in sheet(failure(frames=(frame(source=""),)))


def test_a_failure_without_a_traceback_shows_its_error() -> None:
    one = failure(exception="billiard.exceptions.WorkerLostError", message="exitcode 3")

    assert sheet(one).endswith("\n\nerror\nbilliard.exceptions.WorkerLostError: exitcode 3")


def test_a_traceback_as_text_stays_one() -> None:
    text = "Traceback (most recent call last):\n  File …\nZeroDivisionError: division by zero\n"

    assert sheet(failure(traceback=text)).endswith(f"\n\ntraceback\n{text.rstrip()}")


def test_the_errors_that_led_to_it_come_first() -> None:
    link = "The above exception was the direct cause of the following exception:"
    text = f"Traceback …\nKeyError: 'y'\n\n{link}\n\nTraceback …\nZeroDivisionError: division by zero\n"

    shown = sheet(failure(traceback=text, frames=(frame(),)))

    assert f"traceback\nTraceback …\nKeyError: 'y'\n\n{link}\n\n/shop/tasks.py:3 in divide\n" in shown
    assert shown.count("division by zero") == 1


def test_secrets_and_wrapped_values() -> None:
    date = {"__type__": "datetime", "__value__": "2026-01-02T00:00:00"}
    one = failure(
        args=["ann", "pw"],
        names=("user", "password", "more"),
        kwargs={"login": {"api_key": "pw", "at": [date]}},
        headers={"id": ID, "x-token": "pw", "x-tenant": {"id": 7}},
        call="user='ann', password=***",
    )

    shown = sheet(one)

    assert "  user = 'ann'\n  password = ***\n" in shown
    assert "  login = {'api_key': ***, 'at': [datetime('2026-01-02T00:00:00')]}\n" in shown
    assert "  header x-token   ***\n" in shown
    assert '  header x-tenant  {"id": 7}\n' in shown
    assert "pw" not in shown + failure_json(one, ())


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        pytest.param({"args": [], "names": ()}, "arguments\n  none", id="none"),
        pytest.param({"names": ("*numbers", "*numbers")}, "arguments\n  [0] = 10\n  [1] = 0\n", id="no names"),
        pytest.param({"names": ()}, "  [0] = 10\n  [1] = 0\n", id="of an unknown task"),
        pytest.param(
            {"body": None, "missing": "set result_extended=True"}, "  not kept: set result_extended=True\n", id="lost"
        ),
        pytest.param(
            {"limits": ("as the task left them", "tuples are lists")},
            "arguments (as the task left them; tuples are lists)\n  x = 10\n",
            id="of a result",
        ),
        pytest.param(
            {"body": b"\x80", "content_type": "application/x-python-serialize"},
            "arguments (application/x-python-serialize: as the worker saw them)\n  x=10, y=0\n",
            id="pickled",
        ),
        pytest.param(
            {"args": ["a" * 50_000], "names": ("x",)},
            f"  x = '{'a' * (LONGEST_VALUE - 1)}… (50,002 characters; --json shows all)\n",
            id="long",
        ),
        pytest.param({"args": ["a\x1b[31m"], "names": ("x",)}, "  x = 'a\\x1b[31m'\n", id="for a terminal"),
    ],
)
def test_arguments(fields: dict[str, object], line: str) -> None:
    assert line in sheet(failure(**fields))


def test_the_request() -> None:
    headers = {
        "id": ID, "root_id": "r", "parent_id": "p", "group": "g", "timelimit": [30, 10.5], "eta": "2026-11-22T10:00:00",
        "expires": None, "origin": "gen1@host", "argsrepr": "(10, 0)",
    }  # fmt: skip
    delivery = {"exchange": "jobs", "routing_key": "slow", "redelivered": True, "priority": 3}

    rows = sheet(failure(headers=headers, delivery_info=delivery, source="result")).split("\n\n")[1].splitlines()

    assert [row.split(None, 1)[-1].strip() for row in rows[1:]] == [
        "celery.1@host", "slow (exchange jobs)", "0", "yes", "3", "r", "p", "g", "limits  soft 10.5 s, hard 30 s",
        "2026-11-22T10:00:00", "by      gen1@host", "a stored result",
    ]  # fmt: skip


def test_a_multi_line_message_keeps_its_lines_and_nothing_else() -> None:
    assert sheet(failure(message="one\n  two\x1b[31m")).endswith("ZeroDivisionError: one\n  two\\x1b[31m")


def test_the_document() -> None:
    one = failure(retries=1, frames=(frame(),), started_at=None)

    document = json.loads(failure_json(one, (replace(one, retries=0, state="RETRY"), one)))

    assert document["schema"] == 1
    assert (document["args"], document["kwargs"]) == ([10, 0], {})
    assert (document["failed_at"], document["started_at"]) == ("2026-11-22T17:37:01.000Z", None)
    assert document["frames"][0]["locals"] == {"x": "10", "y": "0"}
    assert [(run["retries"], run["state"]) for run in document["attempts"]] == [(0, "RETRY"), (1, "FAILURE")]
    assert "argsrepr" not in document["headers"]
    assert document["replayable"] is True


@pytest.mark.parametrize("at", [float("inf"), float("nan"), -1e20])
def test_a_broken_record_is_shown_all_the_same(at: float) -> None:
    one = failure(
        failed_at=at,
        started_at=at,
        headers={"timelimit": 5, "eta": {}, "parent_id": [1]},
        delivery_info={"exchange": 5, "routing_key": 7, "priority": "x"},
        task="",
    )

    assert sheet(one).startswith(f"?(x=10, y=0)\n{ID}\nFAILURE 1970-01-01")
    assert json.loads(failure_json(one, ()))["failed_at"] == "1970-01-01T00:00:00.000Z"
