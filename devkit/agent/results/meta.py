"""What a result backend keeps of a failed task, as a Failure: as much as it tells, and nothing guessed."""

from datetime import datetime, timezone
from typing import Any

from ...model.failure import Failure
from ..tell import values
from ..tell.exceptions import message
from ..tell.stored import message_of, raised_in
from ..tell.traceback import read_traceback

PICKLED = object()  # stands for a value that was not read, because reading it may run any code
UNREADABLE = object()

NEVER_RAN = "it never ran: a task before it in its chain, or one of its chord, failed"
_RECORDER = "devkit's recorder in the worker keeps them"
_UNNAMED = f"the result holds no arguments: result_extended=True in the app's configuration keeps them, or {_RECORDER}"
_AS_TEXT = f"the result holds its arguments only as text for people, from which they cannot be had again; {_RECORDER}"
_BY_WORKER = f"the worker itself gave it up, and stores no arguments then, even with result_extended=True; {_RECORDER}"
_PICKLED = "its arguments are pickled, and reading them may run any code: --allow-pickle reads them"
_UNREADABLE = "its arguments are stored, and cannot be read"

CHANGED = "as the task left them: what it changed in place shows changed"
LISTS = "tuples became lists"
NOT_STORED = "what was to follow (link, chain, chord), headers, priority and expiry are not stored with a result"


def never_ran(meta: "dict[str, Any]") -> bool:
    """Whether it only shows the failure of another task: Celery stores that for all that was to come after that one."""
    if meta.get("worker") or meta.get("name"):
        return not meta.get("worker")
    # The body of a chord has no name even with result_extended; where it ran, Celery's tracer is in its traceback.
    text = _text(meta, "traceback")
    exception, _ = raised_in(meta, read_traceback(text))
    return exception == "celery.exceptions.ChordError" and "celery/app/trace.py" not in text.replace("\\", "/")


def failed_at(meta: "dict[str, Any]") -> float:
    """When, in seconds since the epoch; 0 where that is not stored."""
    done = meta.get("date_done")
    if isinstance(done, str):
        try:
            done = datetime.fromisoformat(done.replace("Z", "+00:00"))
        except ValueError:
            return 0.0
    if not isinstance(done, datetime):
        return 0.0
    # Before 5.4, Celery wrote UTC without saying so.
    return (done if done.tzinfo else done.replace(tzinfo=timezone.utc)).timestamp()  # noqa: UP017 - Python 3.10 has no UTC


def name_of(meta: "dict[str, Any]") -> str:
    """The task's full name; empty where it is not stored."""
    name = _text(meta, "name")
    if not name and not meta.get("worker") and isinstance(meta.get("result"), dict):
        raised = meta["result"]
        # A worker that does not know the task tells the name only so.
        if (raised.get("exc_module"), raised.get("exc_type")) == ("celery.exceptions", "NotRegistered"):
            return message_of(raised.get("exc_message"))
    return name


def failure_of(app: Any, backend: Any, meta: "dict[str, Any]") -> Failure:
    """Raises anything for what Celery did not write."""
    name = name_of(meta)
    told = read_traceback(_text(meta, "traceback"), type(app.tasks.get(name)).__module__)
    exception, said = raised_in(meta, told)
    stamped = [key for key in meta.get("stamped_headers") or () if key in meta]
    headers = {
        "id": meta["task_id"],
        "task": name,
        "retries": meta.get("retries") or 0,
        **{key: meta[key] for key in ("root_id", "parent_id") if meta.get(key)},
        **({"group": meta["group_id"]} if meta.get("group_id") else {}),
        **({"stamped_headers": stamped, "stamps": {key: meta[key] for key in stamped}} if stamped else {}),
    }
    known: dict[str, Any] = _arguments(app, backend, meta)
    return Failure(
        id=meta["task_id"],
        task=name,
        state="FAILURE",
        retries=headers["retries"],
        exception=exception,
        message=said,
        traceback=_text(meta, "traceback"),
        frames=told.frames,
        headers=headers,
        properties={},
        delivery_info={"routing_key": meta["queue"]} if meta.get("queue") else {},
        failed_at=failed_at(meta),
        started_at=None,
        worker=_text(meta, "worker"),
        revision="",
        source="result",
        **known,
    )


def _arguments(app: Any, backend: Any, meta: "dict[str, Any]") -> "dict[str, Any]":
    """The fields of a Failure that are about its arguments."""
    none: dict[str, Any] = {"call": "", "names": (), "content_type": "", "content_encoding": "", "body": None}
    args, kwargs = meta.get("args"), meta.get("kwargs")
    if never_ran(meta):
        return {**none, "missing": NEVER_RAN}
    if not isinstance(args, (list, tuple)) or not isinstance(kwargs, dict):
        return {**none, "missing": _why_missing(meta)}
    task = app.tasks.get(meta.get("name"))
    function = getattr(task, "run", None)
    shown: dict[str, Any] = {
        "call": values.call_text(function, args, kwargs),
        "names": tuple(values.positional(function, len(args))),
    }
    try:
        content_type, encoding, body = _encoded(app, backend, [list(args), kwargs, {}])
    except Exception as error:
        return {**none, **shown, "missing": f"its arguments cannot be written again: {message(error)}"}
    lists = () if backend.serializer == "pickle" else (LISTS,)
    return {
        **shown,
        "content_type": content_type,
        "content_encoding": encoding,
        "body": body,
        "limits": (CHANGED, *lists, NOT_STORED),
    }


def _encoded(app: Any, backend: Any, body: "list[Any]") -> "tuple[str, str, bytes]":
    """As a message's body: as the result was written where tasks may be too, so that nothing changes again."""
    from kombu import serialization as kombu

    accepted = kombu.prepare_accept_content(app.conf.accept_content)  # type: ignore[no-untyped-call]
    serializer = backend.serializer if backend.content_type in accepted else app.conf.task_serializer
    content_type, encoding, data = kombu.dumps(body, serializer=serializer)  # type: ignore[no-untyped-call]
    return content_type, encoding, data if isinstance(data, bytes) else data.encode("utf-8")


def _why_missing(meta: "dict[str, Any]") -> str:
    given = (meta.get("args"), meta.get("kwargs"))
    if PICKLED in given:
        return _PICKLED
    if UNREADABLE in given:
        return _UNREADABLE
    if any(isinstance(one, str) for one in given):
        return _AS_TEXT
    return _BY_WORKER if meta.get("worker") or name_of(meta) else _UNNAMED


def _text(meta: "dict[str, Any]", key: str) -> str:
    value = meta.get(key)
    return value if isinstance(value, str) else ""
