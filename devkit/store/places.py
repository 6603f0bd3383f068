"""Where the workers that run now keep their failures: so that a look at these need not import the project."""

from __future__ import annotations

import json
import os

from .files import make_private, replace
from .sessions import GONE, process_started


class Places:
    """The notes that workers leave in a folder, which only this user can read: a URL may hold a password."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def note(self, where: str) -> None:
        """This process keeps its failures there (`devkit.store.failures.open_store`). Raises OSError."""
        make_private(self._folder)
        pid = os.getpid()
        replace(self._path(pid), json.dumps({"where": where, "started": process_started(pid)}))

    def living(self) -> list[str]:
        """The places of processes that live, the newest note first; the others' are cleared away."""
        found: dict[str, float] = {}
        try:
            names = [name for name in os.listdir(self._folder) if name.startswith("worker-")]
        except OSError:
            return []
        for name in names:
            path = os.path.join(self._folder, name)
            try:
                with open(path, encoding="utf-8") as file:
                    data = json.load(file)
                where, noted = data["where"], os.stat(path).st_mtime
                now = process_started(int(name[len("worker-") : -len(".json")]))
                if now == GONE or (None not in (now, data["started"]) and now != data["started"]):
                    os.unlink(path)
                elif isinstance(where, str):
                    found[where] = max(noted, found.get(where, 0.0))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda where: -found[where])

    def _path(self, pid: int) -> str:
        return os.path.join(self._folder, f"worker-{pid}.json")
