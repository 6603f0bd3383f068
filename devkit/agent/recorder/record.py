"""Makes a Failure of what a worker's main process knows of a task that failed."""

import json
from typing import Any, NamedTuple

from celery.exceptions import NotRegistered
from kombu.serialization import dumps, loads, registry

from ...model.failure import Failure, Frame
from ..structure import is_plain, module_of
from ..tell.errors import describe_passed_on, without_celery
from ..tell.values import call_text, positional, short

LONGEST_CALL = 1000
# What Celery's first protocol has in the body, and the second one has not among the headers.
NO_HEADERS = ("args", "kwargs", "callbacks", "errbacks", "chord", "taskset", "utc")


def of_request(request: Any, error: BaseException, exc_info: Any, state: str, failed_at: float, root: str) -> Failure:
    """That of a celery.worker.request.Request. `exc_info` is billiard's; None where the process was ended."""
    task, args, kwargs = request.task, request.args, request.kwargs
    arrived = _arrived(request.message)
    if request._decoded:
        arrived, args, kwargs = _converted(request.message)  # those of the request this process's task may have changed
    described = getattr(exc_info, "devkit", None)
    if not described and (passed_on := getattr(error, "devkit", None)):
        described = {**passed_on, "traceback": without_celery(passed_on["traceback"])}
    described = described or describe_passed_on(error, exc_info, root, package_of(task))
    if described["frames"] and not described["traceback"]:
        described = {**described, "traceback": without_celery(exc_info.traceback)}
    return _failure(
        request.message,
        arrived,
        **described,
        id=str(request.id),
        task=request.type,
        state=state,
        call=call_text(task.run, args, kwargs)[:LONGEST_CALL],
        names=tuple(positional(task.run, len(args))),
        failed_at=failed_at,
        started_at=request.time_start,
        worker=request.hostname,
    )


def of_unknown(message: Any, name: str, task_id: str, worker: str, failed_at: float) -> Failure:
    """That of a message for which there is no task; its arguments nobody has read."""
    return _failure(
        message,
        _arrived(message) if "task" in message.headers else _converted(message)[0],
        **describe_passed_on(NotRegistered(name), None, ""),
        id=str(task_id),
        task=str(name),
        state="FAILURE",
        call="",
        names=(),
        failed_at=failed_at,
        started_at=None,
        worker=worker,
    )


def package_of(task: Any) -> str:
    """The top-level package that a task is of."""
    return module_of(type(task)).partition(".")[0]


class _Arrived(NamedTuple):
    headers: "dict[str, Any]"
    body: bytes
    content_type: str
    content_encoding: str


def _arrived(message: Any) -> _Arrived:
    # What compressed the body kombu has undone.
    headers = {name: value for name, value in message.headers.items() if name != "compression"}
    return _Arrived(headers, _bytes(message.body), message.content_type, message.content_encoding or "utf-8")


def _converted(message: Any) -> "tuple[_Arrived, Any, Any]":
    """A message of Celery's first protocol as one of the second; its args and kwargs.

    The worker has just read the same body, by the same leave of `accept_content`.
    """
    kind, coding = message.content_type, message.content_encoding
    payload = loads(message.body, kind, coding, accept=message.accept)  # type: ignore[no-untyped-call]
    args, kwargs = payload.get("args", ()), payload.get("kwargs", {})
    embed = {name: payload.get(name) for name in ("callbacks", "errbacks", "chain", "chord")}
    headers = {name: value for name, value in payload.items() if name not in NO_HEADERS}
    headers |= {"group": payload.get("taskset") or payload.get("group")} | _arrived(message).headers
    kind, coding, body = dumps((args, kwargs, embed), serializer=registry.type_to_name[kind])  # type: ignore[no-untyped-call]
    return _Arrived(headers, _bytes(body), kind, coding), args, kwargs


def _failure(message: Any, arrived: _Arrived, /, *, frames: "list[dict[str, Any]]", **known: Any) -> Failure:
    return Failure(
        **known,
        frames=tuple(Frame(**frame) for frame in frames),
        headers=_plain(arrived.headers),
        properties=_plain(message.properties or {}),
        delivery_info=_plain(message.delivery_info or {}),
        content_type=arrived.content_type,
        content_encoding=arrived.content_encoding,
        retries=int(arrived.headers.get("retries") or 0),
        revision="",
        body=arrived.body,
    )


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


def _plain(value: Any) -> Any:
    """As JSON values: the headers of some brokers hold others."""
    if value is None or type(value) in (str, int, bool, float):
        return value
    if type(value) is dict and all(type(name) is str for name in value):
        return {name: _plain(item) for name, item in value.items()}
    if type(value) is list:
        return [_plain(item) for item in value]
    return json.loads(json.dumps(value, default=_text, skipkeys=True))


def _text(value: Any) -> str:
    return str(value) if is_plain(value) else short(value)
