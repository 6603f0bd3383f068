"""A compose project's containers: which are of a file, how each stands, and how they all go."""

import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from devkit.containers.docker import LABEL, PATIENCE_S, Container, ask, containers
from devkit.model.status import ServiceStatus
from devkit.model.text import exit_in_words
from devkit.model.wire import State

ORDER = ("redis", "rabbitmq", "api", "worker", "flower", "beat")
SCHEMES: Mapping[int, str] = {6379: "redis", 5672: "amqp", 5671: "amqps", 5432: "postgresql", 3306: "mysql"}
ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - read, not bound
# What the signals make of an exit code that ask a process to end.
ASKED_TO = {130: "SIGINT", 143: "SIGTERM"}
KILLED = 137
# What a health check says of a container that runs.
RUNNING: Mapping[str, tuple[State, str]] = {"unhealthy": ("failed", "unhealthy"), "starting": ("starting", "")}
NEVER = "0001-01-01"
KEPT_CHECKS = 5


def is_of(container: Container, file: Path) -> bool:
    """Whether this compose file started it. Version 1 tells the file as it was typed."""
    found = {os.path.realpath(Path(container.folder, name)) for name in container.config_files}
    return os.path.realpath(file) in found


def in_order(found: Sequence[Container]) -> list[Container]:
    """As people expect them: what the others need comes first."""
    return sorted(found, key=lambda one: (_place(one.service), one.service, one.number))


def names_of(found: Sequence[Container]) -> dict[str, str]:
    """What people call each, by its id: its service, with a number where that has several."""
    counts = Counter((one.project, one.service) for one in found)
    return {
        one.id: one.service if counts[one.project, one.service] == 1 else f"{one.service}-{one.number}"
        for one in in_order(found)
    }


def _place(service: str) -> int:
    return ORDER.index(service) if service in ORDER else len(ORDER)


def status_of(name: str, container: Container, ready_s: float | None = None, note: str = "") -> ServiceStatus:
    """How a container stands, in the words of `devkit status`."""
    state, told = state_of(container)
    return ServiceStatus(
        name=name,
        state=state,
        pid=container.pid or None,
        url=url_of(container),
        ready_s=ready_s if ready_s is not None else ready_after(container),
        restarts=container.restarts,
        generation=container.restarts + 1,
        note=told or note,
        how=f"container {container.name}",
    )


def state_of(container: Container) -> tuple[State, str]:
    """Its state, and what to say of it."""
    if container.running:
        return RUNNING.get(container.health, ("ready", ""))
    ended = describe(container.exit_code)
    if container.state == "restarting":
        return "starting", f"{ended}; docker starts it again"
    if has_finished(container):
        return "stopped", "finished"
    if container.state == "exited":
        return ("stopped" if container.exit_code in ASKED_TO else "failed"), ended
    return ("starting", "not started yet") if container.state == "created" else ("stopped", container.state)


def is_ready(container: Container) -> bool:
    """Whether it runs and its health check, if it has one, passes."""
    return container.running and container.health in ("", "healthy")


def has_finished(container: Container) -> bool:
    """Whether it did what it had to, and ended."""
    return container.state == "exited" and container.exit_code == 0


def describe(exit_code: int) -> str:
    """An exit code in words, as a shell gives it."""
    if exit_code in ASKED_TO:
        return f"was ended by {ASKED_TO[exit_code]}"
    return exit_in_words(128 - exit_code if exit_code == KILLED else exit_code)


def url_of(container: Container) -> str | None:
    """Where it is reached from this machine: its first published port."""
    if not container.ports:
        return None
    port = min(container.ports, key=lambda one: (one.inside not in SCHEMES, one.inside, one.number))
    host = "127.0.0.1" if port.host in ANYWHERE else port.host
    return f"{SCHEMES.get(port.inside, 'http')}://{host}:{port.number}"


def ready_after(container: Container) -> float | None:
    """Seconds from its start to the first health check that passed, while docker still knows of that one."""
    started = moment(container.started_at)
    checks = sorted(container.health_log, key=lambda check: moment(check["Start"]))
    ours = [check for check in checks if moment(check["Start"]) >= started]
    passed = next((check for check in ours if check["ExitCode"] == 0), None)
    # Docker keeps five checks: before the first of a full list there were others.
    if not started or passed is None or (len(checks) >= KEPT_CHECKS and passed is checks[0]):
        return None
    return round(moment(passed["End"]) - started, 3)


def moment(text: str) -> float:
    """A time of docker's in seconds since the epoch; 0 for one that never was."""
    with suppress(ValueError):
        return 0.0 if text.startswith(NEVER) else datetime.fromisoformat(text).timestamp()
    return 0.0


def members(docker: str, project: str) -> list[Container]:
    """The containers of a project's services, whatever their state. Raises DockerError."""
    return containers(docker, f"label={LABEL}project={project}", f"label={LABEL}oneoff=False", stopped=True)


def printed(docker: str, container: str, last: int | None, *, stamped: bool = False) -> bytes:
    """What a container has printed, on either of its outputs; empty where docker cannot tell."""
    chosen = [*(["--timestamps"] if stamped else []), *(["--tail", str(last)] if last is not None else [])]
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(
            [docker, "logs", *chosen, container],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
            start_new_session=True,
        ).stdout
    return b""


def take_down(docker: str, project: str, folder: Path, *, kill: bool = False) -> list[str]:
    """End the containers that were started in this folder, those first that others do not need; returns their names.

    No container and no network is left of the project; volumes stay. `kill` waits for nobody. Raises DockerError.
    """
    found = containers(docker, f"label={LABEL}project={project}", stopped=True)
    own = [one for one in found if os.path.realpath(one.folder) == os.path.realpath(folder)]
    for wave in [] if kill else waves([one for one in own if one.state != "exited"]):
        ask([docker, "stop", *(one.id for one in wave)], bear="No such container", patience_s=None)
    if own:
        ask([docker, "rm", "--force", "--volumes", *(one.id for one in own)], bear="No such", patience_s=None)
    if len(own) == len(found):
        networks = ask([docker, "network", "ls", "-q", "--filter", f"label={LABEL}project={project}"]).split()
        if networks:
            ask([docker, "network", "rm", *networks], bear="not found", patience_s=None)
    return list(names_of(own).values())


def volumes_of(docker: str, project: str) -> list[str]:
    """The names of the project's volumes. Raises DockerError."""
    return ask([docker, "volume", "ls", "--format", "{{.Name}}", "--filter", f"label={LABEL}project={project}"]).split()


def waves(found: Sequence[Container]) -> list[list[Container]]:
    """In which order to stop them: each wave is needed by none of what is left.

    Those that need nothing come last, whoever needs them: a broker may be needed without compose knowing of it, and
    version 1 tells of no needs at all.
    """
    left, order = list(found), []
    while left:
        needed = set[str]().union(*(one.needs - {one.service} for one in left))
        wave = [one for one in left if one.needs and one.service not in needed] or left
        order.append(wave)
        left = [one for one in left if one not in wave]
    return order
