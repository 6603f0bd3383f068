"""Files that are for one user alone, and are never seen half written."""

import os
import tempfile
from contextlib import suppress


def make_private(folder: str) -> None:
    """Make the folder, and those above that are missing, for this user alone. Raises OSError."""
    if not os.path.isdir(folder):
        parent = os.path.dirname(folder)
        if parent and not os.path.isdir(parent):
            make_private(parent)
        with suppress(FileExistsError):  # another process was quicker
            os.mkdir(folder, 0o700)
            give_to_owner(folder, parent)


def replace(path: str, text: str) -> None:
    """Write the file as a whole, mode 0600. Raises OSError."""
    replace_bytes(path, text.encode())


def replace_bytes(path: str, data: bytes) -> None:
    """Write the file as a whole, mode 0600. Raises OSError."""
    folder = os.path.dirname(path)
    fd, temporary = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        give_to_owner(temporary, folder)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def give_to_owner(path: str, folder: str) -> None:
    """What root makes in somebody's folder becomes theirs: a worker in a container, who is not root, has to read it."""
    if os.geteuid() == 0:
        owner = os.stat(folder or ".")
        os.lchown(path, owner.st_uid, owner.st_gid)
