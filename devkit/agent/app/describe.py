"""What devkit has to know of the project's Celery app, asked of the app itself."""

import importlib
import importlib.util
import os
import sys
from typing import Any

from ...model.wire import AppFacts
from ..ours import anothers
from .asking import amqp_needs, broker_trouble, broker_url, redis_lacks, shared_backend_trouble, tls
from .eager import eager
from .load import Problem, load_app

SERVERS = ("uvicorn", "hypercorn", "granian", "daphne")
NEED_A_PACKAGE = ("gevent", "eventlet")


def describe(module: str, attribute: str) -> AppFacts:
    """The facts about the app. Raises Problem."""
    app = load_app(module, attribute)
    import celery

    from .queues import declared, routed  # not before the app is known to have a Celery

    backend = app.conf.result_backend
    (broker_error, broker_missing), (backend_error, backend_missing) = broker_trouble(app), shared_backend_trouble(app)
    return {
        "celery": celery.__version__,
        "python": sys.executable,
        "broker": broker_url(app),
        "broker_error": broker_error,
        "broker_missing": broker_missing,
        "result_backend": str(backend) if backend else None,
        "result_backend_error": backend_error,
        "result_backend_missing": backend_missing,
        "redis_lacks": redis_lacks(app) if broker_error or backend_error else None,
        "amqp_needs": amqp_needs(app) if broker_error else [],
        "tls": tls(app),
        "anothers": anothers(app) if None in (broker_error, backend_error) else {},
        "eager": eager(app),
        "beat": bool(app.conf.beat_schedule),
        "tasks": sorted(name for name in app.tasks if not name.startswith("celery.")),
        "flower": importlib.util.find_spec("flower") is not None,
        "servers": [name for name in SERVERS if importlib.util.find_spec(name)],
        "pools": pools(),
        "queues": declared(app),
        "routed": routed(app),
        "forces_root": forces_root(app),
    }


def forces_root(app: Any) -> bool:
    """Whether Celery refuses to run its worker as this user, who is root, because it accepts pickle."""
    return os.geteuid() == 0 and "pickle" in app.conf.accept_content and not os.environ.get("C_FORCE_ROOT")


def pools() -> "list[str]":
    """Those that a worker can run with, by their names for `-P`."""
    from celery.concurrency import ALIASES

    return [name for name in ALIASES if name not in NEED_A_PACKAGE or importlib.util.find_spec(name)]


def refuse_anothers(app: Any) -> None:
    """Raises Problem where the app would use what devkit embedded for another project."""
    if found := anothers(app):
        raise Problem("another's", anothers=found)
