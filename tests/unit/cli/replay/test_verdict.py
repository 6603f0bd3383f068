"""How a replay looks: to people, on one line, and as JSON."""

from typing import Any, cast

import pytest

from devkit.cli.replay.verdict import (
    check_json,
    check_line,
    head,
    missing_json,
    one_line,
    replay_json,
    report,
    summary,
    verdict_line,
)
from devkit.debug.render import Paint
from devkit.model.wire import Outcome
from devkit.replay.compare import Kind, Verdict
from devkit.services.replay.replayer import Replayed
from tests.unit.cli.failures.failing import ID, NOW, failure

THEN = """\
Traceback (most recent call last):
  File "/shop/tasks.py", line 3, in divide
ZeroDivisionError: division by zero
"""
NOW_TEXT = THEN.replace("ZeroDivisionError: division by zero", "TypeError: no number")
SAME: Outcome = {
    "state": "FAILURE", "exception": "ZeroDivisionError", "message": "division by zero", "traceback": THEN,
    "runtime_s": 0.1234, "sent": [], "mutated": [],
}  # fmt: skip
RULER = "\x1b[2J"


def replayed(kind: Kind = "same failure", why: str = "ZeroDivisionError in divide", **more: Any) -> Replayed:
    fields = more.pop("failure", {})
    return Replayed(failure(traceback=THEN, **fields), Verdict(kind, why), cast("Outcome", {**SAME, **more}))


def task(**more: Any) -> dict[str, Any]:
    """A task that was sent meanwhile."""
    return {"kind": "task", "task": "shop.mail", "call": "to='ann'", **more}


# --- what is replayed ---


def test_the_head_names_the_call_and_what_may_not_be_as_it_was() -> None:
    assert head(failure(), NOW) == f"shop.tasks.divide(x=10, y=0)  {ID}, failed 1 min ago"
    assert head(failure(limits=("as the task left them",)), NOW).splitlines()[1:] == [
        "arguments: as the task left them"
    ]


def test_a_result_that_names_no_task_has_only_an_id() -> None:
    assert head(failure(task=""), NOW) == f"{ID}, failed 1 min ago"


# --- the verdict ---


@pytest.mark.parametrize("kind", ["same failure", "different failure", "passes now", "cannot replay"])
def test_the_verdict_says_why_and_how_long_it_took(kind: Kind) -> None:
    assert verdict_line(replayed(kind), Paint(colour=False)) == f"{kind}: ZeroDivisionError in divide (0.12 s)"


def test_what_did_not_run_took_no_time() -> None:
    assert verdict_line(replayed(runtime_s=None), Paint(colour=False)) == "same failure: ZeroDivisionError in divide"
    assert verdict_line(replayed(runtime_s=0.0), Paint(colour=False)).endswith(" (0.00 s)")


def test_only_what_passes_is_good() -> None:
    paint = Paint(colour=True)
    bad: tuple[Kind, ...] = ("same failure", "different failure", "cannot replay")

    assert verdict_line(replayed("passes now"), paint).startswith(f"{paint.good('passes now')}: ")
    for kind in bad:
        assert verdict_line(replayed(kind), paint).startswith(f"{paint.bad(kind)}: ")


# --- all that came of it ---


def test_the_same_failure_is_shown_once_and_the_verdict_last() -> None:
    assert report(replayed(), live=False).splitlines() == [
        *THEN.splitlines(),
        "same failure: ZeroDivisionError in divide (0.12 s)",
    ]


def test_a_different_failure_is_shown_beside_the_one_before() -> None:
    shown = report(replayed("different failure", "another type", traceback=NOW_TEXT), live=False)

    assert shown.splitlines()[0].split() == ["then", "now"]
    assert any("≠" in line and "ZeroDivisionError" in line and "TypeError" in line for line in shown.splitlines())


