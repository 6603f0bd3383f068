"""What every service needs to know of the project, and how one that is a Python program is started."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devkit.errors import DevkitError, UsageError
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings
from devkit.settings.options import Options
from devkit.settings.paths import Paths
from devkit.stack.ports import Reservations, holder, is_free

USUAL_PORTS = {"redis": 6379, "rabbitmq": 5672, "api": 8000, "flower": 5555}
AGENT = Path(__file__).parents[1] / "agent"


@dataclass(frozen=True)
class Project:
    """What the services of one project have in common.

    `marks` are the variables by which this stack's processes are known; `late` is what is known only once the broker
    is: its address and the result backend's.
    """

    settings: Settings
    paths: Paths
    python: str
    celery: AppRef
    marks: Mapping[str, str]
    late: Mapping[str, str]

    @property
    def environ(self) -> Mapping[str, str]:
        """What every service gets from the start."""
        return {**self.settings.environ, **self.marks}

    @property
    def own_environ(self) -> Mapping[str, str]:
        """What devkit's own commands get, which read `.env` themselves, again and again."""
        return {**self.settings.inherited, **self.marks}

    @property
    def folder(self) -> Path:
        """The import root and working directory of the project's processes."""
        return self.celery.folder

    def own_files(self, name: str) -> Path:
        """The folder under `.devkit/` where a service keeps its data; it is made here."""
        folder = self.paths.data / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def agent_argv(python: str, name: str, ahead: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The command that starts a service's Python program early; `ahead` is what it imports while it waits."""
    return (python, str(AGENT), "launch", name, ",".join(ahead))


def zygote_argv(python: str, kind: str, learned: str, never: str = "", lends: str = "") -> tuple[str, ...]:
    """The command that starts a zygote for generations of this kind, "worker" or "api".

    `learned` is the file of the modules that it imports ahead; empty: none at all. `never` names packages that it
    must not import, with commas. `lends` is the socket at which it lends forks to `devkit replay`.
    """
    return (python, str(AGENT), "zygote", kind, learned, never, lends)


def devkit_argv(command: str, options: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `devkit COMMAND` in a process of its own.

    -P: the working directory, which is the project's, does not come before what devkit has to import.
    """
    return (sys.executable, "-P", "-m", "devkit", command, *options)


def run_order(project: Project, module: str, argv: list[str]) -> bytes:
    """The line that tells a process started early to become `python -m MODULE ARGV`."""
    return _line(
        {"run": True, "module": module, "argv": argv, "cwd": os.fspath(project.folder), "env": dict(project.late)}
    )


def app_order(project: Project, app: AppRef, **more: Any) -> bytes:
    """The line that tells a `devkit worker` or `devkit api` which app to run, and with which broker."""
    folder = os.fspath(app.folder)
    return _line({"run": True, "app": [folder, app.module, app.attribute], "env": dict(project.late), **more})


def _line(order: Mapping[str, Any]) -> bytes:
    return json.dumps(order).encode() + b"\n"


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
        self._asked = {
            "redis": options.redis_port,
            "rabbitmq": options.rabbitmq_port,
            "api": options.api_port,
            "flower": options.flower_port,
        }
        self._taken = {port for port in self._asked.values() if port is not None}

    def choose(self, name: str, asked: int | None = None) -> Port:
        """The port for a service: the one asked for, here or by a setting, or the first free one from its usual one on.

        Raises DevkitError when the one asked for is in use, naming who holds it.
        """
        if asked is not None:
            self._asked[name] = asked
            self._taken.add(asked)
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
