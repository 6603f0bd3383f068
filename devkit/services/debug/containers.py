"""What `devkit debug` knows of containers and pods. Nothing of it costs anything where there are none."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devkit.errors import DevkitError
from devkit.model.session import Session, Waiting
from devkit.store.sessions import is_here

if TYPE_CHECKING:
    from devkit.containers.execs import Exec
    from devkit.containers.relay import Pipe
    from devkit.containers.script import UnreachableError
    from devkit.services.debug.lookout import ContainerSource, Lookout

SHORT_ID = 12  # as docker shows it
# How long a container whose program was killed may take to end.
ENDING_S = 0.5


class GoneError(DevkitError):
    """Nobody waits there any more."""


@dataclass(frozen=True)
class Only:
    """The one place to look: a container of this name, id or compose service, or a pod."""

    container: str = ""
    pod: str = ""
    namespace: str = ""


class ProjectContainers:
    """The containers of one project, or the one place that somebody asked for."""

    def __init__(self, root: Path, path: str | None, only: Only | None, kept: Callable[[], list[Session]]) -> None:
        """`path` is the PATH on which docker is looked for, `kept` are the sessions in the project's folder."""
        self._root = root
        self._path = path
        self.only = only
        self._kept = kept
        self._lookout: Lookout | None = None

    def look(self) -> None:
        """Look from now on, in the background. Raises DevkitError where what was asked for is not there."""
        if self._lookout is None and (source := self._source()):
            from devkit.services.debug.lookout import Lookout

            self._lookout = Lookout(source)

    def settle(self) -> None:
        """Wait until it is known what is paused. Raises DevkitError where that cannot be known."""
        if self._lookout:
            self._lookout.settle()
            self.check()

    @property
    def has_looked(self) -> bool:
        """Whether each place has told something, or cannot."""
        return self._lookout is None or self._lookout.is_settled()

    def check(self) -> None:
        """Raises DevkitError if nothing can be found in the one place to look."""
        if self.only and self._lookout and (trouble := self._lookout.trouble()):
            raise DevkitError(f"cannot look into {self._lookout.source.name}: {trouble}", mend=[self._mend])

    def stop(self) -> None:
        """Look no more."""
        if self._lookout:
            self._lookout.close()
            self._lookout = None

    def looked(self) -> list[str]:
        """Where."""
        if not self._lookout:
            return []
        name, problem = self._lookout.source.name, self._lookout.problem
        return [f"{name}: {problem}" if problem else name]

    def sessions(self) -> "list[tuple[Exec, Session]]":
        """Those that the containers tell of, whether they are known already or not."""
        return self._lookout.sessions() if self._lookout else []

    def plain(self) -> "list[tuple[Exec, Waiting]]":
        """Celery's own rdbs that wait there."""
        return self._lookout.plain() if self._lookout else []

    def is_gone(self, session: Session) -> bool:
        """Whether the session's process, or all of its container, is known to have ended."""
        return self._lookout is not None and not is_here(session) and self._lookout.is_gone(session)

    def place(self, session: Session) -> "Exec | None":
        """The container of a session from the project's folder; None: it is in none, or we are there ourselves."""
        if not session.container or is_here(session):
            return None
        from devkit.containers.execs import InContainer

        found = self._lookout.find(session.container) if self._lookout else None
        return found or InContainer(session.container, session.container[:SHORT_ID])

    def asked_for(self) -> "Exec | None":
        """The one place to look, or the first of several."""
        found = self._lookout.everywhere() if self.only and self._lookout else {}
        return next(iter(found.values()), None)

    def reach(self, exec_: "Exec") -> "Pipe":
        """The beginning of a connection. Raises DevkitError where there is nothing to begin with."""
        from devkit.containers.relay import Pipe
        from devkit.containers.script import UnreachableError
        from devkit.services.debug import ahead

        try:
            return ahead.take(exec_) or Pipe(exec_)
        except UnreachableError as error:
            raise DevkitError(f"cannot look into {exec_.name}: {error}", mend=[self._mend]) from None

    def unreachable(self, exec_: "Exec", port: int, error: "UnreachableError") -> DevkitError:
        """The error in words; GoneError where nobody listens any more."""
        from devkit.services.debug.lookout import state_of

        state = state_of(exec_)
        if error.refused or state.ended:
            return GoneError(state.ended or f"nobody listens on port {port} in {state.name}")
        return DevkitError(f"cannot connect to port {port} in {state.name}: {error}", mend=[self._mend])

    def lost(self, exec_: "Exec") -> DevkitError:
        """A connection has ended, and nobody had ended it."""
        from devkit.services.debug.lookout import state_of

        state = state_of(exec_, ENDING_S)
        why = state.ended or f"the process in {state.name} has ended, or does not answer"
        logs = f"kubectl logs {self.only.pod}" if self.only and self.only.pod else f"docker logs {state.name}"
        again = [] if state.ended else ["if the task is still paused: devkit debug attaches again"]
        return DevkitError(f"the connection was lost: {why}", mend=[f"see why: {logs}", *again])

    @property
    def _mend(self) -> str:
        return "see what runs: kubectl get pods" if self.only and self.only.pod else "see what runs: docker ps"

    def _source(self) -> "ContainerSource | None":
        from devkit.containers.docker import find_docker
        from devkit.services.debug.lookout import OfProject, Pod, named

        if self.only and self.only.pod:
            if not shutil.which("kubectl", path=self._path):
                raise DevkitError("there is no kubectl on PATH", mend=["install kubectl, or put it on PATH"])
            return Pod(self.only.pod, self.only.namespace)
        docker = find_docker(self._path)
        if self.only:
            return named(docker, self.only.container, self._root)
        return OfProject(docker, self._root, self._kept_containers) if docker else None

    def _kept_containers(self) -> set[str]:
        return {one.container for one in self._kept() if one.container and not is_here(one)}
