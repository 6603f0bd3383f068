"""Messages that go back to a real broker, unread."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from kombu.entity import Exchange, Queue

from devkit.agent.replay.call import Cannot
from devkit.agent.replay.resend import resend
from devkit.model.wire import Refusal
from tests.unit.agent.replay.rerunning import failure

QUEUE: Any = Queue  # kombu has no type hints
EXCHANGE: Any = Exchange
# No serializer could read it.
BODY = b"\x80\x04\xff not to be read"


@pytest.fixture
def app(redis: str) -> Iterator[Celery]:
    app = Celery("shop", broker=redis, set_as_current=False)
    app.conf.task_queues = [
        QUEUE("celery", EXCHANGE("celery"), "celery"), QUEUE("slow", EXCHANGE("slow"), "slow.key"),
        QUEUE("topics", EXCHANGE("topics", type="topic"), "shop.#"),
    ]  # fmt: skip
    yield app
    with app.connection_for_write() as connection:
        for name in (*app.amqp.queues, "new"):
            connection.default_channel.client.delete(name)
    app.close()


def arrived(app: Celery, queue: str) -> Any:
    """The message that is in a queue."""
    with app.connection_for_read() as connection:
        message = app.amqp.queues[queue].bind(connection.default_channel).get(no_ack=True)
    assert message is not None, f"nothing is in {queue}"
    return message


def made(**more: Any) -> Any:
    return failure("shop.add", body=BODY, content_type="application/x-unknown", content_encoding="binary", **more)


def test_it_arrives_as_it_was(app: Celery) -> None:
    headers = {"retries": 2, "group": "g", "timelimit": [1, None], "own": "x", "compression": "zlib"}
    properties = {"correlation_id": "c", "reply_to": "r", "priority": 3, "delivery_tag": "t", "delivery_info": {}}

    told = resend(app, made(headers=headers, properties=properties), None)
    message = arrived(app, "celery")

    assert told == {"id": "original", "queue": "celery"}
    assert (message.body, message.content_type, message.content_encoding) == (BODY, "application/x-unknown", "binary")
    assert message.headers.items() >= {"id": "original", "task": "shop.add", "retries": 2, "own": "x"}.items()
    assert "compression" not in message.headers, "its body is not compressed any more"
    kept = {name: message.properties[name] for name in ("correlation_id", "reply_to", "priority")}
    assert kept == {"correlation_id": "c", "reply_to": "r", "priority": 3}
    assert message.properties["delivery_tag"] != "t"


def test_what_comes_of_a_stored_result_is_a_whole_message(app: Celery) -> None:
    bare = failure("shop.add", [1], retries=1)
    bare.headers.clear()
    bare.delivery_info.clear()
    resend(app, bare, None)

    message = arrived(app, "celery")
    assert message.headers == {"lang": "py", "id": "original", "task": "shop.add", "retries": 1}
    assert message.payload[0] == [1]


@pytest.mark.parametrize(("moment", "kept"), [("2020-01-01T00:00:00+00:00", False), ("2120-01-01T00:00:00", True)])
def test_moments_that_are_past(app: Celery, moment: str, kept: bool) -> None:
    resend(app, made(headers={"expires": moment, "eta": moment}), None)

    headers = arrived(app, "celery").headers
    assert [headers["expires"], headers["eta"]] == ([moment] * 2 if kept else [None] * 2)


@pytest.mark.parametrize(
    ("delivery", "queue", "where"),
    [
        ({"exchange": "", "routing_key": "slow"}, None, "slow"),
        ({"exchange": "slow", "routing_key": "slow.key"}, None, "slow"),
        ({"exchange": "topics", "routing_key": "shop.#"}, None, "topics"),
        ({"exchange": "topics", "routing_key": "shop.#"}, "celery", "celery"),
        ({"exchange": "", "routing_key": "celery"}, "new", "new"),
    ],
)
def test_where_it_goes(app: Celery, delivery: Any, queue: str | None, where: str) -> None:
    resend(app, made(delivery_info=delivery), queue)

    assert arrived(app, where).body == BODY


def cannot(*args: Any) -> Refusal:
    with pytest.raises(Cannot) as raised:
        resend(*args)
    return raised.value.report["cannot"]


def test_what_cannot_be_sent(app: Celery) -> None:
    assert cannot(app, failure("shop.add", body=None, missing="gone"), None)["why"] == "gone"
    app.conf.task_create_missing_queues = False
    told = cannot(app, made(), "sloww")
    assert told["why"] == "the project has no queue sloww"
    assert told["mend"] == ["it has celery, slow, topics"]


def test_a_broker_that_does_not_answer() -> None:
    app = Celery("shop", broker="redis://:hunter2@127.0.0.1:1/0", set_as_current=False)
    told = cannot(app, made(), None)
    app.close()

    assert told["kind"] == "not sent"
    assert "redis://:**@127.0.0.1:1/0" in told["why"]
    assert "hunter2" not in told["why"]
