"""Importing the project's app, and what may be wrong with that."""

import importlib
import importlib.util
import os
import sys
import traceback
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ...model.own import is_own
from ...model.wire import Trouble
from .routes import take_routes

if TYPE_CHECKING:
    from typing import Unpack


class Problem(Exception):  # noqa: N818 - devkit's side turns it into an error
    """The app cannot be used; `kind` and the details are for devkit's side to put into words."""

    def __init__(self, kind: str, **details: "Unpack[Trouble]") -> None:
        super().__init__(kind)
        self.report: Trouble = {**details, "problem": kind}


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


def _own_frames(error: BaseException) -> Trouble:
    """The error's traceback, cut to the frames of the project's own code (all of it, where there is none)."""
    whole = traceback.TracebackException.from_exception(error)
    others = [frame for frame in whole.stack if os.path.dirname(os.path.dirname(__file__)) not in frame.filename]
    own = [frame for frame in others if is_own(frame.filename, os.getcwd())]
    # A syntax error names its file itself; what led there is the import system.
    whole.stack = traceback.StackSummary.from_list(own or ([] if isinstance(error, SyntaxError) else others))
    whole.__cause__ = whole.__context__ = None
    return {"traceback": "".join(whole.format()), "message": f"{type(error).__name__}: {error}"}
