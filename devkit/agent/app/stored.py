"""What the result backend holds of one task: as it is stored, where it cannot be decoded."""

from inspect import signature
from typing import Any

from ..tell.values import short
from .asking import broker_error, result_backend_error

PENDING = "PENDING"
READY = ("SUCCESS", "FAILURE", "REVOKED", "REJECTED", "IGNORED")
Meta = dict[str, Any]


class Away(Exception):  # noqa: N818 - it says where the backend is
    """The result backend does not answer."""


def stored(app: Any, backend: Any, task_id: str) -> Meta:
    """The task's meta. Where that cannot be read it has no status but an `unread`, which says why. Raises Away.

    Celery's own way to read a failure makes the exception anew, from whatever is stored in its place.
    """
    from celery.backends.base import BaseKeyValueStoreBackend

    if not isinstance(backend, BaseKeyValueStoreBackend):
        try:
            # That of rpc:// has no cache to pass over.
            how = {"cache": False} if "cache" in signature(backend.get_task_meta).parameters else {}
            return dict(backend.get_task_meta(task_id, **how))
        except Exception as error:
            if away := result_backend_error(app) or broker_error(app):  # results of rpc:// come through the broker
                raise Away(away) from error
            return {"unread": _why(error), "result": None}
    try:
        value = backend.get(backend.get_key_for_task(task_id))
    except Exception as error:
        raise Away(_why(error)) from error
    try:
        meta = backend.decode(value) if value else {"status": PENDING}
        return {**meta, "status": str(meta["status"])}
    except Exception as error:
        return {"unread": _why(error), "result": short(value)}


def is_doubtful(meta: Meta) -> bool:
    """Whether it may be no end although it says so: `update_state(state="FAILURE")` writes whatever it is given, over
    which Celery cannot even write the true end, as it reads what is there before."""
    if "unread" in meta:
        return True
    error = meta.get("result")
    is_error = isinstance(error, BaseException) or (isinstance(error, dict) and "exc_type" in error)
    return meta["status"] == "FAILURE" and not is_error and not meta.get("traceback")


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
