"""What devkit has to know of the project's Celery app, asked of the app itself."""

import importlib
import importlib.util
import signal
from typing import Any

from ...model.wire import AppFacts
from ..ours import anothers
from .load import Problem, load_app

CONNECT_TIMEOUT_S = 2.0


def describe(module: str, attribute: str) -> AppFacts:
    """The facts about the app. Raises Problem."""
    app = load_app(module, attribute)
    import celery

    backend = app.conf.result_backend
    broker = app.conf.broker_write_url or "amqp://guest:guest@localhost:5672//"
    errors = broker_error(app), result_backend_error(app)
    return {
        "celery": celery.__version__,
        "broker": ";".join(broker) if isinstance(broker, (list, tuple)) else str(broker),
        "broker_error": errors[0],
        "result_backend": str(backend) if backend else None,
        "result_backend_error": errors[1],
        "anothers": anothers(app) if None in errors else {},
        "beat": bool(app.conf.beat_schedule),
        "tasks": sorted(name for name in app.tasks if not name.startswith("celery.")),
        "flower": importlib.util.find_spec("flower") is not None,
        "uvicorn": importlib.util.find_spec("uvicorn") is not None,
    }


def refuse_anothers(app: Any) -> None:
    """Raises Problem where the app would use what devkit embedded for another project."""
    if found := anothers(app):
        raise Problem("another's", anothers=found)


def broker_error(app: Any) -> str | None:
    """Why the broker does not answer; None when it does."""
    return _in_time(lambda: _connect(app))


def result_backend_error(app: Any) -> str | None:
    """Why the result backend does not answer; None when it does, or when there is none."""
    return _in_time(lambda: _ping(app)) if app.conf.result_backend else None


def _connect(app: Any) -> None:
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=0, timeout=CONNECT_TIMEOUT_S)


def _ping(app: Any) -> None:
    client = getattr(app.backend, "client", None)
    if client is not None and hasattr(client, "ping"):
        client.ping()


def _in_time(check: Any) -> str | None:
    """None when the check passes within the time, else why it did not: looking up a name can take very long."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"no answer in {CONNECT_TIMEOUT_S:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, CONNECT_TIMEOUT_S)
    try:
        check()
        return None
    except Exception as error:
        return str(error) or type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
