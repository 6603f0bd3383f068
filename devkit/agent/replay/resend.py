"""Puts a failed task back on its queue, as it was: nothing of the message is read."""

from datetime import datetime, timezone
from typing import Any

from kombu.utils.url import maybe_sanitize_url

from ...model.failure import Failure
from ...model.wire import Requeued
from ..app.asking import broker_error, broker_url
from .call import Cannot

# What the broker makes of the message, and what is said otherwise.
NOT_SENT = {
    "delivery_tag", "delivery_info", "body_encoding", "expiration", "application_headers", "content_type",
    "content_encoding",
}  # fmt: skip
MOMENTS = ("expires", "eta")


def resend(app: Any, failure: Failure, queue: "str | None") -> Requeued:
    """Send the message once more, to its queue or another one. Raises Cannot."""
    if failure.body is None:
        raise Cannot("no body", failure.missing or "its arguments were not kept")
    target = _target(app, failure, queue)
    # Celery itself would go on trying for twenty seconds.
    if why := broker_error(app):
        raise Cannot("not sent", f"the broker at {maybe_sanitize_url(broker_url(app))} does not answer: {why}")
    properties = {name: value for name, value in failure.properties.items() if name not in NOT_SENT}
    try:
        with app.producer_or_acquire() as producer:
            producer.publish(
                failure.body,
                content_type=failure.content_type,
                content_encoding=failure.content_encoding,
                headers=_headers(failure),
                retry=False,
                **{"correlation_id": failure.id, **properties},
                **target,
            )
    except Exception as error:
        raise Cannot("not sent", f"the broker did not take it: {str(error) or type(error).__name__}") from None
    return {"id": failure.id, "queue": str(queue or target["routing_key"])}


def _target(app: Any, failure: Failure, queue: "str | None") -> "dict[str, Any]":
    """Where to publish it."""
    exchange = failure.delivery_info.get("exchange") or ""
    routing_key = failure.delivery_info.get("routing_key") or app.conf.task_default_queue
    if not queue and exchange:
        known = [one for one in app.amqp.queues.values() if _leads_to(one, exchange, routing_key)]
        return {"exchange": exchange, "routing_key": routing_key, "declare": known}
    # To the queue itself, by its name; it may not be there yet.
    name = queue or routing_key
    try:
        return {"exchange": "", "routing_key": name, "declare": [app.amqp.queues[name]]}
    except KeyError:
        names = ", ".join(sorted(app.amqp.queues))
        raise Cannot("not sent", f"the project has no queue {name}", f"it has {names}") from None


def _leads_to(queue: Any, exchange: str, routing_key: str) -> bool:
    return bool(queue.exchange and queue.exchange.name == exchange and queue.routing_key == routing_key)


def _headers(failure: Failure) -> "dict[str, Any]":
    """As they were, without times that are over: it would not be run."""
    headers = {"lang": "py", "retries": failure.retries, **failure.headers, "id": failure.id, "task": failure.task}
    for name in MOMENTS:
        if _is_past(headers.get(name)):
            headers[name] = None
    headers.pop("compression", None)  # kombu has undone it
    return headers


def _is_past(moment: Any) -> bool:
    try:
        parsed = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    except ValueError:
        return False
    return parsed.replace(tzinfo=parsed.tzinfo or timezone.utc) <= datetime.now(timezone.utc)  # noqa: UP017 - Python 3.10
