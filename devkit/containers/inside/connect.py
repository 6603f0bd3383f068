"""Joins standard input and output with a port: `HOST PORT`, or what the first line of standard input says.

It says READY on standard error when it is connected: nothing else may come between what the two sides say. People wait
for it, and `socket` and `threading` would double the time that it takes.
"""

import os
import sys
from _socket import AF_UNSPEC, SHUT_WR, SOCK_STREAM, getaddrinfo, socket
from _thread import start_new_thread

READY = b"connected\n"


def main(arguments: "list[str]") -> None:
    try:
        host, port = arguments or first_line().split()
    except ValueError:
        return  # nobody needs it after all
    try:
        there = connect(host, port)
    except OSError as error:
        sys.exit(f"{host}:{port}: {error.strerror or error}")
    os.write(2, READY)
    start_new_thread(send, (there,))
    receive(there)
    os._exit(0)  # the other thread still reads


def first_line() -> str:
    """What follows it is for the port."""
    line = last = os.read(0, 1)
    while last not in (b"", b"\n"):
        last = os.read(0, 1)
        line += last
    return line.decode()


def connect(host: str, port: str) -> socket:
    problem = OSError("there is no such host")
    for family, kind, protocol, _, address in getaddrinfo(host, port, AF_UNSPEC, SOCK_STREAM):
        there = socket(family, kind, protocol)
        try:
            there.connect(address)
            return there
        except OSError as error:
            there.close()
            problem = error
    raise problem


def receive(there: socket) -> None:
    try:
        data = there.recv(1 << 16)
        while data:
            while data:
                data = data[os.write(1, data) :]
            data = there.recv(1 << 16)
    except OSError:
        pass  # one of the two sides is gone


def send(there: socket) -> None:
    try:
        data = os.read(0, 1 << 16)
        while data:
            there.sendall(data)
            data = os.read(0, 1 << 16)
        there.shutdown(SHUT_WR)
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
