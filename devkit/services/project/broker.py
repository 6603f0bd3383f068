"""Which broker and result backend a stack uses: the app's own where they answer, else an embedded Redis.

A RabbitMQ that is asked for, that would be on this machine and does not answer, is embedded, too.
"""

import json
import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from devkit.errors import DevkitError
from devkit.model.embedded import AMQP, address
from devkit.services.ports import USUAL_PORTS, Port
from devkit.settings.load import Settings
from devkit.stack.ports import HOST, is_free

LOOPBACK = ("localhost", HOST, "::1")
BROKER = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
RESULT_BACKEND = "CELERY_RESULT_BACKEND"
# Where in a URL of theirs the number of a database is.
NUMBERED = ("redis", "rediss", "sentinel")


class ChoosePort(Protocol):
    """The port of a service by its name: the one `asked` for, or the one of one's `wish` if that is free."""

    def __call__(self, name: str, asked: int | None = None, wish: int | None = None) -> Port: ...


@dataclass(frozen=True)
class Choice:
    """`broker` and `result_backend` are the URLs that services get; None leaves the app its own.

    `embedded_port` is that of the Redis which has to be started, if one has to; `why` is why it takes the place of
    the app's own broker. `rabbitmq_port` is that of the RabbitMQ which has to be started as the `broker`.
    """

    broker: str | None
    result_backend: str | None
    embedded_port: Port | None = None
    why: str = ""
    rabbitmq_port: Port | None = None

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


def choose(facts: Mapping[str, Any], asked: Choice, port: ChoosePort) -> Choice:
    """Decide from the app's facts (`devkit.agent.app.describe`), which tell what answered, and whose it is.

    `port` is called only if a port is needed. Raises DevkitError when a URL that was asked for does not answer.
    """
    asked, rabbitmq_port = _with_rabbitmq(facts, asked, port)
    for name, url, error in (
        ("broker", asked.broker, None if rabbitmq_port else facts["broker_error"]),
        ("result backend", asked.result_backend, facts["result_backend_error"]),
    ):
        if url and error:
            raise DevkitError(
                f"the {name} {masked(url)} does not answer: {error}",
                mend=["start it, or correct the URL", "leave it out: devkit starts a Redis of its own"],
            )
    no_broker = no_backend = ""
    if not asked.broker:
        no_broker = facts["broker_error"] or _anothers(facts, "broker")
    if not asked.result_backend:
        if facts["result_backend"]:
            no_backend = facts["result_backend_error"] or _anothers(facts, "result backend")
        elif no_broker:
            no_backend = "the app has none"  # with one, `devkit run` and others can show results
    if not (no_broker or no_backend):
        return Choice(asked.broker, asked.result_backend, rabbitmq_port=rabbitmq_port)
    replaced = [facts["broker"]] * bool(no_broker) + [facts["result_backend"]] * bool(no_backend)
    embedded_port = port("redis", wish=next(filter(None, map(_port_here, replaced)), None))
    number = embedded_port.number
    return Choice(
        broker=_embedded(facts["broker"], number, 0) if no_broker else asked.broker,
        result_backend=_embedded(facts["result_backend"], number, 1) if no_backend else asked.result_backend,
        embedded_port=embedded_port,
        why=no_broker and f"{masked(facts['broker'])}: {no_broker}",
        rabbitmq_port=rabbitmq_port,
    )


def _anothers(facts: Mapping[str, Any], what: str) -> str:
    """Why what answers is not meant: it is the one that devkit embedded for another project on this machine."""
    url, owner = facts["anothers"].get(what, ("", ""))
    return f"the embedded {program_name(url)} of {owner}" if owner else ""


def _port_here(url: str | None) -> int | None:
    """The port at which an embedded Redis would have this address, as the app's other processes know it."""
    with suppress(ValueError):
        parts = urlsplit((url or "").partition(";")[0])
        if parts.scheme == "redis" and address(parts.hostname or "") == HOST:
            return parts.port or USUAL_PORTS["redis"]
    return None


def _embedded(own: str | None, port: int, database: int) -> str:
    """The app's own URL where the embedded Redis has that address; else as much of it as holds there, too: not its
    password, for the embedded Redis has none. `database` is the number where there is none in it."""
    own, query = (own or "").partition(";")[0], ""
    with suppress(ValueError):
        parts = urlsplit(own)
        if _port_here(own) == port and "@" not in parts.netloc:
            return own
        if parts.scheme in NUMBERED and (number := parts.path.strip("/") or "0").isdigit():
            database = int(number)
        if parts.scheme == "redis" and parts.query:  # other schemes' are about certificates and the like
            query = f"?{parts.query}"
    return f"redis://{HOST}:{port}/{database}{query}"


def _with_rabbitmq(facts: Mapping[str, Any], asked: Choice, port: ChoosePort) -> tuple[Choice, Port | None]:
    """What is asked for, with the address of the RabbitMQ that has to be started for it, if one has to."""
    url = asked.broker or ""
    parts = _rabbitmq(url)
    if parts is None:
        return asked, None
    absent = facts["broker_error"] or _anothers(facts, "broker")
    if not absent or not is_local(url) or (parts.port and not is_free(parts.port)):
        return asked, None
    chosen = port("rabbitmq", parts.port)
    return replace(asked, broker=_here(parts, chosen.number)), chosen


def _rabbitmq(url: str) -> SplitResult | None:
    """The parts of the URL of one RabbitMQ, spoken to without encryption."""
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port  # which is no number in a URL that is none
        return parts if parts.scheme in AMQP and ";" not in url else None
    return None


def _here(parts: SplitResult, port: int) -> str:
    """The URL with its user and virtual host, but at this port of this machine."""
    user = parts.netloc.rpartition("@")[0] or "guest:guest"
    return parts._replace(netloc=f"{user}@{HOST}:{port}", path=parts.path or "//").geturl()


def program_name(url: str) -> str:
    """What answers at the URL of something embedded."""
    return "RabbitMQ" if urlsplit(url).scheme in AMQP else "Redis"


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
