"""The verdict: what counts as the same failure, and what it says where it is another one."""

import time
from typing import Any

import pytest

from devkit.replay.compare import Verdict, exit_code, judge, normal
from tests.unit.replay.failures import ID, failure, frame, outcome


def kind(then: str, now: str) -> str:
    return judge(failure(message=then), outcome(message=now)).kind


def test_the_same() -> None:
    assert judge(failure(), outcome()) == Verdict("same failure", "ZeroDivisionError in divide: division by zero")


def test_edits_shift_lines_and_projects_move() -> None:
    moved = [vars(frame(file="/elsewhere/shop/tasks.py", line=99)), vars(frame("go", own=False))]

    assert judge(failure(), outcome(frames=moved)).kind == "same failure"


@pytest.mark.parametrize(
    ("then", "now", "same"),
    [
        ("no file '/app/data/x.csv'", "no file '/home/me/data/x.csv'", True),
        ("no file '/app/data/x.csv'", "no file '/home/me/data/y.csv'", False),
        ("no file '/app/data/x.csv'", "no file '/app/data/x.csv'", True),  # of the code, not of where it lies
        (
            "cannot import name 'x' from 'y' (/usr/local/lib/python3.13/site-packages/y.py)",
            "cannot import name 'x' from 'y' (/home/me/.venv/lib/python3.11/site-packages/y.py)",
            True,
        ),
    ],
)
def test_a_verdict_does_not_depend_on_the_projects_folder(then: str, now: str, same: bool) -> None:
    there = failure(message=then, frames=[frame(file="/app/shop/tasks.py")])

    assert judge(there, outcome(message=now)).kind == ("same failure" if same else "different failure")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exception": "TypeError", "message": "no"}, "ZeroDivisionError in divide, now TypeError in divide"),
        ({"frames": [vars(frame("halve"))]}, "ZeroDivisionError in divide, now ZeroDivisionError in halve"),
        ({"frames": [vars(frame("Sum.divide"))]}, None),
        (
            {"frames": [vars(frame(module="shop.sums", file="/home/me/shop/sums.py"))]},
            "ZeroDivisionError in divide (tasks.py), now ZeroDivisionError in divide (sums.py)",
        ),
        ({"frames": [vars(frame(own=False))]}, "ZeroDivisionError in divide, now ZeroDivisionError"),
        ({"frames": []}, None),
        (
            {"message": "modulo by\nzero\x1b[31m"},
            "ZeroDivisionError in divide: “division by zero”, now “modulo by zero\\x1b[31m”",
        ),
        ({"message": ""}, "ZeroDivisionError in divide: “division by zero”, now no message"),
        ({"exception": "shop.ZeroDivisionError"}, "ZeroDivisionError in divide, now shop.ZeroDivisionError in divide"),
        ({"state": "RETRY"}, None),
        ({"state": "RETRY", "exception": None}, "ZeroDivisionError, now RETRY without an exception"),
        ({"state": "REJECTED", "exception": "x.Reject"}, "ZeroDivisionError in divide, now Reject in divide"),
    ],
)  # fmt: skip
def test_what_differs_is_named(changes: dict[str, Any], why: str | None) -> None:
    verdict = judge(failure(), outcome(**changes))

    assert verdict.kind == ("different failure" if why else "same failure")
    assert why in (verdict.why, None)


def test_what_passes() -> None:
    assert judge(failure(), outcome(state="SUCCESS", result="2.5")) == Verdict("passes now", "divide returned 2.5")
    assert judge(failure(), outcome(state="IGNORED")).kind == "passes now"
    assert len(judge(failure(), outcome(state="SUCCESS", result="x" * 10**6)).why) <= 100


@pytest.mark.parametrize("state", ["RETRY", "FAILURE", "REJECTED"])
@pytest.mark.parametrize("now", ["RETRY", "FAILURE"])
def test_a_retry_counts_as_its_cause(state: str, now: str) -> None:
    assert judge(failure(state=state), outcome(state=now)).kind == "same failure"


def test_modules_that_are_not_known_are_compared_by_their_files() -> None:
    given = failure(frames=(frame(module=""),), source="result")

    assert judge(given, outcome(frames=[vars(frame(file="C:\\shop\\tasks.py"))])).kind == "same failure"
    assert judge(given, outcome(frames=[vars(frame(file="/shop/sums.py"))])).kind == "different failure"
    assert judge(given, outcome(frames=[vars(frame("Task.divide"))])).kind == "same failure"
    assert judge(failure(frames=(frame("A.run"),)), outcome(frames=[vars(frame("B.run"))])).kind == "different failure"


