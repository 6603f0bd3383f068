"""What an exception tells: its frames, their locals as short text, its traceback."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.app.trace import build_tracer

from devkit.agent import calls
from devkit.agent.calls import describe_failures
from devkit.agent.structure import type_name
from devkit.agent.tell.errors import CELERY, describe, describe_passed_on, retold, without_celery
from tests.unit.agent.tripwires import MAKE, nothing_runs

HERE = str(Path(__file__).parent)


class OddError(Exception):
    def __str__(self) -> str:
        return f"said by {super().__str__()}"


def raised(code: str = "", name: str = "shop.tasks", file: str = f"{HERE}/shop.py", **names: Any) -> Exception:
    """What this code of a module raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any
        exec(compile(code, file, "exec"), {"__name__": name, **names})  # noqa: S102
    error = caught.value
    assert error.__traceback__
    error.__traceback__ = error.__traceback__.tb_next  # without this module's own frame
    return error


def total(amount: int, password: str) -> float:
    card = {"token": "t-0", "number": [amount]}
    return amount / len(card["number"][1:])


def test_a_frame_has_its_place_its_line_and_its_locals_without_secrets() -> None:
    found = describe(raised("def go(total): total(3, password='p-0')\ngo(total)", total=total), HERE)

    assert json.loads(json.dumps(found)) == found
    assert (found["exception"], found["message"]) == ("ZeroDivisionError", "division by zero")
    outer, go, inner = found["frames"]
    assert (outer["module"], outer["line"], outer["own"]) == ("shop.tasks", 2, True)
    assert go["file"] == f"{HERE}/shop.py"
    assert inner["function"] == "total"
    assert inner["module"] == __name__
    assert inner["source"] == 'return amount / len(card["number"][1:])'
    assert inner["locals"] == {"amount": "3", "password": "***", "card": "{'number': [3], 'token': ***}"}
    assert found["traceback"].startswith("Traceback (most recent call last):\n")
    assert found["traceback"].endswith("ZeroDivisionError: division by zero\n")


def test_only_the_projects_own_frames_have_locals() -> None:
    error = raised("x = 1\n1 / 0", file=f"{HERE}/venv/lib/site-packages/shop/tasks.py")

    assert [(frame["own"], frame["locals"]) for frame in describe(error, HERE)["frames"]] == [(False, {})]
    assert [(frame["own"], frame["locals"]) for frame in describe(error, HERE, "shop")["frames"]] == [
        (True, {"x": "1"})
    ]
    assert not describe(error, HERE, "sho")["frames"][0]["own"]


def test_the_tasks_of_celery_itself_are_nobodys_own() -> None:
    error = raised("1 / 0", name="celery.app.builtins", file="/usr/lib/celery/builtins.py")

    assert not describe(error, HERE, "celery")["frames"][0]["own"]


def test_how_celery_came_to_call_the_task_is_left_out() -> None:
    inner = "def go(total): return total(1, None)"
    frames: dict[str, Any] = {"__name__": "celery.app.trace"}
    exec(compile(inner, "/lib/celery/trace.py", "exec"), frames)  # noqa: S102
    error = raised("go(total)", name="celery.worker", file="/lib/celery/worker.py", go=frames["go"], total=total)

    found = describe(error, HERE)
    assert [frame["function"] for frame in found["frames"]] == ["total"]
    assert "celery" not in found["traceback"]


def test_what_celery_itself_raised_keeps_one_frame() -> None:
    assert len(describe(raised("1 / 0", name="kombu.x"), HERE)["frames"]) == 1


def test_deep_recursion_is_cut_and_takes_no_time() -> None:
    error = raised("def go(n, big): return go(n - 1, big) if n else 1 / 0\ngo(900, 'x' * 10**6)")
    began = time.process_time()
    found = describe(error, HERE)

    assert time.process_time() - began < 0.2
    assert len(found["frames"]) == 30
    assert found["frames"][0]["function"] == "<module>"
    assert found["frames"][-1]["locals"]["n"] == "0"
    assert len(json.dumps(found)) < 20_000


def test_many_and_large_locals_are_cut() -> None:
    code = "\n".join(f"v{n} = big" for n in range(100)) + "\n1 / 0"
    (frame,) = describe(raised(code, big=["x" * 10**6] * 10**5), HERE)["frames"]

    assert len(frame["locals"]) < 30
    assert all(len(text) <= 201 for text in frame["locals"].values())


@pytest.mark.parametrize("make", MAKE)
def test_nothing_of_the_values_is_run(make: Callable[[], Any]) -> None:
    value = make()
    error = raised("raise ValueError(trap)", trap=value, x=[value])
    with nothing_runs():
        found = describe(error, HERE)
        passed = describe_passed_on(error, None, HERE)
    assert found["frames"][0]["locals"]["x"]
    assert json.dumps([found, passed])


