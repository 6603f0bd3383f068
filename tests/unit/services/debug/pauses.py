"""Paused tasks as a project knows them: sessions in its folder, and containers that tell what a test says."""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from devkit.containers.execs import Exec, InContainer
from devkit.model.container import container_id
from devkit.model.session import Session, Waiting
from devkit.services.debug.containers import ProjectContainers
from devkit.services.debug.find import PausedTasks
from devkit.services.debug.paused import Paused
from devkit.settings.load import Settings, load
from devkit.settings.paths import Paths

TOKEN = "secret"  # noqa: S105 - of nothing
ID = "4f1c22aa-0d3e-4b6c-9a63-0a4b4a4a5d5e"
CONTAINER = "1" * 64
THERE = InContainer(CONTAINER, "shop-worker-2")


def session(**fields: Any) -> Session:
    known: dict[str, Any] = {
        "id": ID, "task": "shop.tasks.divide", "task_id": ID, "args": "x=10, y=0", "file": "/shop/tasks.py", "line": 8,
        "function": "divide", "host": socket.gethostname(), "container": container_id(), "pid": os.getpid(),
        "pid_started": None, "main_pid": os.getpid(), "thread": "MainThread", "port": 6899, "token": TOKEN,
        "since": 1000.0, "state": "paused", "paused_s": 0.0, "why": "breakpoint",
    }  # fmt: skip
    task_id = fields.get("id", known["id"])
    return Session(**{**known, "task_id": task_id, **fields})


def in_container(**fields: Any) -> Session:
    return session(host=CONTAINER[:12], container=CONTAINER, file="/app/tasks.py", **fields)


def paused(**fields: Any) -> Paused:
    return Paused(session(**fields))


def settings_in(folder: Path) -> Settings:
    return replace(load(folder, {}, {"PATH": ""}), paths=paths_in(folder))


def paths_in(folder: Path) -> Paths:
    return Paths(folder / ".devkit", folder / "run")


class ToldContainers(ProjectContainers):
    """Containers that tell what a test says, when it says so."""

    settled = True

    def __init__(self, root: Path, *told: Session, plain: Sequence[Waiting] = (), gone: str = "") -> None:
        super().__init__(root, None, None, list)
        self.told, self.waiting, self.gone = list(told), list(plain), gone
        self.on_settle: Callable[[], object] = lambda: None
        self.on_check: Callable[[], object] = lambda: None

    def look(self) -> None:
        """There is nothing to be asked."""

    def settle(self) -> None:
        self.on_settle()

    def check(self) -> None:
        self.on_check()

    @property
    def has_looked(self) -> bool:
        return self.settled

    def sessions(self) -> list[tuple[Exec, Session]]:
        return [(THERE, one) for one in self.told]

    def plain(self) -> list[tuple[Exec, Waiting]]:
        return [(THERE, one) for one in self.waiting]

    def is_gone(self, session: Session) -> bool:
        return session.id == self.gone


class ToldTasks(PausedTasks):
    """Those of a project without docker, and the plain ones that a test tells of: the machine's own are others'."""

    def __init__(self, folder: Path) -> None:
        super().__init__(settings_in(folder))
        self.told_plain: list[Paused] = []
        self.looks = 0  # through all processes

    def plain(self) -> list[Paused]:
        self.looks += 1
        return list(self.told_plain)
