"""Records of messages as brokers deliver them: the kinds that a worker of today rarely gets."""

import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Reject
from celery.worker.request import Request
from celery.worker.strategy import proto1_to_proto2
from kombu.message import Message

from devkit.agent.recorder.record import of_request, of_unknown, package_of
from devkit.model.failure import Failure

HEADERS = {"id": "3f2a", "task": "shop.total", "retries": 2, "root_id": "r"}
CALL = json.dumps([[1, "hunter2"], {"more": [2]}, {"chain": None}])


@pytest.fixture
def app() -> Iterator[Celery]:
    app = Celery("shop", set_as_current=False)
    app.conf.accept_content = ["json", "pickle"]

    @app.task(shared=False, name="shop.total")  # type: ignore[untyped-decorator]
    def total(x: int, password: str = "", more: Any = None) -> None: ...

    yield app
    app.close()


def message(body: "str | bytes" = CALL, headers: "dict[str, Any]" = HEADERS, **how: Any) -> Message:
    told = {"content_type": "application/json", "content_encoding": "utf-8", "accept": {"application/json"}, **how}
    return Message(body, headers=headers, delivery_info={"routing_key": "celery"}, properties={}, **told)  # type: ignore[no-untyped-call]


def record(app: Celery, arrived: Message, **how: Any) -> Failure:
    request = Request(arrived, app=app, hostname="celery@host", task=app.tasks["shop.total"], **how)
    return of_request(request, ValueError("no"), None, "FAILURE", 2.5, "/shop")


def test_it_has_the_message_as_it_arrived(app: Celery) -> None:
    found = record(app, message())

    assert found.body == CALL.encode()
    assert (found.id, found.task, found.retries, found.worker) == ("3f2a", "shop.total", 2, "celery@host")
    assert (found.call, found.names) == ("x=1, password=***, more=[2]", ("x", "password"))
    assert (found.headers, found.delivery_info) == (HEADERS, {"routing_key": "celery"})
    assert (found.exception, found.message, found.frames) == ("ValueError", "no", ())
    assert Failure.from_wire(json.loads(json.dumps(found.to_wire())), found.body) == found


def test_what_other_brokers_put_into_headers_becomes_text(app: Celery) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    found = record(app, message(headers={**HEADERS, "x-death": moment, "raw": b"\xff", "retries": None}))

    assert found.headers["x-death"] == "2020-01-01 00:00:00+00:00"
    assert isinstance(found.headers["raw"], str)
    assert found.retries == 0


def test_a_message_without_an_encoding_is_kept(app: Celery) -> None:
    assert record(app, message(content_encoding=None)).content_encoding == "utf-8"


def test_a_pickled_one_is_kept_as_bytes(app: Celery) -> None:
    body = pickle.dumps([[1], {}, {}])
    kind = "application/x-python-serialize"
    found = record(app, message(body, content_type=kind, content_encoding="binary", accept={kind}))

    assert (found.body, found.content_type, found.content_encoding) == (body, kind, "binary")
    assert found.pickled


def test_one_of_the_first_protocol_becomes_one_of_the_second_as_it_was_before_the_task_changed_it(app: Celery) -> None:
    payload = {
        "id": "3f2a", "task": "shop.total", "args": [1], "kwargs": {"more": [2]}, "retries": 1, "utc": True,
        "callbacks": None, "errbacks": None, "chord": None, "taskset": "g", "eta": None,
    }  # fmt: skip
    arrived = message(json.dumps(payload), headers={})
    body, headers, decoded, utc = proto1_to_proto2(arrived, arrived.payload)
    how = {"body": body, "headers": headers, "decoded": decoded, "utc": utc}
    body[1]["more"].append("changed")
    found = record(app, arrived, **how)

    assert json.loads(found.body or b"") == [
        [1],
        {"more": [2]},
        dict.fromkeys(("callbacks", "errbacks", "chain", "chord")),
    ]
    assert found.call == "x=1, more=[2]"
    assert found.headers == {"id": "3f2a", "task": "shop.total", "retries": 1, "group": "g", "eta": None}
    assert found.retries == 1


def test_a_message_for_no_task_is_kept_unread() -> None:
    body = b"\x80 no pickle at all"
    found = of_unknown(message(body, content_type="application/x-python-serialize"), "shop.total", "3f2a", "w", 2.5)

    assert (found.id, found.task, found.body, found.state) == ("3f2a", "shop.total", body, "FAILURE")
    assert (found.exception, found.call, found.frames) == ("celery.exceptions.NotRegistered", "", ())


def test_what_was_described_where_it_was_raised_is_taken(app: Celery) -> None:
    told = SimpleNamespace(devkit={"exception": "shop.Error", "message": "m", "traceback": "t", "frames": []})
    request = Request(message(), app=app, hostname="w", task=app.tasks["shop.total"])
    found = of_request(request, Reject("no"), told, "REJECTED", 2.5, "/shop")

    assert (found.exception, found.message, found.traceback) == ("shop.Error", "m", "t")


def test_a_tasks_package_is_that_of_its_function(app: Celery) -> None:
    assert package_of(app.tasks["shop.total"]) == __name__.partition(".")[0]
