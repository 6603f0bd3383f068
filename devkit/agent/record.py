"""Makes a Failure of what a worker's main process knows of a task that failed."""

import json
from typing import Any

from kombu.serialization import dumps, registry

from ..model.failure import Failure
from .frames import message as message_of
from .frames import type_name
from .masking import call_text, positional

LONGEST_CALL = 1000


def of_request(request: Any, error: BaseException, exc_info: Any, state: str, failed_at: float) -> Failure:
    """That of a celery.worker.request.Request. `exc_info` is billiard's; None where the process was ended."""
    described = getattr(exc_info, "devkit", None) or {
        "exception": type_name(type(error)),
        "message": message_of(error),
        "traceback": "",  # of the worker's main process, which tells nothing
        "frames": [],
    }
    message, task = request.message, request.task
    body, content_type, content_encoding = _body(request)
    return Failure.from_wire(
        {
            **_of_message(message, request.request_dict if "id" not in message.headers else message.headers),
            **described,
            "id": request.id,
            "task": request.type,
            "state": state,
            "call": call_text(task.run, request.args, request.kwargs)[:LONGEST_CALL],
            "names": positional(task.run, len(request.args)),
            "content_type": content_type,
            "content_encoding": content_encoding,
            "failed_at": failed_at,
            "started_at": request.time_start,
            "worker": request.hostname,
        },
        body,
    )


def of_unknown(message: Any, error: BaseException, worker: str, failed_at: float) -> Failure:
    """That of a message for which there is no task."""
    headers = message.headers
    return Failure.from_wire(
        {
            **_of_message(message, headers),
            "id": str(headers["id"]),
            "task": str(headers["task"]),
            "state": "FAILURE",
            "exception": type_name(type(error)),
            "message": message_of(error),
            "frames": [],
            "traceback": "",
            "call": "",
            "names": [],
            "content_type": str(message.content_type),
            "content_encoding": str(message.content_encoding),
            "failed_at": failed_at,
            "started_at": None,
            "worker": worker,
        },
        _bytes(message.body),
    )


def _of_message(message: Any, headers: Any) -> "dict[str, Any]":
    plain = _plain({name: value for name, value in headers.items() if name != "compression"})  # kombu has undone it
    return {
        "schema": 1,
        "headers": plain,
        "properties": _plain(message.properties or {}),
        "delivery_info": _plain(message.delivery_info or {}),
        "retries": int(headers.get("retries") or 0),
        "revision": "",
        "source": "recorded",
        "limits": [],
        "missing": "",
    }


def _body(request: Any) -> "tuple[bytes, str, str]":
    """The body in protocol 2, with its content type and encoding."""
    if request.content_type:
        return _bytes(request.body), request.content_type, request.content_encoding
    # Protocol 1, which Celery has turned into what it would be in protocol 2.
    serializer = registry.type_to_name[request.message.content_type]
    content_type, content_encoding, body = dumps(request.body, serializer=serializer)  # type: ignore[no-untyped-call]
    return _bytes(body), content_type, content_encoding


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


def _plain(values: Any) -> Any:
    """As JSON values: the headers of some brokers hold others."""
    return json.loads(json.dumps(values, default=str, skipkeys=True))
