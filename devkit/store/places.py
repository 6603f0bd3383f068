"""Where the workers that run now keep their failures: so that a look at these need not import the project."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote

from ..model.container import container_id
from .files import make_private, replace
from .sessions import GONE, process_started

# A container of which nobody can tell whether it runs: its notes go when they are as old as this.
OLD_S = 30 * 86400.0


class Elsewhere(NamedTuple):
    """What a worker in a container noted. Of its process nothing can be told from here."""

    container: str
    where: str


class Places:
    """The notes that workers leave in a folder, which only this user can read: a URL may hold a password.

    Workers in containers may share the folder: each note says who can see its process.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def note(self, where: str) -> None:
        """This process keeps its failures there (`devkit.store.failures.open_store`). Raises OSError."""
        make_private(self._folder)
        self.living()  # nobody else can clear away what this container's earlier workers have left
        pid, (host, container) = os.getpid(), _place()
        data = {"where": where, "started": process_started(pid), "pid": pid, "host": host, "container": container}
        name = f"worker-{quote(container or host, safe='')}-{pid}.json"
        replace(os.path.join(self._folder, name), json.dumps(data))

    def living(self) -> list[str]:
        """The places of processes that live here, the newest note first; the others' are cleared away."""
        found: dict[str, float] = {}
        for path, noted, data in self._notes():
            if (data["host"], data["container"]) == _place():
                if _lives(data["pid"], data["started"]):
                    found[data["where"]] = max(noted, found.get(data["where"], 0.0))
                else:
                    _remove(path)
            elif noted < time.time() - OLD_S:
                _remove(path)
        return sorted(found, key=lambda where: -found[where])

    def elsewhere(self) -> list[Elsewhere]:
        """What those noted that run in other containers, or did once; the newest first."""
        notes = sorted(self._notes(), key=lambda note: -note[1])
        found = [Elsewhere(data["container"], data["where"]) for _, _, data in notes]
        return [note for note in found if note.container not in ("", _place()[1])]

    def _notes(self) -> Iterator[tuple[str, float, dict[str, Any]]]:
        """Each with its path, and when it was made."""
        try:
            names = [name for name in os.listdir(self._folder) if name.startswith("worker-")]
        except OSError:
            return
        for name in names:
            path = os.path.join(self._folder, name)
            with suppress(OSError, ValueError, KeyError, TypeError):
                with open(path, encoding="utf-8") as file:
                    data = json.load(file)
                texts = (data["where"], data["host"], data["container"])
                if all(isinstance(text, str) for text in texts) and type(data["pid"]) is int and "started" in data:
                    yield path, os.stat(path).st_mtime, data


def _place() -> tuple[str, str]:
    """Whose processes this process can see."""
    return socket.gethostname(), container_id()


def _lives(pid: int, started: Any) -> bool:
    now = process_started(pid)
    return now != GONE and (None in (now, started) or now == started)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
