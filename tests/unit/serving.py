"""Servers that answer as Redis or RabbitMQ would, for who only asks whose they are."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread


@contextmanager
def serving(respond: Callable[[bytes], bytes]) -> Iterator[int]:
    """The port of a server that has one answer to each connection."""

    def serve() -> None:
        try:
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(respond(connection.recv(1024)))
        except OSError:
            pass  # closed: the test is over

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def redis_of(folder: str) -> bytes:
    """What the embedded Redis whose data is there tells."""
    ident = b"devkit:" + os.fsencode(folder)
    return b"*2\r\n$12\r\nsyslog-ident\r\n$%d\r\n%s\r\n" % (len(ident), ident)


def rabbitmq_of(folder: str) -> bytes:
    """How the embedded RabbitMQ whose data is there begins."""
    told = os.fsencode(folder)
    owner = b"\x06devkitS" + len(told).to_bytes(4, "big") + told
    return b"\x01\0\0\0\0\0\0\x07productS\0\0\0\x08RabbitMQ" + owner + b"\x07versionS\0\0\0\x014"
