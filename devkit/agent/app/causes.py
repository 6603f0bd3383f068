"""Why the project's code fails while it is imported, as far as the exception tells: what is missing, or down."""

import os
import re
import socket
import sys
import traceback
from typing import Any

from ...model.own import is_own
from ...model.unreachable import address_in, says_unreachable
from ...model.wire import Trouble
from .lacking import lacking
from .reads import reads_around
from .unset import invalid_fields, is_validation, unset_variables

MOST_LINKED = 10
# What Celery, kombu and redis say where the package of a transport or of a result backend is missing, or too old.
_TRANSPORT = re.compile(
    r"No module named '?(?:redis|amqp|librabbitmq|boto3?|pymemcache|pymongo)\b"
    r"|'NoneType' object has no attribute '(?:Redis|StrictRedis|ConnectionPool|exceptions)'"
    r"|transport requires|need to install the .* librar|install the .* library to use"
)


def cause(error: BaseException) -> "tuple[str, Trouble]":
    """The kind of problem (`devkit.services.project.facts` has the words), and the details of it."""
    chain = _chain(error)
    error = _told_anew(chain)
    chain = chain[chain.index(error) :]
    frame = _failing(chain)
    details = _shown(error)
    if frame:
        details["file"], details["line"] = frame.filename, frame.lineno or 0
    details["python"] = sys.executable
    if _TRANSPORT.search(details["message"]) or any(_TRANSPORT.search(_text(one)) for one in chain):
        return "transport", details
    if names := unset_variables(chain, frame):
        return "variable", {**details, "variables": names, "reads": reads_around(frame, defaults=False)}
    if package := next(filter(None, map(lacking, chain)), None):
        return "package", {**details, **package}
    if not isinstance(error, (ImportError, SyntaxError)) and (place := _unreachable(chain)):
        return "service", {**details, "host": place[0], "port": place[1]}
    if not isinstance(error, (ImportError, SyntaxError, NameError)):
        details["reads"] = reads_around(frame, defaults=True)
    return "raises", details


def _chain(error: BaseException) -> "list[BaseException]":
    """The exception, and those that led to it."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found and len(found) < MOST_LINKED:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def _told_anew(chain: "list[BaseException]") -> BaseException:
    """The failed import itself, where a library that imports by a name tells it in words of its own: Celery, which says
    of a configuration that fails to import that there is none, Django REST framework."""
    first = chain[0]
    frames = traceback.extract_tb(first.__traceback__)
    if not isinstance(first, ImportError) or not frames or is_own(frames[-1].filename, os.getcwd()):
        return first
    causes = (one for one in reversed(chain) if isinstance(one, ImportError) and one is not first)
    return next((one for one in causes if _failing([one])), first)


def _failing(chain: "list[BaseException]") -> "traceback.FrameSummary | None":
    """The innermost frame of the project's own code."""
    for one in chain:
        for frame in reversed(traceback.extract_tb(one.__traceback__)):
            if is_own(frame.filename, os.getcwd()):
                return frame
    return None


def _shown(error: BaseException) -> Trouble:
    """The error's traceback, cut to the frames of the project's own code (all of it, where there is none)."""
    whole = traceback.TracebackException.from_exception(error)
    others = [frame for frame in whole.stack if os.path.dirname(os.path.dirname(__file__)) not in frame.filename]
    own = [frame for frame in others if is_own(frame.filename, os.getcwd())]
    # A syntax error names its file itself; what led there is the import system.
    whole.stack = traceback.StackSummary.from_list(own or ([] if isinstance(error, SyntaxError) else others))
    whole.__cause__ = whole.__context__ = None
    message = f"{type(error).__name__}: {_text(error)}"
    if is_validation(error):  # whose own words hold the values of all other fields, passwords included
        message = f"{type(error).__name__}: {invalid_fields(error)}"
        lines = ["Traceback (most recent call last):\n", *whole.stack.format(), f"{message}\n"]
        return {"traceback": "".join(lines), "message": message}
    return {"traceback": "".join(whole.format()), "message": message}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failed:
        return f"<its message cannot be had: {type(failed).__name__}>"


def _unreachable(chain: "list[BaseException]") -> "tuple[str, int] | None":
    """The address that could not be reached, its host empty where nothing tells it; None if that is not the cause."""
    network = any(isinstance(one, (ConnectionError, socket.gaierror, TimeoutError)) for one in chain)
    if not network and not any(says_unreachable(_text(one)) for one in chain):
        return None
    if found := next(filter(None, (address_in(_text(one)) for one in chain)), None):
        return found[0], found[1] or _connecting(chain)[1]
    return _connecting(chain)


def _connecting(chain: "list[BaseException]") -> "tuple[str, int]":
    """The address in the variables of the innermost function that connects to one."""
    for one in reversed(chain):
        frames = [frame for frame, _ in traceback.walk_tb(one.__traceback__)]
        for frame in reversed(frames):
            names: dict[str, Any] = {**frame.f_locals}
            host, port = names.get("host"), names.get("port")
            for pair in (names.get("address"), names.get("sa")):
                if type(pair) is tuple and len(pair) >= 2:
                    host, port = pair[:2]
            if type(host) is str and type(port) is int:
                return host, port
    return "", 0
