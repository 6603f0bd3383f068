"""The way into a container, begun before `devkit debug` has even loaded its commands: that takes as long as the way.

Most often there is one paused task, and it is the one that is meant. It is not connected to before that is known.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from devkit.containers.execs import Exec, InContainer
from devkit.containers.relay import Pipe
from devkit.containers.script import UnreachableError

# With others it is another place, or nothing is attached to at first.
OPTIONS = {"-e", "--execute", "--timeout"}
# Reading the settings takes as long as the way. By a wrong guess no way is begun, or one that `take` closes.
DATA_DIR = re.compile(r"""^ *(?:export +)?(?:DEVKIT_DATA_DIR|data_dir) *= *["']?([^"'\s#]+)""", re.MULTILINE)
ID_LENGTH = 64
SHORT_ID = 12

_begun: Pipe | None = None


def begin(arguments: Sequence[str], make: Callable[[Exec], Pipe] = Pipe) -> None:
    """Begin, if these arguments of `devkit debug` and the sessions around here speak for exactly one container."""
    global _begun  # noqa: PLW0603 - there is one command line
    if any(word.startswith("-") and word not in OPTIONS for word in arguments):
        return
    folder = _data_folder() / "debug" / "sessions"
    # What another user wrote there begins nothing.
    ours = folder.is_dir() and folder.stat().st_uid == os.getuid()
    containers = set(_containers(folder)) if ours else set()
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


def _data_folder() -> Path:
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file()), here)
    text = f"DEVKIT_DATA_DIR={os.environ.get('DEVKIT_DATA_DIR', '')}\n"
    for name in (".env", "pyproject.toml"):
        with suppress(OSError, ValueError):
            text += (root / name).read_text(encoding="utf-8") + "\n"
    found = DATA_DIR.search(text)
    return root / os.path.expanduser(found[1] if found else ".devkit")  # noqa: PTH111 - never raises


def _containers(folder: Path) -> Iterable[str]:
    """Those of the sessions that are not of this host."""
    for path in folder.glob("*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            session = json.loads(path.read_bytes())
            if session["host"] != socket.gethostname():
                yield str(session["container"])
