"""Folders and sockets where others may have been first, as under /tmp: used only if they are this user's alone.

Whoever answers in the place of a stack tells devkit which variables the project's code gets, and whoever writes the
data folder which expressions a worker evaluates: either may run code as this user.
"""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from devkit.errors import DevkitError
from devkit.model.container import in_container
from devkit.model.peer import is_another_user

OTHERS = stat.S_IWGRP | stat.S_IWOTH
RUNTIME = "or have another folder for the sockets: XDG_RUNTIME_DIR=/a/folder/of/yours"
DATA = "or keep the data elsewhere: DEVKIT_DATA_DIR=/some/folder"


def check_runtime(folder: Path) -> None:
    """Raises DevkitError if that folder for sockets, or the one above, is there and not this user's alone."""
    try:
        above = folder.parent.lstat()
        if above.st_uid not in (0, os.getuid()) or stat.S_ISLNK(above.st_mode):
            raise _foreign(folder.parent, above)
        _check(folder, stat.S_ISDIR)
    except PermissionError:
        raise _foreign(folder, None) from None
    except OSError:
        pass  # there is none


def make_runtime(folder: Path) -> None:
    """Create the folder for sockets, for this user alone (0700). Raises DevkitError as `check_runtime` does."""
    try:
        for part in (folder.parent, folder):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = part.lstat()
            if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
                raise _foreign(part, found)
            part.chmod(0o700)
    except OSError as error:
        raise DevkitError(
            f"cannot make {folder}: {error.strerror}",
            mend=["set XDG_RUNTIME_DIR to a folder that you can write to"],
        ) from error


def connect(path: Path, timeout_s: float) -> socket.socket:
    """A connection to who listens there. Raises OSError where nobody does, DevkitError where it is another user."""
    check_runtime(path.parent)
    _check(path, stat.S_ISSOCK)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout_s)
        connection.connect(os.fspath(path))
        if is_another_user(connection):
            raise _foreign(path, path.lstat())
    except BaseException:
        connection.close()
        raise
    return connection


def check_data(folder: Path, project: Path) -> None:
    """Raises DevkitError if others may write the data than may write the project's code, or if we may not read it.

    What lies in the project was put there by these; what lies elsewhere, or where everybody may put something, has to
    belong to this user or to theirs.
    """
    try:
        root, real, home = project.stat(), folder.resolve(), project.resolve()
        inside = real.is_relative_to(home)
        for above in filter(Path.exists, {*folder.absolute().parents, *real.parents}):
            found = above.stat()
            if home.is_relative_to(above) or project.is_relative_to(above):
                continue
            if found.st_mode & ~root.st_mode & stat.S_IWOTH:
                if not found.st_mode & stat.S_ISVTX:  # they may put another in its place, whenever they like
                    raise _open(above, found, f"chmod o-w {above}", DATA)
                inside = False
        link, found = folder.lstat(), folder.stat()
    except (OSError, RuntimeError):  # a link that leads to itself is the latter
        return  # there is none yet
    if not inside and not {link.st_uid, found.st_uid} <= {0, os.getuid(), root.st_uid}:
        raise _foreign(folder, found if link.st_uid in (0, os.getuid()) else link, DATA)
    if found.st_mode & OTHERS & ~root.st_mode:
        raise _open(folder, found, f"chmod go-w {folder}", DATA)
    if stat.S_ISDIR(found.st_mode) and not os.access(folder, os.R_OK | os.X_OK) and not in_container():
        raise _foreign(folder, found, DATA)  # a worker in a container does without what is mounted there


def _check(path: Path, is_kind: Callable[[int], bool]) -> None:
    """Raises DevkitError for what is not this user's alone, OSError where there is nothing of that kind."""
    found = path.lstat()
    if found.st_uid != os.getuid() or stat.S_ISLNK(found.st_mode):
        raise _foreign(path, found)
    if not is_kind(found.st_mode):
        raise OSError(f"{path} is something else")
    if found.st_mode & OTHERS:
        raise _open(path, found, f"chmod 700 {path}", RUNTIME)


def _foreign(path: Path, found: os.stat_result | None, instead: str = RUNTIME) -> DevkitError:
    return DevkitError(
        f"{path} belongs to somebody else",
        looked=[f"{stat.filemode(found.st_mode)}, uid {found.st_uid}" if found else "it may not even be looked at"],
        mend=[
            "if it is of another account of yours: run devkit by that one",
            f"else remove it, {instead}",
        ],
    )


def _open(path: Path, found: os.stat_result, *mend: str) -> DevkitError:
    looked = [f"{stat.filemode(found.st_mode)}, uid {found.st_uid}"]
    return DevkitError(f"others may write to {path}", looked=looked, mend=mend)
