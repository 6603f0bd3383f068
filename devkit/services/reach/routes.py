"""How this machine reaches what the containers of a stack reach by their names.

By the port that is published here; else through the worker's container, which can reach it.
"""

import atexit
import json
import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path

from devkit.containers.docker import Container, DockerError, ask
from devkit.containers.execs import InContainer
from devkit.containers.relay import Relay
from devkit.model.address import USUAL_PORTS, rerouted
from devkit.services.reach.members import Containers, find_stack
from devkit.settings.load import Settings

LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - what docker publishes at
# This machine, as containers call it.
HOSTS_NAMES = ("host.docker.internal", "gateway.docker.internal")
ANSWERS_S = 1.0
# What is about the container itself, by its name or how that begins: it would be wrong here.
NOT_HERE = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "HOSTNAME", "TMPDIR", "VIRTUAL_ENV")
NEVER_HERE = ("PYTHON", "DEVKIT_", "LD_", "XDG_")
DEVKIT = re.compile(r"\bdevkit\b")

_routes: dict[tuple[Path, Path], "Routes | None"] = {}  # of this process: one command, which asks more than once


class Routes:
    """Those of one stack; `worker` is the container whose surroundings count. They last until they are closed."""

    def __init__(self, stack: Containers, worker: Container) -> None:
        self.worker = worker
        self._stack = stack
        self._others = stack.others(worker)
        self._known: dict[tuple[str, int], str | None] = {}
        self._relays: list[Relay] = []
        self._open = ExitStack()
        self.close = self._open.close

    @property
    def problems(self) -> list[str]:
        """Why what goes through the worker's container did not get through, if it did not."""
        return [relay.problem for relay in self._relays if relay.problem]

    @property
    def ways_out(self) -> list[str]:
        """What to do where the project's code does not run on this machine."""
        ways = ["install here what the containers have: pip install -r requirements.txt, or as the project has it"]
        if DEVKIT.search(" ".join(self.worker.command)):
            ways.append(f"or do it there, where all is installed: docker exec -it {self.worker.name} devkit …")
        return ways

    def runs(self, container: str) -> bool:
        """Whether this container, an id or a host's name, is one of the stack's."""
        return any(one.id.startswith(container) or one.hostname == container for one in self._stack.all)

    def here(self, text: str) -> str:
        """The text of a setting of the worker's, its addresses and its paths as they are on this machine."""
        return self.worker.here(text) if text.startswith("/") else rerouted(text, self._route)

    def environ(self, own: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
        """A process's own variables, those of the worker's container in their place, and above all those asked for:
        so the project's code finds what it needs."""
        found = dict(own)
        for name, value in self.worker.environ.items():
            if name in NOT_HERE or name.startswith(NEVER_HERE):
                continue
            here = self.here(value)
            if self._images_own.get(name) != value or here != value:
                found[name] = here
        found = {name: rerouted(value, self._route) for name, value in {**found, **asked}.items()}
        return {**found, **self._pairs(found), "DEVKIT_ROUTES": json.dumps(self._table())}

    def _pairs(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Addresses in two variables: DB_HOST and DB_PORT."""
        found = {}
        for name in [name for name in environ if name.endswith("HOST")]:
            port = f"{name.removesuffix('HOST')}PORT"
            if environ.get(port, "").isdigit() and (place := self._route(environ[name], int(environ[port]))):
                found[name], _, found[port] = place.rpartition(":")
        return found

    def _table(self) -> dict[str, str]:
        """All brokers, result backends and the like, by each of their names: the app's code may have any."""
        found = {}
        for name, container in self._others.items():
            published = {port.inside for port in container.ports}
            for port in published | (container.exposed & set(USUAL_PORTS.values())):
                if place := self._route(name, port):
                    found[f"{name}:{port}"] = place
        return found

    def _route(self, host: str, port: int) -> str | None:
        """Where this machine finds what the worker calls so; None for what is none of the stack's."""
        if host in HOSTS_NAMES:
            return f"{LOOPBACK}:{port}"
        if (container := self._others.get(host)) is None:
            return None
        if (place := (container.id, port)) not in self._known:
            self._known[place] = _published(container, port) or self._relayed(host, port)
        return self._known[place]

    def _relayed(self, host: str, port: int) -> str:
        exec_ = InContainer(self.worker.id, self.worker.name, self._stack.docker)
        relay = self._open.enter_context(Relay(exec_, host, port))
        self._relays.append(relay)
        return f"{LOOPBACK}:{relay.port}"

    @cached_property
    def _images_own(self) -> dict[str, str]:
        """The variables that come with the image, as its own PATH."""
        with suppress(DockerError, ValueError):
            told = ask([self._stack.docker, "image", "inspect", "--format", "{{json .Config.Env}}", self.worker.image])
            return dict(pair.partition("=")[::2] for pair in json.loads(told) or ())
        return {}


def find_routes(settings: Settings) -> Routes | None:
    """Those of the containers in which the project's stack runs. They last as long as this process."""
    project = settings.root, settings.paths.socket
    if project not in _routes:
        stack = find_stack(settings)
        worker = stack.worker if stack else None
        _routes[project] = routes = Routes(stack, worker) if stack and worker else None
        if routes:
            atexit.register(routes.close)
    return _routes[project]


def _published(container: Container, port: int) -> str | None:
    """Its address on this machine, if it has one that answers: another machine's docker publishes there."""
    for one in container.ports:
        if one.inside == port:
            host = LOOPBACK if one.host in EVERYWHERE else one.host
            with suppress(OSError), socket.create_connection((host, one.number), ANSWERS_S):
                return f"{host}:{one.number}"
    return None
