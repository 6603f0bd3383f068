"""Which broker and result backend a stack uses: the app's own where they answer, else an embedded Redis."""

import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devkit.errors import DevkitError
from devkit.services.base import Port
from devkit.services.redis import EMBEDDED_MARK
from devkit.stack.ports import HOST

LOOPBACK = ("localhost", HOST, "::1")


@dataclass(frozen=True)
class Choice:
    """`broker` and `result_backend` are the URLs that services get; None leaves the app its own.

    `embedded_port` is that of the Redis which has to be started, if one has to; `why` is why it takes the place of
    the app's own broker.
    """

    broker: str | None
    result_backend: str | None
    embedded_port: Port | None = None
    why: str = ""

    def environ(self) -> dict[str, str]:
        """The variables that Celery reads before the app's own configuration (celery.app.utils.Settings)."""
        found = {}
        if self.broker:
            names = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
            found.update(dict.fromkeys(names, self.broker))
        if self.result_backend:
            found["CELERY_RESULT_BACKEND"] = self.result_backend
        return found


def choose(
    facts: Mapping[str, Any], asked_broker: str | None, asked_backend: str | None, data: Path, port: Callable[[], Port]
) -> Choice:
    """Decide from the app's facts (`devkit.agent.describe`), which tell what answered.

    `data` is the embedded Redis's folder; `port` gives its port, and is called only if it is needed. Raises
    DevkitError when a URL that was asked for does not answer.
    """
    for name, asked, error in (
        ("broker", asked_broker, facts["broker_error"]),
        ("result backend", asked_backend, facts["result_backend_error"]),
    ):
        if asked and error:
            raise DevkitError(
                f"the {name} {masked(asked)} does not answer: {error}",
                mend=["start it, or correct the URL", "leave it out: devkit starts a Redis of its own"],
            )
    no_broker = no_backend = ""
    if not asked_broker:
        no_broker = facts["broker_error"] or _belongs_to_another_stack(facts["broker"], data)
    if not asked_backend:
        if own := facts["result_backend"]:
            no_backend = facts["result_backend_error"] or _belongs_to_another_stack(own, data)
        elif no_broker:
            no_backend = "the app has none"  # with one, `devkit run` and others can show results
    if not (no_broker or no_backend):
        return Choice(asked_broker, asked_backend)
    embedded_port = port()
    embedded = f"redis://{HOST}:{embedded_port.number}"
    return Choice(
        broker=f"{embedded}/0" if no_broker else asked_broker,
        result_backend=f"{embedded}/1" if no_backend else asked_backend,
        embedded_port=embedded_port,
        why=no_broker and f"{masked(facts['broker'])}: {no_broker}",
    )


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
    """Why this Redis is not meant: it is the one that devkit embedded for another project on this machine.

    Sharing it would let one project's worker take the other's tasks.
    """
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme.startswith("redis") and parts.hostname in LOOPBACK:
            return _owner(parts.hostname or HOST, parts.port or 6379, data)
    return ""


def _owner(host: str, port: int, data: Path) -> str:
    with suppress(OSError, IndexError), socket.create_connection((host, port), 1) as connection:
        connection.sendall(b"CONFIG GET dir\r\n")
        folder = Path(connection.recv(4096).split(b"\r\n")[4].decode(errors="replace"))
        if (folder / EMBEDDED_MARK).exists() and folder.resolve() != data.resolve():
            return f"the embedded Redis of {folder.parent.parent}"
    return ""
