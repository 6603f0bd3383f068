"""The project's stack where that runs in containers, whoever started it."""

import re
from dataclasses import dataclass
from pathlib import Path

from devkit.containers.docker import Container, DockerError, containers_of, find_docker
from devkit.model.address import rerouted
from devkit.settings.evidence.compose import has_compose_file
from devkit.settings.load import Settings
from devkit.stack.control import ask

WORKER = re.compile(r"^(?!.*\s(?:flower|beat)\b).*(?:\b(?:celery|devkit)\b.*\sworker\b|celery-?worker)", re.DOTALL)


@dataclass(frozen=True)
class Containers:
    """Those of the project that run, the nearest to its folder first."""

    docker: str
    all: tuple[Container, ...]

    @property
    def worker(self) -> Container | None:
        """The one whose code is the project's: a worker's if there is one, else one that talks to the others."""
        return max((one for one in self.all if self._likeness(one)), key=self._likeness, default=None)

    def others(self, container: Container) -> dict[str, Container]:
        """Those that this one can talk to, by all the names that they have for it."""
        found: dict[str, Container] = {}
        for one in self.all:
            if one.project == container.project and one.service != container.service:
                for name in (one.service, one.name, one.hostname, *one.aliases):
                    found.setdefault(name, one)
        return found

    def _likeness(self, container: Container) -> int:
        if WORKER.search(" ".join(container.command)):
            return 3
        if re.search("worker|celery", container.service):
            return 2
        others, known = self.others(container), []
        for value in container.environ.values():
            rerouted(value, lambda host, _: known.append(host) if host in others else None)
        return bool(known)


def find_stack(settings: Settings) -> Containers | None:
    """The containers, if no stack of the project's runs on this machine itself.

    Docker is not asked where there is no compose file.
    """
    if ask(settings.paths.socket, ask="status") is not None or not has_compose_file(settings.root):
        return None
    docker = find_docker(settings.environ.get("PATH"))
    if docker is None:
        return None
    try:
        found = containers_of(docker, settings.root)
    except DockerError:
        return None
    running = [one for one in found if one.running]
    running.sort(key=lambda one: _distance(Path(one.folder), settings.root))
    return Containers(docker, tuple(running)) if running else None


def _distance(folder: Path, root: Path) -> int:
    """How many folders lie between the two, of which one is in the other: more than one stack may be near."""
    return abs(len(folder.parts) - len(root.parts))
