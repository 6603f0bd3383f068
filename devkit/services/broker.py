"""Which broker and result backend a stack uses: the app's own where they answer, else an embedded Redis."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from devkit.errors import DevkitError
from devkit.services.redis import EMBEDDED_MARK
from devkit.stack.ports import HOST

LOOPBACK = ("localhost", HOST, "::1")


@dataclass(frozen=True)
class Choice:
    """`broker` and `result_backend` are the URLs that services get; None leaves the app its own.

    `embedded` says whether a Redis has to be started; `why` it has to, for the table.
    """

    broker: str | None
    result_backend: str | None
    embedded: bool
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


def choose(facts: dict[str, Any], asked_broker: str | None, asked_backend: str | None, port: int, data: Path) -> Choice:
    """Decide from the app's facts (`devkit.agent.describe`), which tell what answered.

    `port` is the embedded Redis's, should it be needed, `data` its folder. Raises DevkitError when a URL that was
    asked for does not answer.
    """
    embedded = f"redis://{HOST}:{port}"
    for name, asked, error in (
        ("broker", asked_broker, facts["broker_error"]),
        ("result backend", asked_backend, facts["result_backend_error"]),
    ):
        if asked and error:
            raise DevkitError(
                f"the {name} {masked(asked)} does not answer: {error}",
                mend=["start it, or correct the URL", "leave it out: devkit starts a Redis of its own"],
            )
    broker, backend, why = asked_broker, asked_backend, ""
    if not asked_broker:
        problem = facts["broker_error"] or _belongs_to_another_stack(facts["broker"], data)
        if problem:
            broker, why = f"{embedded}/0", f"{masked(facts['broker'])}: {problem}"
    if not asked_backend:
        own = facts["result_backend"]
        moved = own and own.startswith("redis") and _belongs_to_another_stack(own, data)
        if facts["result_backend_error"] or moved or (own is None and why):
            backend, why = f"{embedded}/1", why or f"{masked(own)}: {facts['result_backend_error'] or moved}"
    return Choice(broker, backend, embedded=bool(why), why=why)


def masked(url: str) -> str:
    """The URL with its password hidden."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


def _belongs_to_another_stack(url: str, data: Path) -> str:
    """Why this Redis is not meant: it is the one that devkit embedded for another project on this machine.

    Sharing it would let one project's worker take the other's tasks.
    """
    parts = urlsplit(url)
    if not parts.scheme.startswith("redis") or parts.hostname not in LOOPBACK:
        return ""
    with suppress(OSError, IndexError), socket.create_connection((parts.hostname, parts.port or 6379), 1) as connection:
        connection.sendall(b"CONFIG GET dir\r\n")
        folder = Path(connection.recv(4096).split(b"\r\n")[4].decode(errors="replace"))
        if (folder / EMBEDDED_MARK).exists() and folder.resolve() != data.resolve():
            return f"the embedded Redis of {folder.parent.parent}"
    return ""
