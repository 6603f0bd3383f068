"""Whose the Redis or RabbitMQ at an address is: one that devkit embedded names the folder of its data."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from .address import USUAL_PORTS

# An embedded RabbitMQ tells it by a property of this name in its greeting, an embedded Redis by this word and the
# folder as its `syslog-ident`, which nothing reads while Redis does not write to syslog.
OWNER = "devkit"
LOOPBACK = "127.0.0.1"  # where all that is embedded listens
AMQP = ("amqp", "pyamqp")
REDIS = ("redis", "rediss")
TIMEOUT_S = 1.0
MOST_BYTES = 8192
HOSTS = "/etc/hosts"


def redis_ident(folder: str) -> str:
    """The `syslog-ident` of the embedded Redis whose data is in this folder."""
    return f"{OWNER}:{folder}"


def anothers_project(url: str, data: str) -> str:
    """The folder of the project for which devkit embedded what answers there; empty if that is none, or the one whose
    data is in `data`."""
    theirs = os.path.dirname(_folder_behind(url))
    return os.path.dirname(theirs) if theirs and os.path.realpath(theirs) != os.path.realpath(data) else ""


def _folder_behind(url: str) -> str:
    """Where what answers there keeps its data, if devkit embedded it; else empty, at once for another machine's."""
    with suppress(ValueError):
        parts = urlsplit(url)
        port = parts.port or USUAL_PORTS.get(parts.scheme, 0)
        number = address(parts.hostname or "").removeprefix("::ffff:")
        if number.startswith("127.") or number in ("0.0.0.0", "::", "::1"):  # noqa: S104 - whom clients call so
            if parts.scheme in REDIS:
                return _redis_folder(parts.hostname or LOOPBACK, port)
            if parts.scheme in AMQP:
                return _rabbitmq_folder(parts.hostname or LOOPBACK, port)
    return ""


def address(host: str) -> str:
    """A host's number as far as this machine knows by itself: looking up other names can take long. Else empty."""
    host = host.lower()
    if not host or host == "localhost" or host.endswith(".localhost"):
        return LOOPBACK
    with suppress(OSError, UnicodeError):  # the latter for what can be no host's name, as `a..b`
        return str(socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)[0][4][0])
    with suppress(OSError), open(HOSTS, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            number, *names = line.partition("#")[0].lower().split() or [""]
            if host in names:
                return number
    return ""


def amqp_greeting(host: str, port: int) -> bytes:
    """With what an AMQP server begins, in which it tells what it is; empty if none is there."""
    greeting = _answer(host, port, b"AMQP\0\0\x09\x01")
    return greeting if greeting.startswith(b"\x01") else b""


def _redis_folder(host: str, port: int) -> str:
    answer = _answer(host, port, b"CONFIG GET syslog-ident\r\n")
    return os.fsdecode(answer.partition(f"\r\n{redis_ident('')}".encode())[2].removesuffix(b"\r\n"))


def _rabbitmq_folder(host: str, port: int) -> str:
    # A table's entry: the name's length, the name, S for a long string, the string's length in four bytes, the string.
    key = bytes([len(OWNER)]) + OWNER.encode() + b"S"
    _, _, rest = amqp_greeting(host, port).partition(key)
    return os.fsdecode(rest[4 : 4 + int.from_bytes(rest[:4], "big")])


def _answer(host: str, port: int, question: bytes) -> bytes:
    with suppress(OSError, UnicodeError), socket.create_connection((host, port), TIMEOUT_S) as connection:
        connection.sendall(question)
        return connection.recv(MOST_BYTES)
    return b""
