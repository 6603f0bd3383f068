"""Which modules a zygote imports before it is known what the project's code looks like now.

Those of Celery and of the web server are known; the others are learned: what a generation had imported from outside
the project when it was ready is imported ahead the next time. Modules that cannot be imported, or that leave the
process unfit to fork (a thread, a socket, a module of the project), are left out from then on.
"""

import importlib
import json
import os
import site
import sys
import sysconfig
from contextlib import suppress
from typing import Any

from ...model import own

# Beside the file of what was learned: the module that is being imported.
TRYING = ".trying"


def is_own(module: Any) -> bool:
    """Whether a module is the project's own code."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and own.is_own(file, os.getcwd())


class Preload:
    """The learned modules of one service, kept in a file: {"modules": [...], "left_out": {module: why}}."""

    def __init__(self, path: str, never: "frozenset[str]") -> None:
        """`never` names packages that the user wants imported by the project alone. Without a `path` nothing is
        imported ahead or learned: some pools have to patch the standard library before."""
        self._path = path
        self._never = never
        self._kept: dict[str, Any] = {"modules": [], "left_out": {}}
        self.reload()

    def reload(self) -> None:
        """Read the file again: a generation may have learned something."""
        if not self._path:
            return
        with suppress(OSError, ValueError, KeyError, TypeError):
            with open(self._path) as file:
                kept = json.load(file)
            self._kept = {"modules": list(kept["modules"]), "left_out": dict(kept["left_out"])}
        with suppress(OSError):
            with open(self._path + TRYING) as file:
                name = file.read()
            os.unlink(self._path + TRYING)
            if name and name not in sys.modules:
                self.leave_out(name, "it ended the process")

    def missing(self) -> "list[str]":
        """The learned modules that are still to be imported, in the order in which the project did."""
        return [name for name in self._kept["modules"] if name not in sys.modules and self._wanted(name)]

    def load(self, name: str) -> str:
        """Import a learned module; why this process cannot fork any more because of it, or "" if it can."""
        before = _state()
        self._try(name)
        try:
            importlib.import_module(name)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self.leave_out(name, f"{type(error).__name__}: {error}")
        if name not in sys.modules and name not in self._kept["left_out"]:
            self.leave_out(name, "it does not stay imported")
        if why := _unfit(before, _state()):
            self.leave_out(name, why)
        return why

    def _try(self, name: str) -> None:
        """Leave a note for the next zygote: if this one does not survive, that is the module to leave out."""
        with suppress(OSError), open(self._path + TRYING, "w") as file:
            file.write(name)

    def done(self) -> None:
        """All is imported."""
        if self._path:
            with suppress(OSError):
                os.unlink(self._path + TRYING)

    def leave_out(self, name: str, why: str) -> None:
        """Do not import this module ahead, now or later."""
        self._kept["left_out"][name] = why[:200]
        self._write()

    def learn(self) -> None:
        """Remember what this process, in which the project runs, has imported from elsewhere."""
        if not self._path:
            return
        known = set(self._kept["modules"])
        new = [
            name
            for name, module in list(sys.modules.items())
            if name not in known
            and self._wanted(name)
            and getattr(module, "__spec__", None) is not None
            and not is_own(module)
        ]
        if new:
            self._kept["modules"] += new
            self._write()

    def _wanted(self, name: str) -> bool:
        parts = name.split(".")
        parents = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
        return not parents & self._never and not parents & self._kept["left_out"].keys() and parts[0] != "__main__"

    def _write(self) -> None:
        """All of it or nothing: another process may read it at any time. A full disk costs only speed."""
        new = f"{self._path}.{os.getpid()}"
        with suppress(OSError):
            with open(new, "w") as file:
                json.dump(self._kept, file, indent=1)
            os.replace(new, self._path)


def _state() -> "tuple[int, int, int]":
    """What tells whether a process can fork: its threads and sockets, and where its list of modules ends."""
    return threads(), _sockets(), len(sys.modules)


def _unfit(before: "tuple[int, int, int]", after: "tuple[int, int, int]") -> str:
    if after[0] > before[0]:
        return "it starts a thread"
    if after[1] > before[1]:
        return "it opens a socket"
    ours = [name for name, module in list(sys.modules.items())[before[2] :] if is_own(module)]
    return f"it imports {ours[0]}" if ours else ""


def installed_folders() -> "list[str]":
    """Where this interpreter's packages are installed."""
    paths = sysconfig.get_paths()
    folders = {paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()}
    return sorted(folder for folder in folders if os.path.isdir(folder))


def threads() -> int:
    """How many threads this process has; 1 where that cannot be seen."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def _sockets() -> int:
    found = 0
    with suppress(OSError):
        for fd in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return found
