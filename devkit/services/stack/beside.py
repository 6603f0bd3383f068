"""The servers that `--with` starts beside the project's own services: containers, or where docker has none to give, a
Postgres of this machine."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace

from devkit.containers.compose import find_compose
from devkit.containers.docker import find_docker
from devkit.errors import DevkitError
from devkit.model.wire import Server
from devkit.services.environment.kinds import kind_of
from devkit.services.environment.started import chosen, note
from devkit.services.ports import Ports
from devkit.services.stack.containers import Started, container_services, ports_of
from devkit.services.stack.docker import working_docker
from devkit.services.stack.postgres import FOLDERS, INSTALL_LINES, Program, find_postgres, postgres_service
from devkit.settings.evidence.compose import ComposeService
from devkit.settings.load import Settings
from devkit.stack.ports import HOST
from devkit.stack.service import Service

# What the image runs when it starts for the first time; of that some is for its own shell.
SCRIPTS = "/docker-entrypoint-initdb.d"


def services_beside(settings: Settings, marks: Mapping[str, str], ports: Ports) -> tuple[list[Service], list[str]]:
    """Those that are asked for, and what is to be said of those that docker cannot make.

    `marks` are the variables by which the stack's processes are known.
    Raises DevkitError where neither docker nor this machine has one.
    """
    asked = chosen(settings)
    programs = _programs(settings) if any(map(_is_postgres, asked)) else []
    embedded: dict[str, str] = {}
    for one in filter(_is_postgres, asked):
        why = why_no_container(settings, one, may_pull=bool(programs))
        if why and not programs:
            raise _nothing_to_start(one, why)
        if why:
            embedded[one.name] = why
    made, notes = container_services(settings, [one for one in asked if one.name not in embedded], ports)
    made += [
        _embedded(one, embedded[one.name], programs, settings, marks, ports) for one in asked if one.name in embedded
    ]
    note(settings.paths, {service.name: server for service, server in made})
    return [service for service, _ in made], notes


def _is_postgres(service: ComposeService) -> bool:
    kind = kind_of(service)
    return kind is not None and kind.scheme == "postgresql"


def _programs(settings: Settings) -> list[Program]:
    """Those that this user can start: Postgres refuses to be root's."""
    return find_postgres(settings.environ.get("PATH", "")) if os.geteuid() else []


def why_no_container(settings: Settings, service: ComposeService, *, may_pull: bool) -> str:
    """Why docker cannot start it, in a few words; empty where it can. Its image is pulled where that `may_pull`, and
    else left to compose."""
    docker = find_docker(settings.environ.get("PATH"))
    if docker is None:
        return "not installed"
    if not working_docker(settings.environ):
        return "its engine does not answer"
    try:
        compose = find_compose(docker, settings.environ)
    except DevkitError:
        return "it has no compose"
    if compose.old:
        return "its compose is version 1"
    return _why_no_image(docker, service.image, settings.environ) if may_pull else ""


def _why_no_image(docker: str, image: str, environ: Mapping[str, str]) -> str:
    known = subprocess.run([docker, "image", "inspect", image], env=environ, capture_output=True, check=False)
    if known.returncode == 0:
        return ""
    done = subprocess.run(
        [docker, "pull", image], env=environ, stdin=subprocess.DEVNULL, stdout=2, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    return f"{image} cannot be had: {_last_line(done.stderr)}" if done.returncode else ""


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it does not say why"])[-1]


def _embedded(
    one: ComposeService,
    why: str,
    programs: Sequence[Program],
    settings: Settings,
    marks: Mapping[str, str],
    ports: Ports,
) -> Started:
    inside = ports_of(one, settings)
    port = ports.near(next(iter(inside.values())))
    service = postgres_service(
        one,
        programs,
        port,
        root=settings.root,
        data=settings.paths.data / "postgres",
        env={**settings.environ, **marks},
    )
    names = list(one.names or (one.name,))
    server = Server(names=names, ports={str(number): f"{HOST}:{port}" for number in inside}, open=False)
    scripts = any(inside.startswith(SCRIPTS) for _, inside in one.mounts)
    how = f"{service.how} (docker: {why})" + (f"; nothing of {SCRIPTS} is run" if scripts else "")
    return replace(service, how=how), server


def _nothing_to_start(one: ComposeService, why: str) -> DevkitError:
    docker = ["or install docker, with compose 2" if why == "not installed" else "or mend docker: docker info"]
    if not os.geteuid():
        return DevkitError(
            f"nothing here can start {one.name}: docker ({why}) cannot, and Postgres refuses to run as root",
            mend=["run devkit as another user than root, where Postgres is installed", *docker],
        )
    return DevkitError(
        f"nothing here can start {one.name}: docker ({why}) cannot, and there is no Postgres on this machine",
        looked=[f"postgres and initdb on PATH and in {', '.join(FOLDERS)}"],
        mend=[*[line for tool, line in INSTALL_LINES.items() if shutil.which(tool)][:1], *docker],
    )