def test_what_an_error_answers_itself_is_taken_from_the_text_that_celery_makes() -> None:
    error = raised("raise error from KeyError('k')", error=OddError("x"))
    told = passed_on(error).traceback
    described = describe(error, HERE)
    assert (described["message"], "said by" in described["traceback"]) == ("x", False)

    found = retold(described, error, told)
    assert found["message"] == "said by x"
    assert found["traceback"] == told
    assert retold({**described, "traceback": ""}, error, told)["traceback"] == ""


def test_long_messages_and_tracebacks_are_cut() -> None:
    found = describe(raised("raise ValueError('x' * 10**6)"), HERE)

    assert len(found["message"]) == 4000
    assert len(found["traceback"]) < 20_100
    assert found["traceback"].startswith("Traceback")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("try: 1 / 0\nexcept ArithmeticError as error: raise KeyError('k') from error", "was the direct cause of"),
        ("try: 1 / 0\nexcept ArithmeticError: {}['k']", "During handling of the above exception"),
        ("compile('x =', 'form.py', 'exec')", 'File "form.py", line 1'),
        pytest.param(
            "raise ExceptionGroup('some', [ValueError('one'), KeyError('two')])", "ValueError: one",
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="has no groups"),
        ),
    ],
)  # fmt: skip
def test_the_traceback_tells_all_that_python_tells(code: str, told: str) -> None:
    found = describe(raised(code), HERE)

    assert told in found["traceback"]
    assert json.dumps(found)


def test_types_are_named_as_tracebacks_name_them() -> None:
    assert type_name(ValueError) == "ValueError"
    assert type_name(OddError) == f"{__name__}.OddError"
    assert type_name(type("Mine", (Exception,), {"__module__": "__main__"})) == "Mine"


def passed_on(error: Exception) -> ExceptionInfo:
    return ExceptionInfo((type(error), error, error.__traceback__))


def test_of_what_celery_passes_on_there_are_frames_but_no_locals() -> None:
    error = raised("def go(total): total(3, 'p')\ngo(total)", total=total)
    told = passed_on(error)
    found = describe_passed_on(error.with_traceback(None), told, HERE)

    assert [(frame["function"], frame["own"], frame["locals"]) for frame in found["frames"]] == [
        ("<module>", True, {}), ("go", True, {}), ("total", True, {}),
    ]  # fmt: skip
    assert found["traceback"] == told.traceback
    assert found["message"] == "division by zero"


@pytest.mark.parametrize("name", CELERY)
def test_of_what_the_worker_raised_itself_there_is_no_traceback(name: str) -> None:
    error = raised("raise RuntimeError('lost')", name=f"{name}.pool")

    for told in (passed_on(error), None):
        found = describe_passed_on(error, told, HERE)
        assert (found["message"], found["traceback"], found["frames"]) == ("lost", "", [])


@pytest.mark.parametrize("cause", ["", "cause"])
def test_celerys_own_text_says_the_same_without_its_frames(cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery makes one for each failure; making another takes longer than all the rest."""
    app = Celery(broker="memory://", set_as_current=False)

    @app.task(shared=False, name=f"shop.total{cause}")  # type: ignore[untyped-decorator]
    def total(cause: str) -> None:
        try:
            if cause:
                raise KeyError("first")
        except KeyError as error:
            raise ValueError("Traceback (most recent call last):\nno more") from error
        raise ValueError("only")

    app.finalize()
    told: list[Any] = []
    monkeypatch.setattr(calls, "_listeners", [])
    describe_failures(lambda task, error, text: told.append(describe(error, HERE, text=True)), retold)
    tracer = build_tracer("shop.total", app.tasks[f"shop.total{cause}"], app=app)
    einfo = tracer("an-id", [cause], {}, {"id": "an-id", "delivery_info": {}}).retval

    [described] = told
    assert without_celery(einfo.traceback) == described["traceback"]
    assert "trace_task" in einfo.traceback
    assert "trace_task" not in described["traceback"]


class CountedError(Exception):
    asked = 0

    def __str__(self) -> str:
        CountedError.asked += 1
        return f"said of {self.args}"


@pytest.mark.parametrize("retries", [False, True])
def test_an_error_is_asked_for_its_message_no_more_often_than_celery_does(
    retries: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Celery(broker="memory://", set_as_current=False)
    options: dict[str, Any] = {"autoretry_for": (CountedError,)} if retries else {}

    @app.task(shared=False, name="shop.counted", **options)  # type: ignore[untyped-decorator]
    def counted() -> None:
        raise CountedError("x")

    app.finalize()
    monkeypatch.setattr(calls, "_listeners", [])

    def run() -> tuple[int, Any]:
        CountedError.asked = 0
        request = {"id": "an-id", "delivery_info": {}, "retries": 0}
        einfo = build_tracer("shop.counted", app.tasks["shop.counted"], app=app)("an-id", [], {}, request).retval
        return CountedError.asked, einfo

    alone, _ = run()
    describe_failures(lambda task, error, text: describe(error, HERE, text=text), retold)
    together, einfo = run()

    assert together == alone > 0
    assert einfo.devkit["exception"] == f"{__name__}.CountedError"
    assert einfo.devkit["message"] == "said of ('x',)"
    assert ("said of" in einfo.devkit["traceback"]) is retries
    app.close()
