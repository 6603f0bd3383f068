"""Sends one task through the project's own Celery app and tells what becomes of it."""

import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from ...model.text import is_named
from ...model.wire import SendNews, SendOrder
from .asking import backend_trouble, broker_trouble, broker_url
from .consumers import FIRST_S, Consumers
from .describe import refuse_anothers
from .eager import eager
from .errand import take_order
from .events import TaskEvents
from .follow import Follow, keeps_results, tell_consumers
from .load import Problem, load_app

Tell = Callable[[SendNews], None]


def main(_: list[str]) -> None:
    """Send what the order on standard input says."""
    take_order(SendOrder, send)


def send(order: SendOrder, tell: Tell) -> None:
    """Raises Problem for a task that does not exist, arguments that do not fit, a broker that is another project's or
    does not answer."""
    app = load_app(order["module"], order["attribute"])
    refuse_anothers(app)
    task = app.tasks[_full_name(app, order["task"])]
    # Celery itself would go on trying for twenty seconds.
    _check("broker", broker_url(app), *broker_trouble(app))
    if keeps_results(app, task):
        _check("result backend", str(app.conf.result_backend), *backend_trouble(app))
    if (where := eager(app)) is not None:
        app.conf.task_always_eager = False  # whoever sends a task means a worker
        tell({"eager": where})
    task_id = order["task_id"] or str(uuid4())
    if not order["wait"]:
        queue, _ = _publish(app, task, task_id, order, tell)
        consumers = Consumers(app, queue)
        consumers.wait(FIRST_S)
        if consumers.workers:  # who only sends need not have any
            consumers.wait()
            tell_consumers(consumers, lambda _, news: tell(news))
        return
    with TaskEvents(app, task_id) as events:
        queue, result = _publish(app, task, task_id, order, tell)
        Follow(app, task, result, events, Consumers(app, queue), order, tell).to_its_end()


def _check(what: str, url: str, message: "str | None", missing: bool) -> None:
    """Raises Problem where it does not answer; the interpreter is told where that has no package for it."""
    if message:
        raise Problem("not sent", what=what, url=url, message=message, python=sys.executable if missing else "")


def _publish(app: Any, task: Any, task_id: str, order: SendOrder, tell: Tell) -> "tuple[str, Any]":
    """Send it; the queue that it goes to, empty where only a routing key tells, and Celery's result. Raises Problem."""
    from celery.signals import before_task_publish

    queues: list[str] = []

    def note(declare: "Any" = None, **_: Any) -> None:
        queues.extend(queue.name for queue in declare or ())

    options = {"queue": order["queue"]} if order["queue"] else {}
    before_task_publish.connect(note)
    try:
        result = task.apply_async(order["args"], order["kwargs"], retry=False, task_id=task_id, **options)
    except TypeError as error:
        raise Problem("arguments", task=task.name, message=str(error)) from error
    except Exception as error:
        message = str(error) or type(error).__name__
        raise Problem("not sent", what="broker", url=broker_url(app), message=message, python="") from error
    finally:
        before_task_publish.disconnect(note)
    tell({"sent": result.id, "task": task.name})
    return (queues or [""])[0], result


def _full_name(app: Any, asked: str) -> str:
    """The task of that name, or the only one whose dotted name ends in it."""
    if asked in app.tasks:
        return asked
    names: list[str] = sorted(name for name in app.tasks if not name.startswith("celery."))
    matches = [name for name in names if is_named(name, asked)]
    if len(matches) == 1:
        return matches[0]
    raise Problem("no task", matches=matches, names=names)
