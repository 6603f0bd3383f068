"""Which broker and result backend a stack uses: the app's own where they answer, else an embedded Redis.

A RabbitMQ that is asked for, that would be on this machine and does not answer, is embedded, too.
"""

import os
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from devkit.errors import DevkitError
from devkit.services.ports import USUAL_PORTS, Port
from devkit.services.stack.redis import EMBEDDED_MARK
from devkit.settings.load import Settings
from devkit.stack.ports import HOST, is_free
from devkit.stack.probes import amqp_greeting

LOOPBACK = ("localhost", HOST, "::1")
RABBITMQ = ("amqp", "pyamqp")
# By this property of its greeting an embedded RabbitMQ names the folder of its data.
OWNER_PROPERTY = "devkit"
ChoosePort = Callable[[str, int | None], Port]


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
            names = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
            found.update(dict.fromkeys(names, self.broker))
        if self.result_backend:
            found["CELERY_RESULT_BACKEND"] = self.result_backend
        return found


def asked_for(settings: Settings, *, running: bool = False) -> Choice:
    """The URLs that are set; where a stack is running only those of flags, as it knows what became of the others."""
    options, sources = settings.options, settings.sources
    return Choice(
        broker=options.broker if not running or sources["broker"] == "flag" else None,
        result_backend=options.result_backend if not running or sources["result_backend"] == "flag" else None,
    )


def choose(facts: Mapping[str, Any], asked: Choice, data: Path, port: ChoosePort) -> Choice:
    """Decide from the app's facts (`devkit.agent.app.describe`), which tell what answered.

    `data` is the folder of what devkit embeds; `port` gives the port of a service by its name and, if it has to be
    this one, by its number: it is called only if it is needed. Raises DevkitError when a URL that was asked for does
    not answer.
    """
    asked, rabbitmq_port = _with_rabbitmq(facts, asked, data, port)
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
        no_broker = facts["broker_error"] or _belongs_to_another_stack(facts["broker"], data)
    if not asked.result_backend:
        if own := facts["result_backend"]:
            no_backend = facts["result_backend_error"] or _belongs_to_another_stack(own, data)
        elif no_broker:
            no_backend = "the app has none"  # with one, `devkit run` and others can show results
    if not (no_broker or no_backend):
        return Choice(asked.broker, asked.result_backend, rabbitmq_port=rabbitmq_port)
    embedded_port = port("redis", None)
    embedded = f"redis://{HOST}:{embedded_port.number}"
    return Choice(
        broker=f"{embedded}/0" if no_broker else asked.broker,
        result_backend=f"{embedded}/1" if no_backend else asked.result_backend,
        embedded_port=embedded_port,
        why=no_broker and f"{masked(facts['broker'])}: {no_broker}",
        rabbitmq_port=rabbitmq_port,
    )


def _with_rabbitmq(facts: Mapping[str, Any], asked: Choice, data: Path, port: ChoosePort) -> tuple[Choice, Port | None]:
    """What is asked for, with the address of the RabbitMQ that has to be started for it, if one has to."""
    url = asked.broker or ""
    parts = _rabbitmq(url)
    if parts is None:
        return asked, None
    # Who names the port of another project's RabbitMQ wants that one.
    absent = facts["broker_error"] if parts.port else facts["broker_error"] or _belongs_to_another_stack(url, data)
    if not absent or not is_local(url) or (parts.port and not is_free(parts.port)):
        return asked, None
    chosen = port("rabbitmq", parts.port)
    return replace(asked, broker=_here(parts, chosen.number)), chosen


def _rabbitmq(url: str) -> SplitResult | None:
    """The parts of the URL of one RabbitMQ, spoken to without encryption."""
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port  # which is no number in a URL that is none
        return parts if parts.scheme in RABBITMQ and ";" not in url else None
    return None


def _here(parts: SplitResult, port: int) -> str:
    """The URL with its user and virtual host, but at this port of this machine."""
    user = parts.netloc.rpartition("@")[0] or "guest:guest"
    return parts._replace(netloc=f"{user}@{HOST}:{port}", path=parts.path or "//").geturl()


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


def _belongs_to_another_stack(url: str, data: Path) -> str:
    """Why this Redis or RabbitMQ is not meant: it is the one that devkit embedded for another project on this machine.

    Sharing it would let one project's worker take the other's tasks.
    """
    with suppress(ValueError):
        parts = urlsplit(url)
        host = parts.hostname or "localhost"
        if host not in LOOPBACK:
            return ""
        if parts.scheme.startswith("redis"):
            return _of_another("Redis", _redis_folder(host, parts.port or USUAL_PORTS["redis"]), data)
        if parts.scheme in RABBITMQ:
            return _of_another("RabbitMQ", _rabbitmq_folder(host, parts.port or USUAL_PORTS["rabbitmq"]), data)
    return ""


def _of_another(what: str, folder: Path | None, data: Path) -> str:
    """`folder`: where an embedded one keeps its data; None for any other."""
    mine = folder is None or folder.parent.resolve() == data.resolve()
    return "" if mine or folder is None else f"the embedded {what} of {folder.parent.parent}"


def _redis_folder(host: str, port: int) -> Path | None:
    with suppress(OSError, IndexError), socket.create_connection((host, port), 1) as connection:
        connection.sendall(b"CONFIG GET dir\r\n")
        folder = Path(connection.recv(4096).split(b"\r\n")[4].decode(errors="replace"))
        return folder if (folder / EMBEDDED_MARK).exists() else None
    return None


def _rabbitmq_folder(host: str, port: int) -> Path | None:
    # A table's entry: the name's length, the name, S for a long string, the string's length in four bytes, the string.
    key = bytes([len(OWNER_PROPERTY)]) + OWNER_PROPERTY.encode() + b"S"
    _, found, rest = amqp_greeting(host, port).partition(key)
    size = int.from_bytes(rest[:4], "big")
    return Path(os.fsdecode(rest[4 : 4 + size])) if found else None
