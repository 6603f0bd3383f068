"""Where this process runs, and how it says something there."""

import os
import socket

CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


def container() -> str:
    return socket.gethostname() if any(map(os.path.exists, CONTAINER_MARKS)) else ""


def say(text: str) -> None:
    """To the log, whatever the project makes of logging and of sys.stderr."""
    os.write(2, f"{text}\n".encode(errors="replace"))
