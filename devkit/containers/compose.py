"""Docker Compose: which one there is, and how it runs."""

import os
import pty
import re
import shutil
import signal
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from devkit.errors import DevkitError

# Where docker itself looks for its plugins, besides the user's folder. To look there is quicker than to ask docker.
PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
KEPT_BYTES = 1 << 16
SHOW_CURSOR = b"\x1b[?25h"  # which is hidden while progress is drawn
ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b.")


@dataclass(frozen=True)
class Compose:
    """`docker compose` or `docker-compose`; `old` is version 1, which starts one container before it makes the next."""

    argv: tuple[str, ...]
    old: bool = False


def find_compose(docker: str, environ: Mapping[str, str]) -> Compose:
    """Docker's plugin if it is there, else `docker-compose` on PATH, of either version. Raises DevkitError."""
    home = environ.get("DOCKER_CONFIG") or str(Path("~/.docker").expanduser())
    if any(os.access(f"{folder}/docker-compose", os.X_OK) for folder in (f"{home}/cli-plugins", *PLUGIN_FOLDERS)):
        return Compose((docker, "compose"))
    alone = shutil.which("docker-compose", path=environ.get("PATH"))
    if alone:
        return Compose((alone,), old=_version(alone, "version", "--short").lstrip("v").startswith("1."))
    if _version(docker, "compose", "version", "--short"):  # a plugin in a folder of its own, or podman
        return Compose((docker, "compose"))
    raise DevkitError(
        "there is docker here, but no docker compose",
        looked=["docker compose version", "docker-compose on PATH"],
        mend=["install it: sudo apt-get install docker-compose-plugin (from docker.com) or docker-compose (Debian)"],
    )


def _version(*argv: str) -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


class ComposeRun:
    """A compose command that runs; what it prints goes to standard error as it comes, and its end is kept.

    On a terminal it has one of its own, so that it shows its progress there as it does without devkit. It is in a
    session of its own: Ctrl-C is for devkit, which then ends it.
    """

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], on_end: Callable[[int], None]
    ) -> None:
        self._kept = b""
        self._shown = True
        read, write = _terminal_like(2) if os.isatty(2) else os.pipe()
        try:
            self._process = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=write, stderr=write, start_new_session=True
            )
        finally:
            os.close(write)
        Thread(target=self._relay, args=(read, on_end), name="compose", daemon=True).start()

    @property
    def output(self) -> str:
        """The last lines, as they would stand on paper."""
        return ESCAPE.sub("", self._kept.decode(errors="replace")).replace("\r", "")

    def stop(self, *, kill: bool) -> None:
        """End it, as Ctrl-C would; what it goes on to say is not shown any more."""
        if self._shown and os.isatty(2):
            os.write(2, SHOW_CURSOR)
        self._shown = False
        self._signal(signal.SIGKILL if kill else signal.SIGINT)

    def _signal(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)

    def _relay(self, read: int, on_end: Callable[[int], None]) -> None:
        with suppress(OSError):  # EIO: the terminal's other side is closed
            while chunk := os.read(read, 1 << 14):
                self._kept = (self._kept + chunk)[-KEPT_BYTES:]
                with suppress(OSError):  # nobody reads it any more
                    os.write(2, chunk if self._shown else b"")
        os.close(read)
        on_end(self._process.wait())


def _terminal_like(fd: int) -> tuple[int, int]:
    """The two sides of a new terminal of the same size."""
    ours, theirs = pty.openpty()
    with suppress(termios.error):
        termios.tcsetwinsize(theirs, termios.tcgetwinsize(fd))
    return ours, theirs
