"""An app whose code says where its broker is in a network of containers."""

import json

import pytest
from celery import Celery

from devkit.agent.app.routes import VARIABLE, take_routes

AMQP, REDIS = "amqp://guest:guest@rabbitmq:5672//", "redis://redis:6379/1"
ROUTES = json.dumps({"rabbitmq:5672": "127.0.0.1:1", "redis:6379": "127.0.0.1:2"})


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_its_broker_and_its_results_are_reached_by_the_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("app", broker=AMQP, backend=REDIS, set_as_current=False)
    before = app.backend
    monkeypatch.setenv(VARIABLE, ROUTES)

    take_routes(app)

    assert app.conf.broker_read_url == app.conf.broker_write_url == "amqp://guest:guest@127.0.0.1:1//"
    assert app.connection_for_write().as_uri() == "amqp://guest:**@127.0.0.1:1//"
    assert app.backend is not before
    assert app.backend.connparams["port"] == 2


def test_of_several_brokers_each(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("app", broker=[AMQP, "amqp://elsewhere//"], set_as_current=False)
    monkeypatch.setenv(VARIABLE, ROUTES)

    take_routes(app)

    assert app.conf.broker_url == ["amqp://guest:guest@127.0.0.1:1//", "amqp://elsewhere//"]


def test_without_routes_all_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("app", broker=AMQP, backend=REDIS, set_as_current=False)
    backend = app.backend

    take_routes(app)
    monkeypatch.setenv(VARIABLE, json.dumps({"other:5672": "127.0.0.1:1"}))
    take_routes(app)

    assert (app.conf.broker_url, app.conf.result_backend) == (AMQP, REDIS)
    assert app.backend is backend
