"""Failures as workers record them, for what shows them."""

import json
from typing import Any

from devkit.model.failure import Failure, Frame

NOW = 1_795_369_081.0
ID = "4f1c22aa-0d3e-4b6c-9a63-0a4b4a4a5d5e"


def failure(**fields: Any) -> Failure:
    """One of `divide(10, 0)`, a minute ago."""
    args, kwargs = fields.pop("args", [10, 0]), fields.pop("kwargs", {})
    body = json.dumps([args, kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()
    known: dict[str, Any] = {
        "id": ID, "task": "shop.tasks.divide", "state": "FAILURE", "retries": 0, "exception": "ZeroDivisionError",
        "message": "division by zero", "traceback": "", "frames": (), "call": "x=10, y=0", "names": ("x", "y"),
        "headers": {"id": fields.get("id", ID), "root_id": fields.get("id", ID), "argsrepr": "(10, 0)"},
        "properties": {}, "delivery_info": {"exchange": "", "routing_key": "celery"},
        "content_type": "application/json", "content_encoding": "utf-8", "failed_at": NOW - 60,
        "started_at": NOW - 62.5, "worker": "celery.1@host", "revision": "", "body": body,
    }  # fmt: skip
    return Failure(**{**known, **fields})


def frame(**fields: Any) -> Frame:
    known: dict[str, Any] = {
        "file": "/shop/tasks.py", "line": 3, "function": "divide", "module": "shop.tasks", "source": "return x / y",
        "own": True, "locals": {"x": "10", "y": "0"},
    }  # fmt: skip
    return Frame(**{**known, **fields})
