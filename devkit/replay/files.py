"""Files that a user asked for by name: whole or not there, with the mode of any other file."""

import os
from contextlib import suppress
from pathlib import Path

from devkit.errors import DevkitError, UsageError


def check_folder(path: Path) -> None:
    """Raise UsageError where no file can be made at this path."""
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for {path.name}", mend=[f"mkdir -p {path.parent}"])
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no ordinary file", mend=["name another file"])


def write(path: Path, text: str) -> None:
    """Write the file as a whole. Raises DevkitError."""
    path = path.resolve()  # a link stays one
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise DevkitError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