def test_a_result_may_have_no_message() -> None:
    assert judge(failure(message="", source="result"), outcome()).kind == "same failure"
    assert judge(failure(message=""), outcome()).kind == "different failure"


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("<object at 0x7f2a10>", "<object at 0x9>"),
        (f"Can't retry shop.divide[{ID}]", f"Can't retry shop.divide[{ID}]"),
        ("no 3f2a4c55-7b0f-4f6e-9d7e-0f6b8a1c2d3e", "no 00000000-7b0f-4f6e-9d7e-0f6b8a1c2d3e"),
        ("late: 2024-01-02T03:04:05.123456+00:00", "late: 2025-11-12 13:14:15Z"),
        ("{'at': datetime.datetime(2024, 1, 2, tzinfo=zone(delta(0)))}", "{'at': datetime.datetime(2025, 1, 2, 3)}"),
        ("at 03:04:05,123", "at 13:14:15"),
        ("'/tmp/tmpab12_x9y'", "'/tmp/tmpzzzzzzzz'"),
        ("no /tmp/report-ab12x9yz.csv", "no /tmp/report-9b12x9yy.csv"),
        ("signal 9 (SIGKILL) Job: 12.", "signal 9 (SIGKILL)"),
        ("pid 123 is gone", "pid 4567 is gone"),
        ("(pid=1)", "(pid=2)"),
        ("ForkPoolWorker-3 said", "ForkPoolWorker-12 said"),
        ("since 1700000000.123", "since 1800000000.5"),
        ("took 0.123s", "took 12.5s"),
        ("took 12ms", "took 9.5 ms"),
        ("after 0.5 seconds", "after 1.25 seconds"),
        ("unknown {'a', 'b', 'c'}", "unknown {'c', 'a', 'b'}"),
        ("redis://:***@host", "redis://:secret@host"),
        ("x" * 500, "x" * 480),
        (" padded\n", "padded"),
    ],
)
def test_messages_that_are_the_same(then: str, now: str) -> None:
    assert kind(then, now) == "same failure"


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("5", "6"),
        ("signal 9 (SIGKILL)", "signal 11 (SIGSEGV)"),
        ("exitcode 3", "exitcode 4"),
        ("no order 2024-01-02", "no order 2024-01-03"),
        ("cannot process 5", "cannot process 6"),
        ("got 0.5", "got 0.6"),
        ("need 3 seconds", "need 4 seconds"),
        ("no /tmp/orders.csv", "no /tmp/customers.csv"),
        ("template", "tempting"),
        ("unknown {'a', 'b'}", "unknown {'a', 'c'}"),
        ("{'a': 1, 'b': 2}", "{'a': 1, 'b': 3}"),
        ("0x10", "0x11"),
        ("order 1700000000", "order 1700000001"),
        ("redis://a:***@one", "redis://a:***@two"),
    ],
)
def test_messages_that_are_not(then: str, now: str) -> None:
    assert kind(then, now) == "different failure"


def test_the_tasks_own_id_may_be_any_text() -> None:
    assert judge(failure(id="job-1", message="no job-1"), outcome(message="no job-1")).kind == "same failure"
    assert normal("no job-1") == "no job-1"


def test_long_messages_take_no_time() -> None:
    start = time.monotonic()

    for text in (
        "{",
        "datetime.datetime(",
        "/tmp/a",
        "a1",
        "1",
        "a, ",
        "{a, ",
        "1.",
        "0-",
        "://a:",
        "a" * 7 + "/tmp/1",
    ):
        normal(text * (1_000_000 // len(text)))

    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    ("name", "then", "now"),
    [
        ("SoftTimeLimitExceeded", "SoftTimeLimitExceeded()", "SoftTimeLimitExceeded(True,)"),
        ("TimeLimitExceeded", "TimeLimitExceeded(5,)", "TimeLimitExceeded(5.0,)"),
    ],
)
def test_a_time_limit_strikes_anywhere(name: str, then: str, now: str) -> None:
    given = failure(exception=f"billiard.exceptions.{name}", message=then)
    new = outcome(exception=f"celery.exceptions.{name}", message=now, frames=[vars(frame("elsewhere"))])

    assert judge(given, new).kind == "same failure"
    assert judge(given, outcome()) == Verdict("different failure", f"{name}, now ZeroDivisionError in divide")
    assert judge(failure(), new) == Verdict("different failure", f"ZeroDivisionError in divide, now {name}")


def test_a_lost_process_has_no_frames() -> None:
    lost: dict[str, Any] = {"exception": "billiard.exceptions.WorkerLostError", "frames": ()}
    given = failure(message="Worker exited prematurely: signal 9 (SIGKILL) Job: 12.", **lost)

    for again in ("signal 9 (SIGKILL).", "signal 9 (SIGKILL)"):
        assert judge(given, outcome(message=f"Worker exited prematurely: {again}", **lost)).kind == "same failure"
    assert judge(given, outcome(message="Worker exited prematurely: exitcode 3.", **lost)).kind == "different failure"
    assert judge(given, outcome()).why == "WorkerLostError, now ZeroDivisionError in divide"


@pytest.mark.parametrize(
    ("verdict", "plain", "same"),
    [("same failure", 1, 1), ("different failure", 1, 125), ("passes now", 0, 0), ("cannot replay", 125, 125)],
)
def test_exit_codes(verdict: Any, plain: int, same: int) -> None:
    assert exit_code(Verdict(verdict, ""), same=False) == plain
    assert exit_code(Verdict(verdict, ""), same=True) == same
