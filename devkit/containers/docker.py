"""Containers, a compose project's or any others, as docker tells of them."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABEL = "com.docker.compose."
# What asking may take; an engine that hangs is one that is not there.
PATIENCE_S = 10.0


@dataclass(frozen=True)
class PublishedPort:
    """A port of a container that is published on this machine."""

    inside: int
    host: str
    number: int


@dataclass(frozen=True)
class Container:
    """One container of a compose project.

    `project`, `service` and `number` are compose's; `folder` is the one that its compose file lies in, and
    `config_files` are these files. `environ` is what it was started with, the image's variables included. `mounts`
    are the folders of this machine in it: (here, there). `hostname` and `aliases` are its names for the others;
    `exposed` are the ports that it says to listen on, published or not; `needs` the services that it depends on.
    `state` is docker's word ("running", "exited"), `health` too ("healthy", "starting", "unhealthy", empty: no check).
    Times are RFC 3339 texts as docker gives them.
    """

    id: str
    name: str
    project: str
    service: str
    number: int
    folder: str
    config_files: tuple[str, ...]
    image: str
    hostname: str
    aliases: frozenset[str]
    environ: Mapping[str, str]
    mounts: tuple[tuple[str, str], ...]
    ports: tuple[PublishedPort, ...]
    state: str
    health: str
    pid: int
    restarts: int
    exit_code: int
    started_at: str
    health_log: tuple[Mapping[str, Any], ...]
    command: tuple[str, ...] = ()
    exposed: frozenset[int] = frozenset()
    needs: frozenset[str] = frozenset()

    @property
    def running(self) -> bool:
        return self.state == "running"

    def is_near(self, root: Path) -> bool:
        """Whether its compose file lies in the project's folder, or in one above or below it."""
        folder = Path(self.folder)
        return bool(self.folder) and (folder == root or root in folder.parents or folder in root.parents)

    @property
    def key(self) -> str:
        """Names this start of it, which a restart is not."""
        return f"{self.id} {self.started_at}"

    def here(self, path: str) -> str:
        """The path on this machine of one in the container; the same where nothing of ours is mounted."""
        fitting = [(there, here) for here, there in self.mounts if f"{path}/".startswith(f"{there.rstrip('/')}/")]
        if not fitting:
            return path
        there, here = max(fitting)
        return os.path.normpath(os.path.join(here, os.path.relpath(path, there)))  # noqa: PTH118 - text to text


class DockerError(Exception):
    """Docker cannot be asked; the message is docker's own."""


def find_docker(path: str | None = None) -> str | None:
    """The docker command, if there is one on PATH."""
    return shutil.which("docker", path=path)


def containers(docker: str, *filters: str, stopped: bool = False) -> list[Container]:
    """Those of compose projects, by name; `filters` as `docker ps` takes them. Raises DockerError."""
    argv = [docker, "ps", "-q", "--no-trunc", "--filter", f"label={LABEL}service"]
    argv += [part for one in filters for part in ("--filter", one)]
    ids = ask([*argv, *(["--all"] if stopped else [])]).split()
    return inspect(docker, ids)


def containers_of(docker: str, root: Path, *, stopped: bool = False) -> list[Container]:
    """Those of compose files in the project's folder, or in a folder above or below it. Raises DockerError."""
    return [one for one in containers(docker, stopped=stopped) if one.is_near(root)]


def running(docker: str) -> list[str]:
    """The ids of all that run, whoever started them. Raises DockerError."""
    return ask([docker, "ps", "-q", "--no-trunc"]).split()


def inspect(docker: str, ids: Sequence[str]) -> list[Container]:
    """The containers of these ids or names, whoever started them; those gone meanwhile are left out.

    Raises DockerError.
    """
    if not ids:
        return []
    found = json.loads(ask([docker, "inspect", "--type", "container", *ids], bear="No such container") or "[]")
    return sorted(map(_container, found), key=lambda one: (one.project, one.service, one.number, one.name))


def ask(argv: Sequence[str], bear: str = "", patience_s: float | None = PATIENCE_S) -> str:
    """What the command prints. Raises DockerError if it fails, other than with the words to `bear`."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
            start_new_session=True,  # Ctrl-C is for devkit, which may have to ask docker for more then
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DockerError(str(error)) from error
    if done.returncode != 0 and not (bear and bear in done.stderr):
        raise DockerError(done.stderr.strip() or f"{argv[0]} ended with exit code {done.returncode}")
    return done.stdout


def _container(data: Mapping[str, Any]) -> Container:
    config, state, network = data["Config"], data["State"], data["NetworkSettings"]
    labels = config.get("Labels") or {}
    health = state.get("Health") or {}
    joined = (network.get("Networks") or {}).values()
    return Container(
        id=data["Id"],
        name=data["Name"].lstrip("/"),
        project=labels.get(f"{LABEL}project", ""),
        service=labels.get(f"{LABEL}service", ""),
        number=int(labels.get(f"{LABEL}container-number") or 0),
        folder=labels.get(f"{LABEL}project.working_dir", ""),
        config_files=tuple(filter(None, labels.get(f"{LABEL}project.config_files", "").split(","))),
        image=data["Image"],
        hostname=config.get("Hostname") or "",
        aliases=frozenset(alias for one in joined for alias in one.get("Aliases") or ()),
        environ=dict(pair.partition("=")[::2] for pair in config.get("Env") or ()),
        mounts=tuple((one["Source"], one["Destination"]) for one in data.get("Mounts") or () if one["Type"] == "bind"),
        ports=tuple(_ports(network.get("Ports") or {})),
        state=state["Status"],
        health=health.get("Status", ""),
        pid=state["Pid"],
        restarts=data.get("RestartCount", 0),
        exit_code=state["ExitCode"],
        started_at=state["StartedAt"],
        health_log=tuple(health.get("Log") or ()),
        command=(data["Path"], *data["Args"]),
        exposed=frozenset(int(one.partition("/")[0]) for one in network.get("Ports") or {} if one.endswith("/tcp")),
        needs=frozenset(one.partition(":")[0] for one in labels.get(f"{LABEL}depends_on", "").split(",") if one),
    )


def _ports(published: Mapping[str, Any]) -> list[PublishedPort]:
    found = []
    for inside, places in published.items():
        number, _, protocol = inside.partition("/")
        if protocol == "tcp":
            found += [PublishedPort(int(number), place["HostIp"], int(place["HostPort"])) for place in places or ()]
    return found
