"""What `devkit debug` knows of a project: its paused tasks, its breakpoints, and the task that it sends itself."""

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devkit.errors import DevkitError, UsageError, did_you_mean
from devkit.model.breakpoint import Breakpoint
from devkit.model.place import here
from devkit.model.session import Session
from devkit.model.status import StackStatus
from devkit.model.text import is_named, ways_to_name
from devkit.services.debug.containers import GoneError, Only, ProjectContainers
from devkit.services.debug.paused import LOCAL, Paused, of_plain
from devkit.services.debug.sending import Sending
from devkit.settings.load import Settings
from devkit.settings.paths import Paths, make_data
from devkit.stack.control import ask
from devkit.store.breakpoints import Breakpoints, at_line, where_now
from devkit.store.breakpoints import check as check_condition
from devkit.store.sessions import PAUSED, Sessions, is_here

if TYPE_CHECKING:
    from devkit.containers.relay import Pipe

LIKE_AN_ID = re.compile(r"[0-9a-f][0-9a-f-]{3,}|pid-\d+")
FILE_AND_LINE = re.compile(r"(?P<file>.+):(?P<line>\d+)")


class Debugging:
    """One project's."""

    def __init__(self, settings: Settings, paths: Paths, only: Only | None = None) -> None:
        """`only` is the one place to look for paused tasks."""
        self._settings = settings
        self._paths = paths
        self.root = settings.root
        self.folder = paths.debug
        self.history = self.folder / "history"
        self.sessions_folder = paths.sessions
        self._sessions = Sessions(str(self.sessions_folder))
        self._breakpoints = Breakpoints(str(self.folder))
        self.containers = ProjectContainers(self.root, settings.environ.get("PATH"), only, self._sessions.all)

    def prepare(self) -> None:
        """Make the folder in which the history is kept. Raises DevkitError."""
        make_data(self._paths)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def paused(self) -> list[Paused]:
        """The tasks that wait in devkit's own workers, the longest paused first."""
        found = [] if self.containers.only else [self._kept(one) for one in self._sessions.all() if self._lives(one)]
        known = {one.session.token for one in found}
        found += [
            Paused(self._from(session), there=there)
            for there, session in self.containers.sessions()
            if session.token not in known
        ]
        return sorted((one for one in found if one.session.state == PAUSED), key=lambda one: one.session.since)

    def plain(self) -> list[Paused]:
        """Those that wait in Celery's own rdb: looking through all processes takes a moment."""
        from devkit.debug.discovery import waiting

        if self.containers.only:
            return []
        known = {session.pid for session in self._sessions.all() if is_here(session)}
        return [Paused(of_plain(one.pid, one.port), one.host) for one in waiting(self.root, known)]

    def plain_elsewhere(self) -> list[Paused]:
        """Those that do so in containers."""
        return [Paused(of_plain(one.pid, one.port), one.host, there) for there, one in self.containers.plain()]

    def at_address(self, host: str, port: int) -> Paused:
        """Whatever listens there; a session is known by its port. Raises DevkitError."""
        if self.containers.only:
            self.containers.look()
            self.containers.settle()
            known = [one for one in self.paused() if one.session.port == port]
            return known[0] if known else Paused(of_plain(0, port), host, self.containers.asked_for())
        for session in self._sessions.all():
            is_meant = host == session.host or (is_here(session) and host in (LOCAL, "localhost"))
            if session.port == port and is_meant:
                return Paused(session, host)
        return Paused(of_plain(0, port), host)

    def reach(self, paused: Paused) -> "Pipe | None":
        """The beginning of a connection into a container; None for what is connected to as any port is.

        Raises DevkitError.
        """
        return self.containers.reach(paused.there) if paused.there else None

    def stream(self, paused: Paused, pipe: "Pipe") -> socket.socket:
        """The connection, when it is there. Raises GoneError where nobody waits any more, DevkitError."""
        from devkit.containers.script import UnreachableError

        assert paused.there is not None
        try:
            return pipe.connect(paused.host, paused.session.port)
        except UnreachableError as problem:
            error = self.containers.unreachable(paused.there, paused.session.port, problem)
            if isinstance(error, GoneError):
                self._sessions.remove(paused.session.id)
            raise error from None

    def lost(self, paused: Paused) -> DevkitError:
        """The connection has ended, and nobody had ended it."""
        assert paused.there is not None
        return self.containers.lost(paused.there)

    def looked(self) -> list[str]:
        """Where paused tasks were looked for."""
        near = [
            f"the sessions in {self.sessions_folder}",
            f"Celery workers in {self.root} that listen as Celery's own rdb does",
        ]
        return [*([] if self.containers.only else near), *self.containers.looked()]

    def here(self, path: str) -> str:
        """The file on this machine of one in a container."""
        return here(path, str(self.root))

    def _lives(self, session: Session) -> bool:
        """Whether it is worth telling; what a container left behind is cleared away."""
        if self.containers.is_gone(session):
            self._sessions.remove(session.id)
            return False
        return True

    def _kept(self, session: Session) -> Paused:
        there = self.containers.place(session)
        return Paused(self._from(session), there=there) if there else Paused(session)

    def _from(self, session: Session) -> Session:
        return replace(session, file=self.here(session.file))

    def tasks(self) -> tuple[str, ...]:
        """The names of the running stack's tasks; empty without one."""
        answer = ask(self._paths.socket, ask="status")
        return StackStatus.from_wire(answer).tasks if answer else ()

    def check(self, word: str) -> None:
        """Raises UsageError for what is neither an id nor a task, or more than one task, as far as that is known."""
        tasks = self.tasks()
        if not tasks or LIKE_AN_ID.fullmatch(word) or word in tasks:
            return
        matches = [name for name in tasks if is_named(name, word)]
        if len(matches) > 1:
            raise UsageError(f"several tasks end in '{word}'", looked=matches, mend=["name one of them"])
        if not matches:
            raise UsageError(
                f"there is no task and no paused task's id '{word}'{did_you_mean(word, ways_to_name(tasks))}",
                looked=[f"the running stack's tasks: {', '.join(tasks)}", f"the sessions in {self.sessions_folder}"],
            )

    def breakpoints(self) -> list[tuple[Breakpoint, int | None]]:
        """Each with the line where it is now; None: its line is gone."""
        root = str(self.root)
        kept = [one for one in self._breakpoints.all() if not one.task_id]  # the others go by themselves
        return [(one, where_now(root, one) if one.kind == "line" else None) for one in kept]

    def set_breakpoint(self, place: str, condition: str, folder: Path) -> Breakpoint:
        """One at FILE:LINE, relative to the folder or the project's root, or in a task. Raises UsageError."""
        return self._breakpoints.add(self._breakpoint(place, condition, folder))

    def set_on_failure(self, task: str, *, retries: bool) -> Breakpoint:
        """One that pauses the task, or any, where it fails."""
        return self._breakpoints.add(Breakpoint(0, "failure", task=task, retries=retries))

    def set_for_editor(self, task: str, port: int) -> Breakpoint:
        """One at which the task waits for an editor that attaches there. Raises UsageError."""
        self.check(task)
        return self._breakpoints.add(Breakpoint(0, "ide", task=task, port=port))

    def clear(self, places: Sequence[str], task: str | None, folder: Path) -> int:
        """Remove those at these places and of this task, or else all; returns how many there were."""
        wanted = {self._breakpoint(place, "", folder).place for place in places}
        chosen = [
            one
            for one in self._breakpoints.all()
            if one.place in wanted or (task and one.task and is_named(one.task, task)) or not (places or task)
        ]
        return self._breakpoints.remove(one.number for one in chosen)

    def _breakpoint(self, place: str, condition: str, folder: Path) -> Breakpoint:
        try:
            if found := FILE_AND_LINE.fullmatch(place):
                file = folder / found["file"]
                name = str(file) if file.is_file() else found["file"]
                return at_line(str(self.root), name, int(found["line"]), condition)
            self.check(place)
            check_condition(condition)
            return Breakpoint(0, "task", task=place, condition=condition)
        except ValueError as error:
            raise UsageError(
                f"no breakpoint at {place}: {error}", mend=["--break FILE:LINE, or --break TASK for its first line"]
            ) from None

    def send(
        self, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], queue: str | None, *, pause: bool
    ) -> "Sending":
        """Send a task, in the background. With `pause` it stops at its first line, if it calls no debugger itself."""
        from uuid import uuid4

        from devkit.services.project.send import send

        task_id = str(uuid4())
        once = self._breakpoints.add(Breakpoint(0, "task", task=task, task_id=task_id)) if pause else None
        news = send(self._settings, self._paths, task, args, kwargs, queue=queue, wait=True, task_id=task_id)
        return Sending(news, lambda: self._breakpoints.remove([once.number] if once else []))
