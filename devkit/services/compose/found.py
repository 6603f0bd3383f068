"""The stack in containers, as any command finds it: whoever started it from the project's compose file."""

import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from devkit.containers.complaints import explain
from devkit.containers.docker import LABEL, Container, DockerError, containers, find_docker, inspect
from devkit.containers.project import in_order, is_of, is_ready, moment, names_of, status_of, take_down, volumes_of
from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus, StackStatus, check_names
from devkit.services.alone import lock_of
from devkit.services.compose.plan import compose_file, keep_notes, kept_notes, project_name
from devkit.settings.load import Settings
from devkit.stack.ports import holder

POLL_S = 0.1


@dataclass(frozen=True)
class ComposedStack:
    """The containers of the project's compose file, in the usual order; `ready` is how long starts took.

    Those that run are a `devkit.services.running.RunningStack`.
    """

    docker: str
    settings: Settings
    containers: tuple[Container, ...]
    names: Mapping[str, str]
    ready: Mapping[str, float]

    @property
    def running(self) -> bool:
        return any(one.running or one.state == "restarting" for one in self.containers)

    @property
    def status(self) -> StackStatus:
        """Its pid is devkit's own, where that watches."""
        starts = [moment(one.started_at) for one in self.containers if one.running]
        holder = lock_of(self.settings.paths).holder()
        return StackStatus(
            project=str(self.settings.root),
            pid=holder.pid if holder else None,
            uptime_s=round(time.time() - min(starts), 1) if starts else None,
            services=tuple(map(self._row, self.containers)),
        )

    def _row(self, container: Container) -> ServiceStatus:
        ready_s = self.ready.get(container.key) if is_ready(container) else None
        return status_of(self.names[container.id], container, ready_s)

    def chosen(self, names: Collection[str]) -> list[Container]:
        """Those of these names, or of these services; all, if none is named. Raises UsageError."""
        known = [*dict.fromkeys([*self.names.values(), *(one.service for one in self.containers)])]
        check_names(names, known)
        return [one for one in self.containers if not names or {one.service, self.names[one.id]} & {*names}]

    def again(self) -> "ComposedStack":
        """The same containers, as they stand now. Raises DockerError."""
        found = inspect(self.docker, [one.id for one in self.containers])
        return replace(self, containers=tuple(in_order(found)))

    def restart(self, names: Sequence[str]) -> list[ServiceStatus]:
        """All at once."""
        chosen, timeout_s = self.chosen(names), self.settings.options.timeout
        argv = [[self.docker, "restart", one.id] for one in chosen]
        runs = [subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for each in argv]
        said = [run.communicate()[1].strip() for run in runs]
        if problem := next((words for run, words in zip(runs, said, strict=True) if run.returncode), ""):
            raise DevkitError(f"docker could not restart it: {problem}", mend=["see how it stands: devkit status"])
        ids = {one.id for one in chosen}
        deadline = time.monotonic() + timeout_s
        while True:
            now = [one for one in self.again().containers if one.id in ids]
            rows = [status_of(self.names[one.id], one) for one in now]
            failed = next((row for row in rows if row.state in ("failed", "stopped")), None)
            late = next((row for row in rows if row.state != "ready"), None)
            if failed is None and late is None:
                took = {one.key: row.ready_s for one, row in zip(now, rows, strict=True) if row.ready_s is not None}
                paths = self.settings.paths
                keep_notes(paths, kept_notes(paths)[0], {**self.ready, **took})
                return rows
            if failed or time.monotonic() > deadline:
                worst = failed or late
                assert worst
                what = worst.note if failed else f"did not become ready in {timeout_s:g} s"
                raise DevkitError(f"{worst.name}: {what}", mend=[f"read its output: devkit logs -n 50 {worst.name}"])
            time.sleep(POLL_S)


def find_composed(settings: Settings) -> ComposedStack | None:
    """The stack, if any of its containers is there, running or not. Docker is asked only where there is the file."""
    file, docker = compose_file(settings), find_docker(settings.environ.get("PATH"))
    if docker is None or not file.is_file():
        return None
    try:
        found = containers(docker, f"label={LABEL}oneoff=False", stopped=True)
    except DockerError:
        return None  # without an engine there are no containers
    own = [one for one in in_order(found) if is_of(one, file)]
    return ComposedStack(docker, settings, tuple(own), names_of(own), kept_notes(settings.paths)[1]) if own else None


def end_composed(settings: Settings) -> tuple[list[str], list[str]]:
    """Take down whatever there is of it, down to the network; returns what ended, and the volumes that are left.

    Raises DevkitError.
    """
    file, docker = compose_file(settings), find_docker(settings.environ.get("PATH"))
    if docker is None or not file.is_file():
        return [], []
    try:
        projects = {one.project for one in containers(docker, stopped=True) if is_of(one, file)}
    except DockerError:
        return [], []
    try:
        # Also a start that was killed before it made a container has left a network, under the usual name.
        projects.add(project_name(file.read_text(errors="replace"), file.parent, settings.environ))
        ended = [name for project in sorted(projects) for name in take_down(docker, project, file.parent)]
        return ended, [volume for project in sorted(projects) for volume in volumes_of(docker, project)]
    except DockerError as error:
        raise explain(str(error), file.name, holder) from error
