"""Is a service there? Each check asks once, within a second, and returns true or false."""

import os
import socket
import struct
import subprocess
from contextlib import closing, suppress
from urllib.parse import urlsplit, urlunsplit

from devkit.model.embedded import amqp_greeting
from devkit.stack import sessions
from devkit.stack.service import Poll

TIMEOUT_S = 1.0
COMMAND_TIMEOUT_S = 5.0
POSTGRES_PROTOCOL = 3 << 16


def http_answers(url: str, method: str = "GET") -> Poll:
    """Ready when the URL gives any answer but a server error (5xx): "not found" shows a server that works."""
    parts = urlsplit(url)

    def check() -> bool:
        import http.client  # 10 ms, in the thread that asks

        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S)
        with suppress(OSError, UnicodeError, http.client.HTTPException), closing(connection):
            connection.request(method, urlunsplit(("", "", parts.path or "/", parts.query, "")))
            return connection.getresponse().status < 500
        return False

    return Poll(check, f"{method} {url}")


def tcp_answers(host: str, port: int) -> Poll:
    """Ready when the port accepts a connection."""

    def check() -> bool:
        with suppress(OSError, UnicodeError), socket.create_connection((host, port), TIMEOUT_S):
            return True
        return False

    return Poll(check, f"a connection to {host}:{port}")


def redis_answers(port: int) -> Poll:
    """Ready when Redis answers PING: while it loads its data it accepts connections but answers LOADING."""

    def check() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False

    return Poll(check, f"PING at 127.0.0.1:{port}")


def amqp_answers(port: int) -> Poll:
    """Ready when RabbitMQ begins a conversation in its protocol."""
    return Poll(lambda: bool(amqp_greeting("127.0.0.1", port)), f"AMQP at 127.0.0.1:{port}")


def postgres_answers(port: int, user: str, database: str) -> Poll:
    """Ready when Postgres asks who that user is: while it starts it accepts connections but answers with an error."""
    names = f"user\0{user}\0database\0{database}\0\0".encode()
    hello = struct.pack("!ii", len(names) + 8, POSTGRES_PROTOCOL) + names

    def check() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(hello)
            return connection.recv(1) == b"R"
        return False

    return Poll(check, f"Postgres at 127.0.0.1:{port}")


def command_succeeds(command: str, cwd: os.PathLike[str], env: dict[str, str]) -> Poll:
    """Ready when the shell command ends with exit code 0, as a healthcheck of docker compose does."""

    def check() -> bool:
        with suppress(OSError):
            asked = subprocess.Popen(
                ["/bin/sh", "-c", command],
                cwd=cwd, env=env, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                return asked.wait(COMMAND_TIMEOUT_S) == 0
            except subprocess.TimeoutExpired:
                sessions.end(asked.pid)
                asked.wait()
        return False

    return Poll(check, f"success of `{command}`")
