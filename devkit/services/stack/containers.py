"""Servers of the project's compose file as services of the stack: a database, say, in a container of its own.

They are a compose project apart from the project's own one, with ports on 127.0.0.1 only; its volumes stay.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from devkit.containers.compose import find_compose
from devkit.containers.docker import LABEL, DockerError, ask, containers_of, find_docker
from devkit.errors import DevkitError
from devkit.model.address import rerouted
from devkit.model.wire import Server
from devkit.services.environment.kinds import kind_of
from devkit.services.environment.started import compose_path, row_name
from devkit.services.ports import Ports
from devkit.settings.evidence.compose import ComposeService, compose_services
from devkit.settings.evidence.compose_file import OVERRIDE, STANDARD
from devkit.settings.load import Settings
from devkit.settings.paths import Paths
from devkit.stack.ports import HOST
from devkit.stack.service import Poll, Service

# A service of the stack, and where the project's variables find it.
Started = tuple[Service, Server]

KEPT = ("volumes", "configs", "secrets")
# What joins a service to others that are not started, or gives it what may be there only once.
LEFT_OUT = (
    *("ports", "expose", "build", "depends_on", "networks", "network_mode", "links"),
    *("container_name", "profiles", "restart"),
)
STATE = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}"
STOP_S = 10
PROBE_S = 0.2
# Shows what the container prints; stops it when told to, or when standard input ends, as it does when devkit is killed.
SCRIPT = """\
exec 3<&0
"$0" start --attach "$1" & shown=$!
trap '"$0" stop -t "$2" "$1" > /dev/null' INT TERM
(cat <&3 > /dev/null; "$0" stop -t "$2" "$1" > /dev/null) & ends=$!
wait $shown; wait $shown; code=$?
kill $ends 2> /dev/null
exit $code
"""


def container_services(
    settings: Settings, chosen: Sequence[ComposeService], ports: Ports
) -> tuple[list[Started], list[str]]:
    """Make the containers, and the services that run them; and what is to be said of those that docker cannot make.

    Raises DevkitError where there is no docker to ask, or nothing that it can read.
    """
    if not chosen:
        return [], []
    docker = find_docker(settings.environ.get("PATH"))
    if docker is None:
        names = ", ".join(one.name for one in chosen)
        raise DevkitError(
            f"there is no docker here to start {names} with", mend=["install docker, or start it in another way"]
        )
    found = find_compose(docker, settings.environ)
    if found.old:
        raise DevkitError("docker-compose here is version 1, and --with needs version 2", mend=["install that"])
    compose = found.argv
    project = f"devkit-{settings.paths.runtime.name}"
    _refuse_second(docker, project, settings, [one.name for one in chosen])
    file = compose_path(settings.paths)
    document = _document(compose, project, settings, chosen, ports)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(document))
    made, notes = [], []
    for one in chosen:
        argv = [*compose, "-p", project, "-f", str(file), "up", "--no-start", "--remove-orphans", one.name]
        if why := _failure(argv, chosen[0].file.parent, settings.environ):
            notes.append(f"{one.name} is not started, as docker cannot make a container of {one.image}: {why}")
        else:
            made.append(_service(docker, project, one, document["services"][one.name], settings))
    return made, notes


def _failure(argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> str:
    """Run a command that may take long, and show what it says; if it fails, the last that it said."""
    last = ""
    with subprocess.Popen(
        argv, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for text in process.stderr:
            sys.stderr.write(text)
            last = text.strip() or last
    return (last or f"exit code {process.returncode}") if process.returncode else ""


def _refuse_second(docker: str, project: str, settings: Settings, names: Sequence[str]) -> None:
    """Raises DevkitError where one of them runs already: two servers on the same files would spoil these."""
    try:
        running = [one for one in containers_of(docker, settings.root) if one.running and one.project != project]
    except DockerError as error:
        raise DevkitError(f"docker does not answer: {error}", mend=["start its engine"]) from error
    for one in running:
        if one.service in names:
            raise DevkitError(
                f"{one.service} runs already, in the container {one.name} of the project's own compose stack",
                mend=[
                    f"stop that one: docker stop {one.name}",
                    f"or use it: give it a port in the compose file (ports:), and leave out --with {one.service}",
                ],
            )


def _document(
    compose: Sequence[str], project: str, settings: Settings, chosen: Sequence[ComposeService], ports: Ports
) -> dict[str, Any]:
    """The project's compose file, resolved, as far as it is about these."""
    folder = chosen[0].file.parent
    argv = [*compose, "-p", project, *_files(folder, chosen), "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(
        argv,
        cwd=folder,
        env={
            name: value for name, value in settings.environ.items() if name not in ("COMPOSE_FILE", "COMPOSE_PROFILES")
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        whole = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        whole = None
    if whole is None:
        raise DevkitError(
            f"docker compose cannot read {chosen[0].file}: {done.stderr.strip()}", mend=["docker compose config"]
        )
    services = {}
    for one in chosen:
        told = whole["services"][one.name]
        services[one.name] = {key: value for key, value in told.items() if key not in LEFT_OUT} | {
            "ports": [
                {"target": inside, "published": str(ports.near(outside)), "host_ip": HOST, "protocol": "tcp"}
                for inside, outside in ports_of(one, settings, told.get("expose", ())).items()
            ],
        }
    return {"name": project, "services": services, **{key: whole[key] for key in KEPT if key in whole}}


def _files(folder: Path, chosen: Sequence[ComposeService]) -> list[str]:
    """The -f options: none for the files that compose takes by itself."""
    files = list(dict.fromkeys(one.file for one in chosen))
    usual = [path for path in sorted(folder.iterdir()) if STANDARD.fullmatch(path.name)][:1]
    if usual and all(STANDARD.fullmatch(file.name) or OVERRIDE.fullmatch(file.name) for file in files):
        return []
    return [part for file in dict.fromkeys([*usual, *files]) for part in ("-f", str(file))]


def ports_of(service: ComposeService, settings: Settings, expose: Sequence[object] = ()) -> dict[int, int]:
    """The ports inside, the likeliest first, each with the one that it would best have here; `expose` is compose's."""
    kind = kind_of(service)
    outside = {inside: port for port, inside in service.ports}
    exposed = [int(port) for one in expose if (port := str(one).partition("/")[0]).isdigit()]
    found = [*_named(service, settings), *outside, *exposed, *([kind.port] if kind else [])]
    return {inside: outside.get(inside, inside) for inside in found}


def _named(service: ComposeService, settings: Settings) -> list[int]:
    """The ports at which the project's variables look for it."""
    found: list[int] = []

    def note(host: str, port: int) -> None:
        if host in service.names:
            found.append(port)

    given = (one.value for other in compose_services(settings.root) for one in other.environment)
    for value in (*given, *settings.environ.values()):
        rerouted(value, note)
    return list(dict.fromkeys(found))


def _service(docker: str, project: str, one: ComposeService, told: Mapping[str, Any], settings: Settings) -> Started:
    kind = kind_of(one)
    place = next((f"{HOST}:{port['published']}" for port in told["ports"]), "")
    container = f"{project}-{one.name}-1"
    file = os.path.relpath(one.file, settings.root)
    service = Service(
        name=row_name(one.name),
        argv=("/bin/sh", "-c", SCRIPT, docker, container, str(STOP_S)),
        cwd=settings.root,
        env=settings.environ,
        ready=_is_ready(docker, container, place),
        url=f"{kind.scheme if kind else 'tcp'}://{place}" if place else None,
        how=f"container of {one.image}, as in {file}; its data stays in volumes",
        stdin_open=True,
        grace_s=STOP_S + 2.0,
    )
    at = {str(port["target"]): f"{HOST}:{port['published']}" for port in told["ports"]}
    return service, Server(names=list(one.names or (one.name,)), ports=at, open=False)


def _is_ready(docker: str, container: str, place: str) -> Poll:
    """By its health check, else by its port, if it has one."""

    def check() -> bool:
        with suppress(DockerError):
            state = ask([docker, "inspect", "--format", STATE, container]).split()
            return state == ["running", "healthy"] or (state == ["running"] and (not place or _listens(place)))
        return False

    return Poll(check, f"the container {container} to be healthy")


def _listens(place: str) -> bool:
    """Whether a server is behind the port: docker itself accepts connections there at once, and hangs up."""
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), PROBE_S) as connection:
            return connection.recv(1) != b""
    except TimeoutError:
        return True  # it waits for the client to begin
    except OSError:
        return False


def stop_left(paths: Paths, environ: Mapping[str, str]) -> list[str]:
    """Stop what a crash has left running; returns the names of the containers. Docker is asked only where there may be
    some."""
    docker = find_docker(environ.get("PATH"))
    if docker is None or not compose_path(paths).exists():
        return []
    project = f"devkit-{paths.runtime.name}"
    with suppress(DockerError):
        found = ask([docker, "ps", "--filter", f"label={LABEL}project={project}", "--format", "{{.Names}}"]).split()
        if found:
            ask([docker, "stop", "-t", str(STOP_S), *found], patience_s=None)
        return found
    return []
