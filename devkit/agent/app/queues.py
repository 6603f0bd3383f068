"""The queues that an app names, so that its worker can consume them all."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from celery.app.routes import MapRoute

from ...model.wire import Consume


def declared(app: Any) -> "list[str]":
    """Those that `celery worker` consumes without -Q: `task_queues`, else the default one."""
    return list(app.amqp.queues)


def routed(app: Any) -> "list[str]":
    """The others that tasks of the app are sent to, as far as that can be read: by `task_default_queue`, `task_routes`,
    a task's own `queue`, or the beat schedule. What a function routes only that function knows."""
    if not app.conf.task_create_missing_queues:
        return []  # Celery consumes and sends to no other
    known = declared(app)
    names = {name for name in map(_name, _destinations(app)) if name and "," not in name}  # which -Q cannot say
    return sorted(names.difference(known))


def consumed(app: Any, consume: Consume) -> "list[str]":
    """What the worker is to consume by -Q; empty where that is what it consumes anyway."""
    own = consume["own"] or declared(app)
    known = [*declared(app), *routed(app)] if consume["leftovers"] else []
    more = [name for name in known if name not in own and name not in consume["besides"]]
    return [*own, *more] if more or consume["own"] else []


def _destinations(app: Any) -> "Iterator[Any]":
    yield app.conf.task_default_queue
    with suppress(Exception):  # routes that Celery cannot read either: it says so when it sends
        for route in app.amqp.routes:
            if isinstance(route, MapRoute):
                for target in (*route.map.values(), *route.patterns.values()):
                    yield target.get("queue") if isinstance(target, Mapping) else target
    for task in app.tasks.values():
        yield getattr(task, "queue", None)
    with suppress(Exception):
        for entry in app.conf.beat_schedule.values():
            options = entry.get("options") if isinstance(entry, Mapping) else entry.options
            yield (options or {}).get("queue")


def _name(queue: Any) -> str:
    """Of a name, or of a kombu Queue."""
    name = getattr(queue, "name", queue)
    return name if isinstance(name, str) else ""
