"""Addresses in variables: what a container calls `redis:6379` is somewhere else on this machine."""

import re
from collections.abc import Mapping, Sequence

from devkit.model.address import rerouted
from devkit.model.wire import Server

# What names a host alone. The port is beside it: REDIS_HOST and REDIS_PORT, POSTGRES_SERVER and POSTGRES_PORT.
_HOST = re.compile(r"HOSTNAME|HOST|SERVER|ADDRESS|ADDR", re.IGNORECASE)
_PASSWORDS = ("PASSWORD", "PASS", "PASSWD", "AUTH", "USERNAME", "USER")
_CERTIFICATES = re.compile(r"(?<=[?&])ssl_\w+=[^&]*&?")


def mapped(variables: Mapping[str, str], servers: Sequence[Server]) -> dict[str, str]:
    """Those of the variables that name one of the servers, as they are right here; and the ports that go with them."""
    by_name = {name: server for server in servers for name in server["names"]}
    if not by_name:
        return {}
    found: dict[str, str] = {}
    for name, value in variables.items():
        server = by_name.get(value)
        if server is not None and _HOST.search(name):
            found |= _pair(name, variables, server)
        elif server is None and (new := _text(value, by_name)) != value:
            found[name] = new
    return found


def names_in(name: str, value: str, known: Sequence[str]) -> set[str]:
    """Which of the hosts known a variable names."""
    found = {value} if value in known and _HOST.search(name) else set()

    def note(host: str, port: int) -> None:  # noqa: ARG001
        if host in known:
            found.add(host)

    rerouted(value, note)
    return found


def _text(value: str, by_name: Mapping[str, Server]) -> str:
    """A URL, HOST:PORT, or several of them."""
    opened: set[str] = set()

    def route(host: str, port: int) -> str | None:
        server = by_name.get(host)
        place = server["ports"].get(str(port)) if server else None
        if server and place and server["open"]:
            opened.add(place)
        return place

    value = rerouted(value, route)
    for place in opened:  # neither a password nor encryption is expected there
        secure = re.search(rf"rediss://[^\s,;]*{re.escape(place)}", value) is not None
        value = re.sub(rf"rediss?://(?:[^\s/@;,]*@)?{re.escape(place)}", f"redis://{place}", value)
        value = _CERTIFICATES.sub("", value).rstrip("?&") if secure else value
    return value


def _pair(name: str, variables: Mapping[str, str], server: Server) -> dict[str, str]:
    """A host in one variable and its port in another, which need not be set; nothing where that port is not known."""
    matches = list(_HOST.finditer(name))
    at = matches[-1]

    def beside(word: str) -> str:
        return f"{name[: at.start()]}{word if at[0].isupper() else word.lower()}{name[at.end() :]}"

    usual = next(iter(server["ports"]), "")
    inside = variables.get(beside("PORT"), "") or usual
    place = server["ports"].get(inside)
    if place is None:
        return {}
    host, _, port = place.rpartition(":")
    found = {name: host}
    if port != inside:
        found[beside("PORT")] = port
    if server["open"]:
        found |= {secret: "" for word in _PASSWORDS if variables.get(secret := beside(word))}
    return found
