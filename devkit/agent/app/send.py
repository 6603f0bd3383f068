"""Sends one task through the project's own Celery app and tells what becomes of it."""

import time
from collections.abc import Callable
from typing import Any

from ...model.text import is_named
from ...model.wire import SendNews, SendOrder, TaskEnd
from ..structure import is_plain, name_of
from ..tell.exceptions import in_short
from ..tell.values import short
from .describe import broker_error, refuse_anothers, result_backend_error
from .errand import take_order
from .load import Problem, load_app

Tell = Callable[[SendNews], None]
POLL_S = 0.05
NO_WORKER_AFTER_S = 2.0


def main(_: list[str]) -> None:
    """Send what the order on standard input says."""
    take_order(SendOrder, send)


def send(order: SendOrder, tell: Tell) -> None:
    """Raises Problem for a task that does not exist, arguments that do not fit, a broker that is another project's or
    does not answer."""
    app = load_app(order["module"], order["attribute"])
    refuse_anothers(app)
    name = _full_name(app, order["task"])
    task = app.tasks[name]
    options = {key: value for key in ("queue", "task_id") if (value := order.get(key))}
    # Celery itself would go on trying for twenty seconds.
    if message := broker_error(app):
        raise Problem("not sent", what="broker", url=app.connection_for_write().as_uri(), message=message)
    if message := result_backend_error(app):
        raise Problem("not sent", what="result backend", url=str(app.conf.result_backend), message=message)
    try:
        result = task.apply_async(order["args"], order["kwargs"], retry=False, **options)
    except TypeError as error:
        raise Problem("arguments", task=name, message=str(error)) from error
    except Exception as error:
        url, message = app.connection_for_write().as_uri(), str(error) or type(error).__name__
        raise Problem("not sent", what="broker", url=url, message=message) from error
    tell({"sent": result.id, "task": name})
    if order["wait"]:
        _follow(app, result, tell)


def _full_name(app: Any, asked: str) -> str:
    """The task of that name, or the only one whose dotted name ends in it."""
    if asked in app.tasks:
        return asked
    names: list[str] = sorted(name for name in app.tasks if not name.startswith("celery."))
    matches = [name for name in names if is_named(name, asked)]
    if len(matches) == 1:
        return matches[0]
    raise Problem("no task", matches=matches, names=names)


def _follow(app: Any, result: Any, tell: Tell) -> None:
    if app.conf.result_backend is None:
        raise Problem("no result backend")
    started = time.monotonic()
    asked_for_worker = False
    last = None
    while True:
        # One read: the attributes of a result each ask again, and may disagree.
        meta = result._get_task_meta()
        if meta["status"] in ("SUCCESS", "FAILURE", "REVOKED", "REJECTED", "IGNORED"):
            break
        found = meta.get("result")
        now = (meta["status"], found if is_plain(found) else short(found))  # an error is another object each time
        if now != last and meta["status"] not in ("PENDING", "STARTED"):
            tell({"state": meta["status"], "info": found})
        last = now
        if meta["status"] == "PENDING" and not asked_for_worker and time.monotonic() - started > NO_WORKER_AFTER_S:
            asked_for_worker = True
            if not app.control.ping(timeout=1.0):
                tell({"no_worker": True})
        time.sleep(POLL_S)
    failed = meta["status"] != "SUCCESS"
    error, told = meta.get("result"), meta.get("traceback")
    end = TaskEnd(
        state=meta["status"],
        result=None if failed else error,
        exception=_said(error, told) if failed else None,
        traceback=None if told is None else str(told),
        runtime_s=round(time.monotonic() - started, 3),
    )
    tell({"done": end})


def _said(error: Any, told: Any) -> "str | None":
    if error is None:
        return None
    if issubclass(type(error), BaseException):
        return in_short(error, str(told))
    return f"{name_of(type(error))}: {short(error)}"
