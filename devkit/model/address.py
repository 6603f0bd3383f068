"""The addresses, HOST:PORT, in a text such as the URL of a broker."""

from __future__ import annotations

import re
from collections.abc import Callable

# The ports that URLs leave out.
USUAL_PORTS = {
    "redis": 6379, "rediss": 6379, "sentinel": 26379, "amqp": 5672, "pyamqp": 5672, "amqps": 5671, "postgresql": 5432,
    "postgres": 5432, "mysql": 3306, "mariadb": 3306, "mongodb": 27017, "memcached": 11211, "http": 80, "https": 443,
}  # fmt: skip
_ADDRESS = re.compile(
    r"(?P<before>(?P<scheme>[A-Za-z][\w+.-]*)://(?:[^\s/@;,]*@)?)?(?P<host>[A-Za-z0-9_](?:[\w.-]*\w)?)(?::(?P<port>\d+))?"
)


def rerouted(text: str, route: Callable[[str, int], str | None]) -> str:
    """The text with what `route(host, port)` puts in the place of its addresses; None leaves one as it is."""

    def replaced(found: re.Match[str]) -> str:
        port = int(found["port"]) if found["port"] else _usual_port(found["scheme"] or "")
        new = route(found["host"], port) if port else None
        return found[0] if new is None else f"{found['before'] or ''}{new}"

    return _ADDRESS.sub(replaced, text)


def _usual_port(scheme: str) -> int:
    """That of a URL's scheme, which may be of several parts, as in db+postgresql+psycopg2; 0 if there is none."""
    return next((USUAL_PORTS[part] for part in scheme.split("+") if part in USUAL_PORTS), 0)
