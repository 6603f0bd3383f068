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


def replace(path: str, text: str) -> None:
    """Write the file as a whole, mode 0600. Raises OSError."""
    replace_bytes(path, text.encode())


def replace_bytes(path: str, data: bytes) -> None:
    """Write the file as a whole, mode 0600. Raises OSError."""
    fd, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
