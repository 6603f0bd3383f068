"""Other Pythons that may be on this machine."""

import shutil
from pathlib import Path


def interpreter(version: str) -> str | None:
    """An interpreter of this version, where pyenv keeps it or on PATH (where pyenv's shims may lead nowhere)."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")
