"""What docker tells as it happens: its events, and what containers print."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

from devkit.containers.docker import LABEL

# Those that change how a container stands; health checks, which are events, too, are many.
ACTIONS = ("start", "die", "kill", "destroy", "health_status")


@dataclass(frozen=True)
class Event:
    """Something that happened to a container, in docker's words; a "die" has an exit code, a "kill" a signal."""

    container: str
    action: str
    exit_code: int = 0
    signal: str = ""


class Stream:
    """A docker command that goes on printing; its output is read by a thread. It is not Ctrl-C's to end."""

    def __init__(self, argv: Sequence[str], read: Callable[[int], None]) -> None:
        """`read` reads a file descriptor to its end."""
        coming, printed = os.pipe()
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, start_new_session=True
            )
        finally:
            os.close(printed)
        self._thread = Thread(target=self._read, args=(coming, read), name=" ".join(argv[1:3]), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, and wait for its last words."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self.join()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _read(self, fd: int, read: Callable[[int], None]) -> None:
        try:
            read(fd)
        finally:
            os.close(fd)
            self._process.wait()


def events(docker: str, project: str, on_event: Callable[[Event], None], on_end: Callable[[], None]) -> Stream:
    """What happens to the containers of a compose project, from now on."""
    chosen = [f"label={LABEL}project={project}", "type=container", *(f"event={action}" for action in ACTIONS)]

    def read(fd: int) -> None:
        with os.fdopen(fd, "rb", closefd=False) as lines:
            for line in lines:
                if event := event_of(line):
                    on_event(event)
        on_end()

    filters = [part for one in chosen for part in ("--filter", one)]
    return Stream([docker, "events", "--format", "{{json .}}", *filters], read)


def event_of(line: bytes) -> Event | None:
    """The event that a line of `docker events` tells; None for anything else."""
    try:
        told: dict[str, Any] = json.loads(line)
        more = told["Actor"]["Attributes"]
        return Event(told["Actor"]["ID"], told["Action"], int(more.get("exitCode", 0)), more.get("signal", ""))
    except (ValueError, KeyError, TypeError):
        return None


def logs(
    docker: str, container: str, since: str, on_output: Callable[[bytes], None], on_end: Callable[[], None]
) -> Stream:
    """What a container prints from the moment `since` on, until it stops."""

    def read(fd: int) -> None:
        while chunk := os.read(fd, 1 << 16):
            on_output(chunk)
        on_end()

    return Stream([docker, "logs", "--follow", "--since", since, container], read)


def stamped_logs(
    docker: str, container: str, since: str, on_line: Callable[[str, bytes], None], on_end: Callable[[], None]
) -> Stream:
    """What a container prints after the moment `since` (empty: all), until it stops, each line with its time."""

    def read(fd: int) -> None:
        with os.fdopen(fd, "rb", closefd=False) as lines:
            for line in lines:
                at, text = split(line)
                if at > since:
                    on_line(at, text)
        on_end()

    chosen = ["--since", since] if since else []
    return Stream([docker, "logs", "--follow", "--timestamps", *chosen, container], read)


def split(line: bytes) -> tuple[str, bytes]:
    """The time (ISO 8601, UTC) and the text of a line of `docker logs --timestamps`."""
    at, _, text = line.rstrip(b"\r\n").partition(b" ")
    return at.decode(errors="replace"), text
