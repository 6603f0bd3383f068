"""Where on this machine the servers of the project's compose files are."""

import socket
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from devkit.model.address import USUAL_PORTS
from devkit.model.embedded import address
from devkit.model.wire import Server
from devkit.services.environment.kinds import kind_of
from devkit.settings.evidence.compose import ComposeService
from devkit.stack.ports import HOST

BROKER, RESULT_BACKEND = "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"
# Schemes of brokers and result backends by the kind of server that they speak to.
_SPOKEN = {"redis": "redis", "rediss": "redis", "amqp": "amqp", "pyamqp": "amqp", "amqps": "amqp"}
# Where names of other containers are known, besides this machine's own.
_INSIDE = (Path("/.dockerenv"), Path("/run/.containerenv"))
LOOK_UP_S = 1.0
ANSWERS_S = 0.5


def stand_ins(services: Sequence[ComposeService], brokers: Mapping[str, str]) -> list[Server]:
    """What stands for the services of the broker's kind and of the result backend's: the servers at these addresses.

    `brokers` are the variables that the running stack gives to its services (`devkit.model.status.HANDED_OUT`).
    """
    found: dict[str, Server] = {}
    for url in (brokers.get(RESULT_BACKEND, ""), brokers.get(BROKER, "")):
        with suppress(ValueError):
            parts = urlsplit(url.partition(";")[0])
            scheme = _SPOKEN.get(parts.scheme, "")
            names = [name for one in services if _scheme(one) == scheme for name in one.names]
            if scheme and names and parts.hostname:
                usual = USUAL_PORTS[scheme]
                place = f"{parts.hostname}:{parts.port or usual}"
                found[scheme] = {"names": names, "ports": {str(usual): place}, "open": "@" not in parts.netloc}
    return list(found.values())


def brokers_among(services: Sequence[ComposeService]) -> list[str]:
    """The names of those that may be a broker or a result backend."""
    return [name for one in services if _scheme(one) in _SPOKEN.values() for name in one.names]


def published(services: Iterable[ComposeService]) -> list[Server]:
    """Those that the compose file publishes on this machine, answering or not."""
    return [
        {
            "names": list(one.names),
            "ports": {str(inside): f"{HOST}:{outside}" for outside, inside in _usual_first(one)},
            "open": False,
        }
        for one in services
        if one.ports
    ]


def answers(server: Server, besides: Collection[str] = ()) -> bool:
    """Whether something answers where it is; what answers at the addresses `besides` is something else."""
    for place in server["ports"].values():
        host, _, port = place.rpartition(":")
        if place not in besides:
            with suppress(OSError, UnicodeError), socket.create_connection((host, int(port)), ANSWERS_S):
                return True
    return False


@cache
def known_here(names: frozenset[str]) -> frozenset[str]:
    """The names of hosts that lead somewhere from here: by /etc/hosts, or where devkit itself is in a container."""
    found = {name for name in names if address(name)}
    if any(path.exists() for path in _INSIDE):
        threads = [threading.Thread(target=_look_up, args=(name, found), daemon=True) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LOOK_UP_S)
    return names & found


def _look_up(name: str, found: set[str]) -> None:
    with suppress(OSError, UnicodeError):
        socket.getaddrinfo(name, None)
        found.add(name)


def _scheme(service: ComposeService) -> str:
    kind = kind_of(service)
    return kind.scheme if kind else ""


def _usual_first(service: ComposeService) -> list[tuple[int, int]]:
    kind = kind_of(service)
    return sorted(service.ports, key=lambda pair: kind is not None and pair[1] != kind.port)
