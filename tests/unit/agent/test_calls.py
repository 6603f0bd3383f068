"""Who hears of a task's error before Celery stores it, with Celery's own tracer."""

from collections.abc import Callable
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.app.trace import build_tracer
from celery.exceptions import Reject, Retry

from devkit.agent import calls
from devkit.agent.calls import before_failures, cause, describe_failures


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_listeners", [])


@pytest.fixture
def ends() -> Callable[[BaseException], Any]:
    """What Celery makes of a task that raises this."""

    def ends(error: BaseException) -> Any:
        app = Celery(broker="memory://", set_as_current=False)

        @app.task(shared=False, name="shop.total")  # type: ignore[untyped-decorator]
        def total() -> None:
            raise error

        app.finalize()
        tracer = build_tracer("shop.total", app.tasks["shop.total"], app=app)
        return tracer("an-id", [], {}, {"id": "an-id", "delivery_info": {}}).retval

    return ends


def raised(error: BaseException) -> Any:
    try:
        raise error
    except type(error) as caught:
        return caught


ODD = raised(ValueError("odd"))


@pytest.mark.parametrize(
    ("error", "state"),
    [(ODD, "FAILURE"), (Retry(exc=ODD), "RETRY"), (Retry(), "RETRY"), (Reject("full"), "REJECTED")],
)
def test_whoever_listens_hears_of_it_the_latest_first(
    ends: Callable[[BaseException], Any], error: BaseException, state: str
) -> None:
    heard: list[tuple[Any, ...]] = []
    before_failures(lambda task, state, error: heard.append(("first", task.name, task.request.id, state, error)))
    before_failures(lambda task, state, error: heard.append(("second", task.name, task.request.id, state, error)))

    ends(error)

    assert heard == [(who, "shop.total", "an-id", state, error) for who in ("second", "first")]


def test_nobody_hears_more_than_was_asked_for(ends: Callable[[BaseException], Any]) -> None:
    heard: list[str] = []
    before_failures(lambda task, state, error: heard.append("always"))
    end = before_failures(lambda task, state, error: heard.append("once"))

    ends(ODD)
    end()
    ends(ODD)

    assert heard == ["once", "always", "always"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ODD, [ODD, False, ODD, "\nValueError: odd\n"]),
        (Retry(exc=ODD), [ODD, True, ODD, "\ncelery.exceptions.Retry: Retry at None: ValueError('odd')\n"]),
        (Reject("full"), None),
    ],
)
def test_a_description_goes_with_the_error_whoever_else_listens(
    ends: Callable[[BaseException], Any], error: BaseException, told: Any
) -> None:
    before_failures(lambda task, state, error: None)
    describe_failures(lambda task, error, text: [error, text], lambda described, error, told: [*described, error, told])
    before_failures(lambda task, state, error: None)
    found = getattr(ends(error), "devkit", None)

    assert (found and [*found[:-1], found[-1][-len(told[-1]) :]]) == told  # the last is the traceback


def test_where_describing_fails_the_task_fails_as_ever(ends: Callable[[BaseException], Any]) -> None:
    describe_failures(lambda task, error, text: 1 / 0, lambda *_: None)

    einfo = ends(ODD)

    assert isinstance(einfo, ExceptionInfo)
    assert (str(einfo.exception), einfo.devkit) == ("odd", None)


def test_the_cause_of_a_retry() -> None:
    assert cause(Retry(exc=ODD)) is ODD
    assert cause(ODD) is ODD
    never_raised = Retry(exc=ValueError())
    assert cause(never_raised) is never_raised
