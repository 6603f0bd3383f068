"""What devkit has to know of the project's Celery app, asked of the app itself."""

import importlib
import importlib.util
import os
import signal
import sys
import traceback
from difflib import get_close_matches
from typing import Any

from .routes import take_routes

CONNECT_TIMEOUT_S = 2.0


class Problem(Exception):  # noqa: N818 - devkit's side turns it into an error
    """The app cannot be used; `kind` and the details are for devkit's side to put into words."""

    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.report = {"problem": kind, **details}


def import_attribute(module: str, attribute: str) -> Any:
    """What MODULE:ATTRIBUTE names. Raises Problem."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module + ".").startswith(error.name + "."):
            raise Problem("no module", missing=error.name) from error
        raise Problem("raises", **_own_frames(error)) from error
    except BaseException as error:
        raise Problem("raises", **_own_frames(error)) from error
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        raise Problem("no attribute", names=get_close_matches(attribute, vars(found))) from error


def load_app(module: str, attribute: str) -> Any:
    """Import the Celery app and all its task modules. Raises Problem."""
    try:
        import celery
    except ImportError as error:
        raise Problem("no celery", python=sys.executable, message=str(error)) from error
    app = import_attribute(module, attribute)
    if not isinstance(app, celery.Celery):
        raise Problem("not celery", type=type(app).__name__)
    try:
        app.loader.import_default_modules()
        app.finalize()
    except BaseException as error:
        raise Problem("raises", **_own_frames(error)) from error
    take_routes(app)
    return app


def describe(module: str, attribute: str) -> dict[str, Any]:
    """The facts about the app, as JSON values. Raises Problem."""
    app = load_app(module, attribute)
    import celery

    backend = app.conf.result_backend
    broker = app.conf.broker_write_url or "amqp://guest:guest@localhost:5672//"
    return {
        "celery": celery.__version__,
        "broker": ";".join(broker) if isinstance(broker, (list, tuple)) else broker,
        "broker_error": broker_error(app),
        "result_backend": backend,
        "result_backend_error": result_backend_error(app),
        "beat": bool(app.conf.beat_schedule),
        "tasks": sorted(name for name in app.tasks if not name.startswith("celery.")),
        "flower": importlib.util.find_spec("flower") is not None,
        "uvicorn": importlib.util.find_spec("uvicorn") is not None,
    }


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


def _own_frames(error: BaseException) -> dict[str, Any]:
    """The error's traceback, cut to the frames of the project's own code (all of it, where there is none)."""
    here = os.getcwd() + os.sep
    whole = traceback.TracebackException.from_exception(error)
    others = [frame for frame in whole.stack if os.path.dirname(os.path.dirname(__file__)) not in frame.filename]
    own = [frame for frame in others if frame.filename.startswith(here) and "site-packages" not in frame.filename]
    # A syntax error names its file itself; what led there is the import system.
    whole.stack = traceback.StackSummary.from_list(own or ([] if isinstance(error, SyntaxError) else others))
    whole.__cause__ = whole.__context__ = None
    return {"traceback": "".join(whole.format()), "message": f"{type(error).__name__}: {error}"}
