"""What is made of a stored failure: the call, its request, and what its task has changed."""

import datetime
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from celery import Celery
from kombu.serialization import dumps, registry
from kombu.serialization import register as register_serializer

from devkit.agent.replay.call import Call, Cannot, check, failed_at_the_call, mutated, rebuild
from devkit.model.failure import Frame
from devkit.model.wire import Refusal
from tests.unit.agent.replay.rerunning import failure


@pytest.fixture(scope="module")
def app() -> Iterator[Celery]:
    app = Celery("shop", set_as_current=False)
    app.conf.accept_content = ["json", "application/x-shop", "yaml"]

    @app.task(name="shop.plain", shared=False)  # type: ignore[untyped-decorator]
    def plain(x: int, y: int = 2, *rest: int, **more: int) -> None: ...

    @app.task(name="shop.bound", shared=False, bind=True, autoretry_for=(ValueError,))  # type: ignore[untyped-decorator]
    def bound(self: Any, x: int) -> None: ...

    @app.task(name="shop.untyped", shared=False, typing=False)  # type: ignore[untyped-decorator]
    def untyped(x: int) -> None: ...

    yield app
    app.close()


class Raising:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, _: object) -> bool:
        raise AssertionError("was asked")

    __hash__ = None  # type: ignore[assignment]
    __repr__ = __eq__  # type: ignore[assignment]


@pytest.fixture
def odd_serializer() -> Iterator[None]:
    """A project's own, with values that cannot be looked into, and others that must not be asked."""

    def decode(text: Any) -> Any:
        args, kwargs, embed = json.loads(text)
        kinds = {"odd": lambda _: threading.Lock(), "raising": Raising}
        return [kinds[value](value) if value in ("odd", "raising") else value for value in args], kwargs, embed

    register_serializer("shop", json.dumps, decode, content_type="application/x-shop", content_encoding="utf-8")  # type: ignore[no-untyped-call]
    yield
    registry.unregister("shop")  # type: ignore[no-untyped-call]


def cannot(of: Any, *args: Any, **kwargs: Any) -> Refusal:
    with pytest.raises(Cannot) as raised:
        of(*args, **kwargs)
    return raised.value.report["cannot"]


def test_arguments_come_through_the_real_serializer(app: Celery) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)
    values = [moment, Decimal("1.50"), UUID(int=7), b"\xff", (1, 2)]
    content_type, content_encoding, body = dumps([values, {"x": moment}, None], serializer="json")  # type: ignore[no-untyped-call]
    call = rebuild(app, failure("shop.plain", body=body.encode(), content_type=content_type))

    assert content_encoding == "utf-8"
    assert call.args == [moment, Decimal("1.50"), UUID(int=7), b"\xff", [1, 2]]
    assert (call.kwargs, call.embed) == ({"x": moment}, {})


def test_given_arguments_come_through_it_too(app: Celery) -> None:
    given = {"__type__": "decimal", "__value__": "1.5"}

    assert rebuild(app, failure("shop.plain", [1], {"y": 2}), args=[given]).args == [Decimal("1.5")]
    assert rebuild(app, failure("shop.plain", [1], {"y": 2}), args=[]).kwargs == {"y": 2}


def test_the_request_does_not_depend_on_the_message_alone(app: Celery) -> None:
    call = rebuild(app, failure("shop.plain", [1], embed={"chain": [{"task": "x"}]}, headers={"id": "other"}))

    assert (call.request["id"], call.request["chain"], call.request["args"]) == ("original", [{"task": "x"}], [1])
    assert call.request["args"] is call.args, "as in a worker"


@pytest.mark.parametrize(
    ("task", "args", "kwargs", "problem"),
    [
        ("plain", [1], {}, ""),
        ("plain", [1, 2, 3], {"z": 4}, ""),
        ("plain", [], {}, "**more: int) -> None: missing a required argument: 'x'"),
        ("plain", [1], {"x": 2}, "multiple values for argument 'x'"),
        ("bound", [1], {}, ""),
        ("bound", [1, 2], {}, "shop.bound(x: int) -> None: too many positional arguments"),
        ("untyped", [1, 2, 3], {"any": 1}, ""),
    ],
)  # fmt: skip
def test_whether_the_arguments_fit(app: Celery, task: str, args: Any, kwargs: Any, problem: str) -> None:
    call = rebuild(app, failure(f"shop.{task}", args, kwargs))
    if problem:
        assert problem in cannot(check, call)["why"]
    else:
        check(call)


def test_a_call_that_may_never_have_fitted() -> None:
    own = Frame("/shop.py", 1, "f", "shop", "", own=True)

    assert failed_at_the_call(failure("x", exception="TypeError"))
    assert not failed_at_the_call(failure("x", exception="TypeError", frames=(own,)))
    assert not failed_at_the_call(failure("x"))


@pytest.mark.usefixtures("odd_serializer")
@pytest.mark.parametrize("name", ["pickle", "shop"])
def test_what_the_app_does_not_accept_is_not_read(app: Celery, name: str) -> None:
    refusing = Celery("refusing", set_as_current=False)
    refusing.task(name="shop.plain", shared=False)(json.dumps)
    content_type = {"pickle": "application/x-python-serialize", "shop": "application/x-shop"}[name]
    made = failure("shop.plain", content_type=content_type)

    assert cannot(rebuild, refusing, made)["kind"] == ("pickle" if name == "pickle" else "unreadable body")
    refusing.close()


def call_of(app: Celery, *args: Any, **kwargs: Any) -> Call:
    return rebuild(app, failure("shop.plain", args, kwargs))


def test_what_a_task_changed(app: Celery) -> None:
    call = call_of(app, [1], [2], {"a": [3]}, api_key={"x": 1}, z=[5])
    call.args[0].append(2)
    call.args[2]["a"].append(4)
    call.kwargs["api_key"]["x"] = 2
    del call.kwargs["z"]
    call.kwargs["new"] = 1

    assert mutated(call) == [
        {"name": "x", "before": "[1]", "after": "[1, 2]"},
        {"name": "*rest[2]", "before": "{'a': [3]}", "after": "{'a': [3, 4]}"},
        {"name": "api_key", "before": "***", "after": "***"},
        {"name": "z", "before": "[5]", "after": ""},
        {"name": "new", "before": "", "after": "1"},
    ]


def test_nothing_changed(app: Celery) -> None:
    assert mutated(call_of(app, [1], float("nan"), {"x": [float("nan")]})) == []


@pytest.mark.usefixtures("odd_serializer")
def test_where_it_cannot_be_told(app: Celery) -> None:
    call = rebuild(app, failure("shop.plain", ["odd", "odd"], content_type="application/x-shop"))

    assert mutated(call) is None


@pytest.mark.usefixtures("odd_serializer")
def test_values_are_not_asked_whether_they_are_equal(app: Celery) -> None:
    call = rebuild(app, failure("shop.plain", ["raising", "raising"], content_type="application/x-shop"))
    assert mutated(call) == []
    call.args[0].value = 2

    assert mutated(call) == [{"name": "x", "before": "<Raising value='raising'>", "after": "<Raising value=2>"}]


@pytest.mark.usefixtures("odd_serializer")
def test_what_can_be_told_is(app: Celery) -> None:
    call = rebuild(app, failure("shop.plain", ["odd", [1]], content_type="application/x-shop"))
    call.args[1].append(2)

    assert mutated(call) == [{"name": "y", "before": "[1]", "after": "[1, 2]"}]
