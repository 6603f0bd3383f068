"""Importing the project's app, and what may be wrong with that."""

import importlib
import os
import sys
from contextlib import suppress
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...model.wire import Trouble
from .causes import cause
from .django import take_settings
from .routes import take_routes

if TYPE_CHECKING:
    from typing import Unpack

# The modules with tasks that nothing imports for the app, and that devkit lets its processes import.
INCLUDE = "DEVKIT_INCLUDE"


class Problem(Exception):  # noqa: N818 - devkit's side turns it into an error
    """The app cannot be used; `kind` and the details are for devkit's side to put into words."""

    def __init__(self, kind: str, **details: "Unpack[Trouble]") -> None:
        super().__init__(kind)
        self.report: Trouble = {**details, "problem": kind}


def import_attribute(module: str, attribute: str) -> Any:
    """What MODULE:ATTRIBUTE names; the attribute may be dotted, or `make()`, which is called. Raises Problem."""
    found = _import(module)
    name, called, _ = attribute.partition("()")
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise Problem("no attribute", names=get_close_matches(part, dir(found))) from error
    if not called:
        return found
    try:
        return found()
    except BaseException as error:
        raise failed(error) from error


def load_app(module: str, attribute: str) -> Any:
    """Import the Celery app and all its task modules; no attribute: the one in the module. Raises Problem."""
    try:
        import celery
    except ImportError as error:
        raise Problem("no celery", python=sys.executable, message=str(error)) from error
    app = import_attribute(module, attribute) if attribute else _app_in(module, celery.Celery)
    if not isinstance(app, celery.Celery):
        raise Problem("not celery", type=type(app).__name__)
    _as_celery_finds_it(module, attribute, app)
    try:
        app.loader.import_default_modules()
        for name in filter(None, os.environ.get(INCLUDE, "").split(",")):
            importlib.import_module(name)
        app.finalize()
    except BaseException as error:
        raise failed(error) from error
    take_routes(app)
    return app


def _import(module: str) -> Any:
    take_settings(module)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module + ".").startswith(error.name + "."):
            raise Problem("no module", missing=error.name) from error
        raise failed(error) from error
    except BaseException as error:
        raise failed(error) from error


def _app_in(name: str, kind: type) -> Any:
    """The app that `celery -A NAME` finds: celery.app.utils.find_app, whose rule this is, tells less of what fails."""
    module = _import(name)
    for usual in ("app", "celery"):
        found = getattr(module, usual, None)
        if found is not None and not isinstance(found, ModuleType):
            return found
    if hasattr(module, "__path__") and importlib.util.find_spec(f"{name}.celery"):
        return _app_in(f"{name}.celery", kind)
    for found in list(vars(module).values()):
        with suppress(Exception):  # a proxy of another library's asks for what is not there
            if isinstance(found, kind):
                return found
    raise Problem("no app")


def _as_celery_finds_it(module: str, attribute: str, app: Any) -> None:
    """Celery's own command looks for the app once more, by what `-A` says; it knows neither dots nor calls."""
    if not attribute.isidentifier() and attribute:
        setattr(sys.modules[module], attribute, app)


def failed(error: BaseException) -> Problem:
    """The problem of an import that failed so."""
    kind, details = cause(error)
    return Problem(kind, **details)
