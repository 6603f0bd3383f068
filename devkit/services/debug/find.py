"""The paused tasks of a project, wherever they wait."""

from dataclasses import replace

from devkit.model.place import here
from devkit.model.session import Session
from devkit.services.debug.containers import Only, ProjectContainers
from devkit.services.debug.paused import LOCAL, Paused, of_plain
from devkit.settings.load import Settings
from devkit.store.sessions import PAUSED, Sessions, is_here


class PausedTasks:
    """One project's. `containers` are its containers, or the one place to look."""

    def __init__(self, settings: Settings, only: Only | None = None) -> None:
        """`only` is that one place."""
        self._root = settings.root
        self._sessions = Sessions(str(settings.paths.sessions))
        self.containers = ProjectContainers(self._root, settings.environ.get("PATH"), only, self._sessions.all)

    def all(self) -> list[Paused]:
        """Whatever there is. Raises DevkitError where nothing can be seen in the one place to look."""
        self.containers.look()
        plain = self.plain()
        self.containers.settle()
        return self.ours() + plain + self.plain_in_containers()

    def ours(self) -> list[Paused]:
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
        return [Paused(of_plain(one.pid, one.port), one.host) for one in waiting(self._root, known)]

    def plain_in_containers(self) -> list[Paused]:
        """Those that do so in containers."""
        return [Paused(of_plain(one.pid, one.port), one.host, there) for there, one in self.containers.plain()]

    def at_address(self, host: str, port: int) -> Paused:
        """Whatever listens there; a session is known by its port. Raises DevkitError."""
        if self.containers.only:
            self.containers.look()
            self.containers.settle()
            known = [one for one in self.ours() if one.session.port == port]
            return known[0] if known else Paused(of_plain(0, port), host, self.containers.asked_for())
        for session in self._sessions.all():
            is_meant = host == session.host or (is_here(session) and host in (LOCAL, "localhost"))
            if session.port == port and is_meant:
                return Paused(session, host)
        return Paused(of_plain(0, port), host)

    def forget(self, paused: Paused) -> None:
        """Nobody waits there any more."""
        self._sessions.remove(paused.session.id)

    def looked(self) -> list[str]:
        """Where paused tasks were looked for."""
        near = [
            f"the sessions in {self._sessions.folder}",
            f"Celery workers in {self._root} that listen as Celery's own rdb does",
        ]
        return [*([] if self.containers.only else near), *self.containers.looked()]

    def here(self, path: str) -> str:
        """The file on this machine of one in a container."""
        return here(path, str(self._root))

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
