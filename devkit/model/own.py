"""What is the project's own code: what is neither installed, nor Python's, nor Celery's, nor devkit's.

A file's path tells that, as tracebacks and modules name it: the traceback may be of another machine. So what lies
beside the project's folder is its own, too: the package that a monorepo shares, or one that is installed to be edited.
Where the project's folder is known, links are followed, and environments are found by what is in them.
"""

import os
import re
import sys
from functools import lru_cache

CELERY = ("celery", "kombu", "billiard", "vine", "amqp")
# In a folder, either tells that it is an environment.
ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
_LIBRARY = re.compile(
    r".*[/\\](?:(?:site|dist)-packages|lib(?:64)?[/\\](?:python|pypy)\d[\d.]*t?|python\d+\.zip)[/\\]", re.DOTALL
)
# Commands that an installer wrote; how the worker comes to call a task, and devkit, wherever they lie.
_COMMAND = r"bin[/\\][^/\\.]+"
_CALLING = r"celery[/\\](?:app[/\\](?:trace|autoretry)|local)\.py|billiard[/\\]pool\.py|devkit[/\\]agent[/\\].*"
_FOREIGN = re.compile(rf"(?![/\\]|[A-Za-z]:[/\\])|.*[/\\](?:{_COMMAND}|{_CALLING})$", re.DOTALL)
# Where devkit lies, and this interpreter's standard library, which need not look like one.
_DEVKIT, _STDLIB = (os.path.join(os.path.dirname(file), "") for file in (os.path.dirname(__file__), os.__file__))
_NEVER = frozenset((*CELERY, *sys.stdlib_module_names))


def is_own(file: str, root: str = "", package: str = "") -> bool:
    """Whether a file is of the project's own code; `root` is the project's folder, if that is on this machine.

    `package` is the task's, with or without modules: that is own even if it is installed.
    """
    below = _below(file, root)[:-1]
    if _FOREIGN.match(below) or file.startswith(_DEVKIT):
        return False
    if package and is_library(file) and _top(within(file)) == _top(package) not in _NEVER:
        return True
    if below.startswith(_STDLIB):  # packages may lie in there
        return False
    return _is_own(os.path.dirname(file), root) if root and file.startswith(os.sep) else not is_library(file)


def is_library(file: str) -> bool:
    """Whether a file lies where packages are installed, or the standard library is."""
    return _LIBRARY.match(file) is not None


def is_environment(folder: str) -> bool:
    """Whether a folder is a virtual environment, or one of conda's."""
    return any(os.path.lexists(os.path.join(folder, name)) for name in ENVIRONMENT)


def within(file: str) -> str:
    """A library's file as it is there: `celery/app/trace.py`. Other files stay as they are."""
    return _LIBRARY.sub("", file)


@lru_cache(maxsize=10_000)  # of a module's folder, and of a failure's, it is asked again and again
def _is_own(folder: str, root: str) -> bool:
    try:
        real, home = os.path.realpath(folder), os.path.realpath(root)
    except ValueError:  # no system can have a file of such a name
        return False
    if is_library(_below(folder, root)) and not _holds(home, real):  # a link may lead from there into the project
        return False
    return not is_library(_below(real, home)) and not _is_in_environment(real, home)


def _is_in_environment(folder: str, home: str) -> bool:
    """Whether it belongs to one; that in which the project lies does not count."""
    while not _holds(folder, home):
        if is_environment(folder):
            return True
        folder = os.path.dirname(folder)
    return False


def _below(folder: str, root: str) -> str:
    """The path in the project's folder, if it leads there: where that itself lies tells nothing."""
    return os.path.join(folder[len(root.rstrip(os.sep)) :] if _holds(root, folder) else folder, "")


def _holds(folder: str, path: str) -> bool:
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def _top(name: str) -> str:
    """The first part of a module's name, or of a file's."""
    return re.split(r"[/\\.]", name, maxsplit=1)[0]
