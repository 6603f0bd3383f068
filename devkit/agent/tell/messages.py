"""What a message of Celery's tells people: which task it is for, with what, when, and what comes after."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from .values import call_text, short


def signatures(found: Any) -> "Iterator[tuple[str, str]]":
    """The ids and names of all tasks in signatures, which may be groups, chains and chords."""
    for signature in found:
        if not isinstance(signature, Mapping):
            continue
        if task_id := (signature.get("options") or {}).get("task_id"):
            yield task_id, name_of(signature)
        if signature.get("subtask_type"):
            inner = signature.get("kwargs") or {}
            for part in ("tasks", "header", "body"):
                yield from signatures(_listed(inner.get(part)))


def ids(found: Any) -> "list[str]":
    """The ids alone."""
    return [task_id for task_id, _ in signatures(found)]


def _listed(value: Any) -> "list[Any]":
    return list(value) if isinstance(value, (list, tuple)) else [value]


def name_of(signature: Any) -> str:
    """A signature in a few words: a task's name, or what a group, chain or chord is made of."""
    if not isinstance(signature, Mapping):
        return short(signature)
    inner = signature.get("kwargs") or {}
    kind = signature.get("subtask_type")
    if kind in ("group", "chain") and isinstance(inner.get("tasks"), (list, tuple)):
        return f"{kind}({', '.join(map(name_of, inner['tasks']))})"
    if kind == "chord" and inner.get("body"):
        header = inner.get("header")
        if isinstance(header, Mapping) and header.get("subtask_type") == "group":
            header = (header.get("kwargs") or {}).get("tasks")
        return f"chord({', '.join(map(name_of, _listed(header)))} → {name_of(inner['body'])})"
    return str(signature.get("task"))


def call_of(app: Any, name: str, args: Any, kwargs: Any) -> str:
    """The arguments, by their names where the project has the task."""
    task = app.tasks.get(name)
    return call_text(task.run if task else None, args or (), kwargs or {})


def queue_of(app: Any, options: "dict[str, Any]") -> "str | None":
    """The queue, where it is another than usual."""
    queue = options.get("queue")
    name = getattr(queue, "name", queue) or options.get("routing_key")
    return None if name in (None, app.conf.task_default_queue) else str(name)


def seconds_until(eta: Any) -> "float | None":
    """How far off a moment in a message's header is."""
    try:
        moment = datetime.fromisoformat(str(eta).replace("Z", "+00:00"))
    except ValueError:
        return None
    now = datetime.now(timezone.utc if moment.tzinfo else None)  # noqa: UP017 - Python 3.10
    return round((moment - now).total_seconds(), 1)