def test_where_no_traceback_was_kept_the_new_one_stands_alone() -> None:
    only = Replayed(failure(), Verdict("different failure", "another type"), {**SAME, "traceback": NOW_TEXT})

    assert report(only, live=False).splitlines()[:-1] == NOW_TEXT.splitlines()


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (task(), "shop.mail(to='ann')"),
        (task(kind="retry"), "retry: shop.mail(to='ann')"),
        (task(then=["shop.pack", "shop.ship"]), "shop.mail(to='ann'), then shop.pack, then shop.ship"),
        (task(chord="shop.total"), "shop.mail(to='ann'), then with all results shop.total"),
        (task(queue="slow", countdown=0), "shop.mail(to='ann') (queue=slow, countdown=0)"),
        (task(eta=None, call=RULER), "shop.mail(\\x1b[2J)"),
    ],
)
@pytest.mark.parametrize("live", [False, True])
def test_what_it_sent_or_would_have_sent(sent: dict[str, Any], line: str, live: bool) -> None:
    shown = report(replayed(traceback="", sent=[sent]), live=live)

    assert shown.splitlines()[0] == f"{'sent' if live else 'not sent'}: {line}"


def test_what_it_did_to_its_arguments() -> None:
    changed = {"name": "cart", "before": "[1]", "after": f"[1, '{RULER}']"}

    assert report(replayed(traceback="", mutated=[changed]), live=False).splitlines()[0] == (
        "changed its argument cart: [1] → [1, '\\x1b[2J']"
    )


def test_without_an_outcome_there_is_only_the_verdict() -> None:
    assert report(Replayed(failure(traceback=THEN), Verdict("cannot replay", "the task is gone")), live=False) == (
        "cannot replay: the task is gone"
    )


# --- many ---


def test_one_of_many_is_one_line() -> None:
    assert one_line(replayed(), "4f1c22aa") == (
        "4f1c22aa  divide(x=10, y=0)  same failure: ZeroDivisionError in divide (0.12 s)"
    )
    shown = one_line(replayed(why=f"two\nlines {RULER}", failure={"call": f"{RULER}\n", "task": f"{RULER}.f"}), RULER)
    assert shown.isprintable()


def test_how_many_there_were_of_each_verdict() -> None:
    passes, same = replayed("passes now"), replayed()

    assert summary([same, passes, same]) == "3 failures: 2 same failure, 1 passes now"
    assert summary([passes]) == "1 failure: 1 passes now"


def test_whether_the_arguments_fit() -> None:
    fits, does_not = replayed("passes now", ""), replayed("cannot replay", "missing a required argument: 'z'")

    assert check_line(fits, "4f1c") == "4f1c  shop.tasks.divide: fits"
    assert check_line(does_not, "4f1c") == "4f1c  shop.tasks.divide: missing a required argument: 'z'"
    assert check_json(fits) == {"id": ID, "task": "shop.tasks.divide", "fits": True, "why": None}
    assert check_json(does_not)["why"] == "missing a required argument: 'z'"
    assert check_json(does_not)["fits"] is False


# --- as JSON ---


def test_the_document_has_the_keys_that_are_promised() -> None:
    assert replay_json(replayed(sent=[task()], mutated=None)) == {
        "id": ID,
        "task": "shop.tasks.divide",
        "verdict": "same failure",
        "why": "ZeroDivisionError in divide",
        "exception": "ZeroDivisionError: division by zero",
        "original_exception": "ZeroDivisionError: division by zero",
        "runtime_s": 0.1234,
        "sent": [task()],
        "mutated": None,
    }


def test_what_passes_raised_nothing_and_an_exception_may_say_nothing() -> None:
    document = replay_json(replayed("passes now", exception=None, failure={"exception": "KeyError", "message": ""}))

    assert (document["exception"], document["original_exception"]) == (None, "KeyError")


def test_what_cannot_be_read_has_the_same_keys() -> None:
    document = missing_json("4f1c", "there is none")

    assert document.keys() == replay_json(replayed()).keys()
    assert (document["id"], document["verdict"], document["why"]) == ("4f1c", "cannot replay", "there is none")
