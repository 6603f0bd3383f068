"""Looks for paused tasks in containers and pods, in the background, as long as somebody waits for one."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from typing import Protocol

from devkit.containers.docker import Container, DockerError, containers_of, inspect, running
from devkit.containers.execs import Exec, InContainer, InPod
from devkit.containers.watch import ContainerWatch
from devkit.errors import DevkitError, UsageError, did_you_mean
from devkit.model.session import Session, Waiting
from devkit.settings.evidence.compose import has_compose_file

LIST_S = 1.0  # so often docker is asked which containers there are
AGAIN_S = 2.0  # after so long one that could not be looked into may have become another one
FIRST_LOOK_S = 5.0
# What is told of processes may be as old; a session that is younger may be of one that is not told of yet.
NEWS_S = 2.0
ID_LENGTH = 64
POLL_S = 0.05


class ContainerSource(Protocol):
    """Where to look; `name` is what to call that where nothing is found.

    `all_running` are the ids of all containers that ran when docker was asked last, None where it was not.
    """

    name: str
    all_running: set[str] | None

    def running(self) -> Mapping[str, Exec]:
        """Those that run now, by their ids. Raises DockerError."""


class OfProject:
    """The containers of the project's compose files, and those whose sessions lie in its folder.

    Docker is not asked where neither of the two speaks of any.
    """

    def __init__(self, docker: str, root: Path, kept: Callable[[], set[str]]) -> None:
        self.name = f"containers of compose files near {root}"
        self._docker = docker
        self._root = root
        self._kept = kept
        self._known: dict[str, Container] = {}
        self.all_running: set[str] | None = None

    def running(self) -> Mapping[str, Exec]:
        kept = self._kept()
        if not (kept or has_compose_file(self._root)):
            return {}
        ids = running(self._docker)
        new = [one for one in ids if one not in self._known]
        self._known = {one: self._known[one] for one in ids if one in self._known}
        self._known |= {one.id: one for one in inspect(self._docker, new)}
        self.all_running = set(ids)
        chosen = [one for one in self._known.values() if one.is_near(self._root) or one.id in kept]
        return {one.id: InContainer(one.id, one.name, self._docker) for one in chosen}


class Named:
    """Containers that somebody asked for."""

    def __init__(self, docker: str, containers: Sequence[Container]) -> None:
        self.name = ", ".join(one.name for one in containers)
        self.all_running: set[str] | None = None
        self._docker = docker
        self._containers = {one.id: one for one in containers}

    def running(self) -> Mapping[str, Exec]:
        ids = [one for one in running(self._docker) if one in self._containers]
        return {one: InContainer(one, self._containers[one].name, self._docker) for one in ids}


class Pod:
    """A pod that somebody asked for. Whether it runs is found out by looking into it."""

    def __init__(self, pod: str, namespace: str) -> None:
        self._pod = InPod(pod, namespace)
        self.name = f"pod {self._pod.name}"
        self.all_running: set[str] | None = None

    def running(self) -> Mapping[str, Exec]:
        return {self._pod.name: self._pod}


@dataclass
class _Look:
    """One place, what is told of it, and when it was last begun to look there."""

    exec_: Exec
    watch: ContainerWatch
    since: float


class Lookout:
    """Keeps looking at all places."""

    def __init__(
        self,
        source: ContainerSource,
        watch: Callable[[Exec, Callable[[], object]], ContainerWatch] = ContainerWatch,
        *,
        every_s: float = LIST_S,
        again_s: float = AGAIN_S,
    ) -> None:
        """`watch` makes what looks into one of them; they are listed each `every_s` seconds, one that could not be
        looked into is tried again after `again_s`."""
        self.source = source
        self._watch, self._every_s, self._again_s = watch, every_s, again_s
        self.problem = ""  # why docker could not be asked
        self._looks: dict[str, _Look] = {}
        self._listed = False
        self._closed = False
        self._news = Condition()
        Thread(target=self._run, name="lookout", daemon=True).start()

    def settle(self, patience_s: float = FIRST_LOOK_S) -> None:
        """Wait until each place has told something, or cannot."""
        with self._news:
            self._news.wait_for(self._is_settled, patience_s)

    def is_settled(self) -> bool:
        """Whether there is nothing to wait for."""
        with self._news:
            return self._is_settled()

    def sessions(self) -> list[tuple[Exec, Session]]:
        """Those of devkit's own workers."""
        return [
            (exec_, one) for exec_, watch in self._told() for one in (watch.inside.sessions if watch.inside else ())
        ]

    def plain(self) -> list[tuple[Exec, Waiting]]:
        """Celery's own rdbs that wait."""
        return [(exec_, one) for exec_, watch in self._told() for one in (watch.inside.plain if watch.inside else ())]

    def find(self, container: str) -> Exec | None:
        """The place whose id begins like this."""
        return next((exec_ for key, exec_ in self.everywhere().items() if key.startswith(container)), None)

    def everywhere(self) -> Mapping[str, Exec]:
        """The places that there are, by their ids."""
        with self._news:
            return {key: look.exec_ for key, look in self._looks.items()}

    def is_gone(self, session: Session) -> bool:
        """Whether the session's container, or the process in it, is known to have ended."""
        all_running = self.source.all_running
        if all_running is not None and len(session.container) == ID_LENGTH and session.container not in all_running:
            return True
        with self._news:
            look = self._looks.get(session.container)
        if look is None or look.watch.inside is None or time.time() - session.since < NEWS_S:
            return False
        started = look.watch.inside.alive.get(session.pid)
        return started is None or session.pid_started not in (started, None)

    def trouble(self) -> str:
        """Why nothing can be seen anywhere; empty where something can."""
        with self._news:
            if self.problem:
                return self.problem
            if not self._is_settled():
                return ""
            problems = [str(look.watch.problem) for look in self._looks.values() if look.watch.problem]
            if len(problems) < len(self._looks):
                return ""
            return "; ".join(problems) or f"{self.source.name} has stopped"

    def close(self) -> None:
        """Look no more."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        for _, watch in self._told():
            watch.close()

    def _told(self) -> list[tuple[Exec, ContainerWatch]]:
        with self._news:
            return [(look.exec_, look.watch) for look in self._looks.values()]

    def _is_settled(self) -> bool:
        return self._closed or (
            self._listed and all(look.watch.inside or look.watch.problem for look in self._looks.values())
        )

    def _run(self) -> None:
        while True:
            try:
                found = self.source.running()
                problem = ""
            except DockerError as error:
                found, problem = None, str(error)
            with self._news:
                if self._closed:
                    return
                self.problem = problem
                if found is not None:
                    self._update(found)
                self._listed = True
                self._news.notify_all()
                self._news.wait_for(lambda: self._closed, self._every_s)

    def _update(self, places: Mapping[str, Exec]) -> None:
        now = time.monotonic()
        for key in self._looks.keys() - places.keys():
            self._looks.pop(key).watch.close()
        for key, exec_ in places.items():
            look = self._looks.get(key)
            ended = look and look.watch.problem and not look.watch.lacks_python and now - look.since > self._again_s
            if look is None or ended:
                self._looks[key] = _Look(exec_, self._watch(exec_, self._tell), now)

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


def named(docker: str | None, name: str, root: Path) -> ContainerSource:
    """The containers of that name, id, or compose service, as `worker` or `worker-2`. Raises DevkitError."""
    if docker is None:
        raise DevkitError("there is no docker on PATH", mend=["install docker, or put it on PATH"])
    try:
        near = [one for one in containers_of(docker, root) if name in (one.service, f"{one.service}-{one.number}")]
        found = near or inspect(docker, [name])
        known = [] if found else [one.name for one in inspect(docker, running(docker))]
    except DockerError as error:
        raise DevkitError(f"docker does not answer: {error}", mend=["see what runs: docker ps"]) from None
    if not found:
        raise UsageError(
            f"there is no container '{name}'{did_you_mean(name, known)}",
            looked=[f"what runs: {', '.join(sorted(known)) or 'no container at all'}"],
            mend=["see what runs: docker ps"],
        )
    return Named(docker, found)


@dataclass(frozen=True)
class State:
    """What became of a place; `ended` says it in words, and is empty where it runs, or nobody knows."""

    name: str
    ended: str = ""


def state_of(exec_: Exec, patience_s: float = 0.0) -> State:
    """How it is, after so long at most if that is about to end."""
    if not isinstance(exec_, InContainer):
        return State(exec_.name)
    give_up = time.monotonic() + patience_s
    while True:
        try:
            found = inspect(exec_.docker, [exec_.container])
        except DockerError:
            return State(exec_.name)
        if not found:
            return State(exec_.name, f"the container {exec_.name} is gone")
        if not found[0].running:
            return State(found[0].name, f"the container {found[0].name} has stopped, exit code {found[0].exit_code}")
        if time.monotonic() > give_up:
            return State(found[0].name)
        time.sleep(POLL_S)
