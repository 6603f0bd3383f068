"""Giving messages back to the broker: to the front of their queues, in the order in which they came."""

import json
import logging
from typing import Any


def send_back_what_is_under_way(transport: Any) -> None:
    """kombu puts a message that arrives after the cancellation behind all others, and warns of it."""

    def send_back(raw: Any) -> None:
        channel = next(filter(None, transport.channels))
        message = channel.Message(raw, channel=channel)
        channel.qos.append(message, message.delivery_tag)
        requeue([message])

    if hasattr(transport, "_reject_inbound_message"):
        transport._reject_inbound_message = send_back
    logging.getLogger("kombu.transport.virtual.base").addFilter(lambda record: record.levelno > logging.WARNING)


def requeue(messages: "list[Any]") -> None:
    """Put messages of one consumer back in front of their queues, in the order in which they came."""
    channel = messages[0].channel
    qos: Any = getattr(channel, "qos", None)
    if not hasattr(qos, "restore_by_tag"):
        # RabbitMQ remembers each one's place; what kombu keeps in other stores it puts in front of what is there.
        for message in reversed(messages) if qos else messages:
            message.requeue()
        return
    # kombu's reject of a Redis message would put it behind all others; and one by one they would be taken by a waiting
    # worker in the wrong order.
    with channel.conn_or_acquire() as client:
        kept = client.hmget(qos.unacked_key, [message.delivery_tag for message in messages])
        with client.pipeline() as pipe:
            for message, text in reversed(list(zip(messages, kept))):  # noqa: B905 - Python 3.10
                if text is not None:
                    body, exchange, routing_key = json.loads(text)
                    qos._remove_from_indices(message.delivery_tag, pipe)
                    channel._do_restore_message(body, exchange, routing_key, pipe)
            pipe.execute()
    for message in messages:
        super(type(qos), qos).ack(message.delivery_tag)
        message._state = "REQUEUED"


def quietly(consumer: Any, call: Any) -> None:
    """A broker that is gone keeps what it has; it delivers that again."""
    from kombu.common import ignore_errors

    ignore_errors(consumer.connection, call)  # type: ignore[no-untyped-call]
