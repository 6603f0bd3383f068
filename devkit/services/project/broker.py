"""The broker and the result backend as they are asked for, and as a project's processes are told of them."""

import json
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from devkit.model.embedded import AMQP, REDIS
from devkit.services.ports import Port
from devkit.settings.load import Settings
from devkit.stack.ports import HOST

LOOPBACK = ("localhost", HOST, "::1")
BROKER = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
RESULT_BACKEND = "CELERY_RESULT_BACKEND"


class Replaced(NamedTuple):
    """An address of the app's own that something embedded takes the place of, and why."""

    url: str
    why: str

    @property
    def is_redis(self) -> bool:
        return self.url.partition(":")[0] in REDIS


@dataclass(frozen=True)
class Choice:
    """`broker` and `result_backend` are the URLs that services get; None leaves the app its own.

    `embedded_port` is that of the Redis which has to be started, if one has to; `why` is why it takes the place of
    the app's own broker. `rabbitmq_port` is that of the RabbitMQ which has to be started as the `broker`. `replaced`
    is what is not used of the app's own, `no_redis` why a RabbitMQ stands in for that and no Redis.
    """

    broker: str | None
    result_backend: str | None
    embedded_port: Port | None = None
    why: str = ""
    rabbitmq_port: Port | None = None
    replaced: tuple[Replaced, ...] = ()
    no_redis: str = ""

    @property
    def strangers(self) -> str:
        """The addresses that the embedded Redis has taken the place of, where they are none of a Redis's."""
        urls = [one.url for one in self.replaced if not one.is_redis and not (self.no_redis and is_amqp(one.url))]
        return " and ".join(map(masked, urls))

    def environ(self) -> dict[str, str]:
        """The variables that Celery reads before the app's own configuration (celery.app.utils.Settings)."""
        found = {}
        if self.broker:
            found.update(dict.fromkeys(BROKER, self.broker))
        if self.result_backend:
            found[RESULT_BACKEND] = self.result_backend
        return found


def asked_for(settings: Settings, *, running: bool = False) -> Choice:
    """The URLs that are set; where a stack is running only those of flags, as it knows what became of the others."""
    options, sources = settings.options, settings.sources
    return Choice(
        broker=options.broker if not running or sources["broker"] == "flag" else None,
        result_backend=options.result_backend if not running or sources["result_backend"] == "flag" else None,
    )


def settled(given: Mapping[str, str], data: Path) -> dict[str, str]:
    """The variables given to a process of the project's, and what lets it tell an embedded server of another project
    from its own, whose data is in `data` (`devkit.agent.ours`)."""
    urls = [given[name] for name in (BROKER[0], RESULT_BACKEND) if name in given]
    return {**given, "DEVKIT_OURS": json.dumps({"data": os.fspath(data), "settled": urls})}


def program_name(url: str) -> str:
    """What answers at the URL of something embedded."""
    return "RabbitMQ" if is_amqp(url) else "Redis"


def is_amqp(url: str) -> bool:
    """Whether it is that of a RabbitMQ."""
    return url.partition(":")[0] in (*AMQP, "amqps")


def masked(url: str) -> str:
    """The URL with its password hidden; also one that is no URL."""
    return re.sub(r"(://[^:/@;]*:)[^;]*@", r"\1***@", url)


def is_local(url: str) -> bool:
    """Whether what is at this address is on this machine, as far as its name tells."""
    try:
        host = urlsplit(url).hostname or ""
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None)} if host else set()
    except (ValueError, OSError):
        return False
    import psutil

    own = {address.address for interface in psutil.net_if_addrs().values() for address in interface}
    return not addresses - own - set(LOOPBACK) or all(address.startswith("127.") for address in addresses)
