"""Which queues an app names, in every way that Celery reads, and which of them a worker is to consume."""

from typing import Any

import pytest
from celery import Celery
from kombu.entity import Queue as KombuQueue

from devkit.agent.app.queues import consumed, declared, routed

Queue: Any = KombuQueue


def app(**conf: Any) -> Celery:
    made = Celery("shop", broker="memory://", set_as_current=False)
    made.conf.update(conf)
    return made


@pytest.mark.parametrize(
    "routes",
    [
        {"shop.mail": "mails"},
        {"shop.mail": {"queue": "mails", "priority": 3}},
        {"shop.*": {"queue": Queue("mails")}},
        [{"shop.mail": "mails"}],
        ({"shop.other": {"routing_key": "x"}}, {"shop.mail": "mails"}),
        ([("shop.mail", {"queue": "mails"})],),
        [[("shop.*", "mails")]],
    ],
)
def test_routes_in_every_form(routes: Any) -> None:
    assert routed(app(task_routes=routes)) == ["mails"]


@pytest.mark.parametrize(
    "routes", [None, {}, lambda *_, **__: {"queue": "x"}, "nowhere.to.be.found", [("shop.mail", {"queue": "x"})], 3]
)
def test_routes_that_cannot_be_read_name_nothing(routes: Any) -> None:
    assert routed(app(task_routes=routes)) == []


@pytest.mark.filterwarnings("ignore:[\\s\\S]*'queue' task attribute is deprecated")
def test_what_else_sends_a_task_to_a_queue() -> None:
    made = app(beat_schedule={"tick": {"task": "tick", "schedule": 1.0, "options": {"queue": "ticks"}}, "odd": None})
    made.task(test_the_default_queue, name="slow", queue="slow", shared=False)

    assert routed(made) == ["slow", "ticks"]


def test_the_default_queue() -> None:
    assert declared(app(task_default_queue="main")) == ["main"]
    assert routed(app(task_default_queue="main")) == []
    listed = app(task_queues=[Queue("a"), Queue("b")], task_default_queue="main")
    assert (declared(listed), routed(listed)) == (["a", "b"], ["main"])


def test_an_app_that_makes_no_queues_has_only_those_declared() -> None:
    strict = app(task_queues=[Queue("a")], task_routes={"x": {"queue": "b"}}, task_create_missing_queues=False)

    assert (declared(strict), routed(strict)) == (["a"], [])


@pytest.mark.parametrize(
    ("own", "besides", "leftovers", "found"),
    [
        ([], [], True, ["celery", "mails", "sums"]),
        ([], ["mails"], True, ["celery", "sums"]),
        ([], ["mails", "sums", "celery"], True, []),  # as Celery does without -Q
        ([], [], False, []),
        (["sums"], [], False, ["sums"]),
        (["sums"], ["mails"], True, ["sums", "celery"]),
    ],
)
def test_what_a_worker_consumes(own: list[str], besides: list[str], leftovers: bool, found: list[str]) -> None:
    shop = app(task_routes={"a": "sums", "b": "mails"})

    assert consumed(shop, {"own": own, "leftovers": leftovers, "besides": besides}) == found


def test_nothing_has_to_be_said_where_celery_consumes_all() -> None:
    assert consumed(app(), {"own": [], "leftovers": True, "besides": []}) == []
