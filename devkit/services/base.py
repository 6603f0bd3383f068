"""What every service needs to know of the project, and how one that is a Python program is started."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError, UsageError
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings
from devkit.settings.options import Options
from devkit.settings.paths import Paths
from devkit.stack.ports import Reservations, holder, is_free

USUAL_PORTS = {"redis": 6379, "api": 8000, "flower": 5555}
AGENT = Path(__file__).parents[1] / "agent"


@dataclass(frozen=True)
class Project:
    """What the services of one project have in common.

    `environ` is what every service gets from the start; `late` what is known only once the broker is: its address
    and the result backend's.
    """

    settings: Settings
    paths: Paths
    python: str
    celery: AppRef
    environ: Mapping[str, str]
    late: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """The import root and working directory of the project's processes."""
        return self.celery.folder

    def own_files(self, name: str) -> Path:
        """The folder under `.devkit/` where a service keeps its data; it is made here."""
        folder = self.paths.data / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def agent_argv(python: str, name: str, *, first: tuple[str, ...] = (), ahead: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The command that starts a service's Python program early.

    `first` are the modules that it needs to answer for the app, `ahead` what it imports while it waits.
    """
    return (python, str(AGENT), "launch", name, ",".join(first), ",".join(ahead))


def run_order(project: Project, module: str, argv: list[str], folder: Path | None = None) -> bytes:
    """The line that tells such a process to become `python -m MODULE ARGV`."""
    cwd = os.fspath(folder or project.folder)
    return (
        json.dumps({"run": True, "module": module, "argv": argv, "cwd": cwd, "env": dict(project.late)}).encode()
        + b"\n"
    )


@dataclass(frozen=True)
class Port:
    """A port, and what to say of it: that the usual one is taken."""

    number: int
    note: str = ""


class Ports:
    """Hands out the ports of one stack; they are its own until `close`."""

    def __init__(self, options: Options) -> None:
        self._reservations = Reservations()
        self.close = self._reservations.close
        self._asked = {"redis": options.redis_port, "api": options.api_port, "flower": options.flower_port}
        self._taken = {port for port in self._asked.values() if port is not None}

    def choose(self, name: str) -> Port:
        """The port for a service: the one asked for, or the first free one from its usual one on.

        Raises DevkitError when the one asked for is in use, naming who holds it.
        """
        asked, usual = self._asked[name], USUAL_PORTS[name]
        if asked is None:
            found = self._reservations.next_free(usual, self._taken)
            self._taken.add(found)
            return Port(found) if found == usual else Port(found, f" (port {usual} is taken)")
        if list(self._asked.values()).count(asked) > 1:
            raise UsageError(f"port {asked} is asked for twice", mend=[f"correct {name}_port, or leave it out"])
        if not is_free(asked):
            raise DevkitError(
                f"port {asked}, asked for by {name}_port, is taken by {holder(asked)}",
                mend=["stop that, or ask for another port", f"leave {name}_port out: devkit takes the next free one"],
            )
        return Port(asked)
