"""Brokers and result backends, each asked for something real."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from celery import Celery
from kombu.entity import Exchange, Queue

from devkit.agent.app import asking
from devkit.agent.app.asking import (
    OWN_MEMORY,
    amqp_needs,
    backend_trouble,
    broker_trouble,
    broker_url,
    redis_lacks,
    shared_backend_trouble,
)

DEADLINE_S = 10.0  # only what is broken waits that long
# What kombu makes of newer versions of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")


@pytest.fixture
def closed() -> Iterator[int]:
    """A port at which nobody listens, and nobody will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.delenv(name, raising=False)


def app(broker: Any = "sqla+sqlite://", backend: str | None = None, **conf: Any) -> Celery:
    made = Celery("asked", broker=broker, backend=backend, set_as_current=False)
    made.conf.update(conf)
    return made


# --- brokers ---


@pytest.mark.parametrize("broker", ["sqla+sqlite:///queue.db", "sqla+sqlite://"])
def test_a_broker_that_is_there(broker: str) -> None:
    assert broker_trouble(app(broker)) == (None, False)


@pytest.mark.parametrize(
    ("broker", "why", "missing"),
    [
        ("redis://127.0.0.1:{closed}/0", "refused", False),
        ("amqp://127.0.0.1:{closed}//", "refused", False),
        ("redis://127.0.0.1:{closed}/0;redis://127.0.0.1:{closed}/1", "refused", False),
        ("sqla+sqlite:////nowhere/queue.db", "unable to open database file", False),
        ("filesystem://", "No such file or directory", False),
        ("memory://", OWN_MEMORY, False),
        ("sentinel://127.0.0.1:{closed}", "master_name", False),
        ("confluentkafka://127.0.0.1:{closed}", "KafkaException", True),
        ("nosuch://", "No such transport: nosuch", True),
    ],
)
def test_a_broker_that_is_not(closed: int, broker: str, why: str, missing: bool) -> None:
    error, is_missing = broker_trouble(app(broker.format(closed=closed)))
    assert why in str(error)
    assert is_missing == missing


def test_of_several_addresses_each_is_tried(closed: int) -> None:
    servers = [f"amqp://127.0.0.1:{closed}//", f"amqp://127.0.0.2:{closed}//"]
    with socket.create_server(("127.0.0.2", closed)) as server:
        server.settimeout(DEADLINE_S)

        def hang_up() -> None:
            server.accept()[0].close()

        thread = Thread(target=hang_up)
        thread.start()
        error, _ = broker_trouble(app(servers))
        thread.join()  # somebody came
    assert error
    assert broker_url(app(servers)) == ";".join(servers)


# --- result backends ---


@pytest.mark.parametrize("backend", [None, "disabled", "rpc://", "db+sqlite:///results.db", "file://{folder}"])
def test_a_result_backend_that_is_there(tmp_path: Path, backend: str | None) -> None:
    assert backend_trouble(app(backend=backend and backend.format(folder=tmp_path))) == (None, False)


@pytest.mark.parametrize(
    ("backend", "why", "missing"),
    [
        ("redis://127.0.0.1:{closed}/0", "refused", False),
        ("db+sqlite:////nowhere/results.db", "unable to open database file", False),
        ("db+postgresql://127.0.0.1:{closed}/x", "No module named 'psycopg", True),
        ("file:///nowhere", "path", False),
        ("django-db", "django-db", True),
        ("mongodb://127.0.0.1:{closed}/x", "pymongo", True),
        ("elasticsearch://127.0.0.1:{closed}/x/y", "elasticsearch", True),
        ("cassandra://", "cassandra", True),
        ("nosuch://", "nosuch", True),
    ],
)
def test_a_result_backend_that_is_not(closed: int, backend: str, why: str, missing: bool) -> None:
    error, is_missing = backend_trouble(app(backend=backend.format(closed=closed)))
    assert why in str(error)
    assert is_missing == missing


def test_what_is_in_the_memory_of_one_process_is_of_no_use_to_another() -> None:
    assert backend_trouble(app(backend="cache+memory://")) == (None, False)
    assert shared_backend_trouble(app(backend="cache+memory://")) == (OWN_MEMORY, False)


def test_a_serializer_that_is_not_installed() -> None:
    error, _ = backend_trouble(app(backend="db+sqlite://", result_serializer="nosuch"))
    assert "nosuch" in str(error)


# --- what may take the broker's place ---


def test_redis_is_spoken_here() -> None:
    assert redis_lacks(app()) is None


def test_queues_that_are_another_thing_in_redis() -> None:
    assert amqp_needs(app("amqp://")) == []
    queue: Any = Queue
    exchange: Any = Exchange
    queues = [
        queue("plain", exchange("plain", type="topic"), "a.#"),
        queue("late", exchange("late", type="x-delayed-message"), "late"),
        queue("ranked", queue_arguments={"x-max-priority": 9}),
    ]
    assert amqp_needs(app("amqp://", task_queues=queues)) == ["an exchange of type x-delayed-message", "x-max-priority"]
    assert "x-max-priority" in amqp_needs(app("amqp://", task_queue_max_priority=5))


# --- time ---


def test_a_library_that_catches_errors_is_ended_all_the_same() -> None:
    def silence() -> None:
        with suppress(Exception):  # redis-py takes a TimeoutError for a lost connection, and asks again
            time.sleep(30)

    assert asking._in_time(silence, 0.01) == ("no answer in 0.01 s", False)
