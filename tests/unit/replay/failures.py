"""A failure to save, compare and write tests from."""

import json
from dataclasses import replace
from typing import Any, Unpack

from devkit.model.failure import Failure, Frame
from devkit.model.wire import Outcome

ID = "3f2a4c55-7b0f-4f6e-9d7e-0f6b8a1c2d3e"
TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 479, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/home/me/shop/tasks.py", line 20, in divide
    return x / y
ZeroDivisionError: division by zero
"""


def frame(function: str = "divide", **changes: Any) -> Frame:
    given = Frame("/home/me/shop/tasks.py", 20, function, "shop.tasks", "return x / y", True, {"x": "10", "y": "0"})
    return replace(given, **changes)


def failure(
    *args: Any, embed: dict[str, Any] | None = None, kwargs: dict[str, Any] | None = None, **changes: Any
) -> Failure:
    """One of shop.tasks.divide, by default of (10, 0)."""
    body = json.dumps([list(args or (10, 0)), kwargs or {}, embed or {"callbacks": None, "chain": None}])
    given = Failure(
        id=ID,
        task="shop.tasks.divide",
        state="FAILURE",
        retries=0,
        exception="ZeroDivisionError",
        message="division by zero",
        traceback=TRACEBACK,
        frames=(frame("trace_task", own=False, module="celery.app.trace", locals={}), frame()),
        call="x=10, y=0",
        names=(),
        headers={"id": ID, "task": "shop.tasks.divide", "lang": "py", "argsrepr": "(10, 0)", "kwargsrepr": "{}"},
        properties={"correlation_id": ID, "priority": 0},
        delivery_info={"exchange": "", "routing_key": "celery", "redelivered": False},
        content_type="application/json",
        content_encoding="utf-8",
        failed_at=1_700_000_000.5,
        started_at=1_700_000_000.0,
        worker="celery@here",
        revision="abc1234-dirty",
        body=body.encode(),
    )
    return replace(given, **changes)


def outcome(**changes: Unpack[Outcome]) -> Outcome:
    """What the replay of that one says."""
    return {
        "state": "FAILURE",
        "result": None,
        "result_literal": None,
        "exception": "ZeroDivisionError",
        "message": "division by zero",
        "traceback": TRACEBACK,
        "frames": [vars(frame())],
        "task": "shop.tasks.divide",
        **changes,
    }
