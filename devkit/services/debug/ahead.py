"""The way into a container, begun before `devkit debug` has even loaded its commands: that takes as long as the way.

Most often there is one paused task, and it is the one that is meant. It is not connected to before that is known.
"""

import json
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from devkit.containers.execs import Exec, InContainer
from devkit.containers.relay import Pipe
from devkit.containers.script import UnreachableError

# With others it is another place, or nothing is attached to at first.
OPTIONS = {"-e", "--execute", "--timeout"}
SESSIONS = Path(".devkit", "debug", "sessions")
ID_LENGTH = 64
SHORT_ID = 12

_begun: Pipe | None = None


def begin(arguments: Sequence[str], make: Callable[[Exec], Pipe] = Pipe) -> None:
    """Begin, if these arguments of `devkit debug` and the sessions around here speak for exactly one container."""
    global _begun  # noqa: PLW0603 - there is one command line
    if any(word.startswith("-") and word not in OPTIONS for word in arguments):
        return
    here = Path.cwd()
    folder = next((path / SESSIONS for path in (here, *here.parents) if (path / SESSIONS).is_dir()), None)
    # What another user wrote into a folder above begins nothing.
    containers = set(_containers(folder)) if folder and folder.stat().st_uid == os.getuid() else set()
    if len(containers) == 1 and len(container := containers.pop()) == ID_LENGTH:
        with suppress(UnreachableError):
            _begun = make(InContainer(container, container[:SHORT_ID]))


def take(exec_: Exec) -> Pipe | None:
    """What was begun, if it leads there."""
    global _begun
    pipe, _begun = _begun, None
    if pipe and _container(pipe.exec) != _container(exec_):
        pipe.close()
        return None
    return pipe


def _container(exec_: Exec) -> str:
    return exec_.container if isinstance(exec_, InContainer) else ""


def _containers(folder: Path) -> Iterable[str]:
    """Those of the sessions that are not of this host."""
    for path in folder.glob("*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            session = json.loads(path.read_bytes())
            if session["host"] != socket.gethostname():
                yield str(session["container"])
