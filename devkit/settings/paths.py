"""Where a project's files live: data beside the project, sockets in the user's runtime folder."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError

# sun_path has 108 bytes on Linux and 104 on macOS, the terminating zero included.
SOCKET_PATH_BYTES = 103


@dataclass(frozen=True)
class Paths:
    """The two folders of one project's stack."""

    data: Path
    runtime: Path

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def started(self) -> Path:
        """Holds the time of the last start: earlier lines in the logs are of other runs."""
        return self.logs / "started"

    def last_start(self) -> str:
        """That time; empty: there was none."""
        return self.started.read_text() if self.started.exists() else ""

    @property
    def debug(self) -> Path:
        """Breakpoints, and the history of what was typed at the prompt."""
        return self.data / "debug"

    @property
    def sessions(self) -> Path:
        """The tasks that are paused."""
        return self.debug / "sessions"

    @property
    def failures(self) -> Path:
        """Where workers note where they keep failures, and the store of those that have no Redis."""
        return self.data / "failures"

    @property
    def preload(self) -> Path:
        """What programs import besides the project's own modules."""
        return self.data / "preload"

    @property
    def socket(self) -> Path:
        """The control socket of the running stack."""
        return self.runtime / "control.sock"

    @property
    def containers_socket(self) -> Path:
        """Where `devkit up --docker` hears that it is to stop."""
        return self.runtime / "containers.sock"

    @property
    def loans(self) -> Path:
        """The socket at which the worker's zygote lends forks (`devkit.agent.fork.loan`)."""
        return self.runtime / "loans.sock"


def paths_for(root: Path, data_dir: str, environ: Mapping[str, str]) -> Paths:
    """The project's folders; nothing is created. `data_dir` may be absolute or relative to `root`.

    Each data folder has a runtime folder of its own, by whatever way it is reached.
    """
    data = root / Path(data_dir).expanduser()
    name = hashlib.sha256(os.fsencode(os.path.realpath(data))).hexdigest()[:12]
    homes = [Path(tempfile.gettempdir()) / f"devkit-{os.getuid()}", Path("/tmp") / f"devkit-{os.getuid()}"]  # noqa: S108 - devkit.model.private checks who owns it
    if environ.get("XDG_RUNTIME_DIR"):
        homes.insert(0, Path(environ["XDG_RUNTIME_DIR"]) / "devkit")
    # A folder too deep for a socket's address is passed over, not an error: /tmp always fits.
    runtime = next(home / name for home in homes if len(os.fsencode(home / name / "control.sock")) <= SOCKET_PATH_BYTES)
    return Paths(data, runtime)


def make_data(paths: Paths) -> None:
    """Create the data folder, which ignores itself in git. Raises DevkitError where that is not possible."""
    try:
        if not paths.data.exists():
            try:
                paths.data.mkdir(mode=0o700, parents=True)
            except FileExistsError:  # another devkit starts at this moment; or another user's process
                if paths.data.lstat().st_uid != os.getuid():
                    raise
            (paths.data / ".gitignore").write_text("*\n")
        paths.logs.mkdir(mode=0o700, exist_ok=True)
        if not os.access(paths.logs, os.W_OK):
            raise PermissionError(13, "permission denied", str(paths.logs))
    except OSError as error:
        raise DevkitError(
            f"cannot write to {paths.data}: {error.strerror}",
            mend=[
                "make the project's folder writable",
                "or keep the data elsewhere: DEVKIT_DATA_DIR=/some/folder",
            ],
        ) from error


def make_debug(paths: Paths) -> None:
    """Create the folder of what is kept for debugging. Raises DevkitError."""
    make_data(paths)
    paths.debug.mkdir(mode=0o700, exist_ok=True)
