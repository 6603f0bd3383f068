"""Environments of other versions of what a project has: made once for this user, and kept."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pythons import interpreter

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devkit-tests"
UV = str(Path(sys.executable).with_name("uv"))
INSTALL_S = 600.0
NO_INDEX = re.compile(r"connect|dns error|timed out", re.IGNORECASE)


@dataclass(frozen=True)
class Pin:
    """An interpreter's version, and what is installed there."""

    name: str
    python: str
    packages: tuple[str, ...]

    def environment(self) -> Path:
        """The folder of an environment that has them; skips the test where none can be made here."""
        found = interpreter(self.python)
        if not found:
            pytest.skip(f"needs Python {self.python}")
        key = hashlib.sha256("\n".join((found, *self.packages)).encode()).hexdigest()[:16]
        folder = CACHE / f"{self.name}-{key}"
        made = folder / "made"
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # other tests may want the same one now
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)
                self._make(found, folder)
                made.touch()
        return folder

    def _make(self, python: str, folder: Path) -> None:
        _uv("venv", "--quiet", "--python", python, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *self.packages)


def _uv(*command: str) -> None:
    done = subprocess.run([UV, *command], capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        told = done.stdout + done.stderr
        if NO_INDEX.search(told):
            pytest.skip(f"needs a package index: {told[-300:]}")
        pytest.fail(f"uv {' '.join(command)}\n{told}")


# Each set as a project of that time pins it; what it leaves open comes as today's resolver chooses it.
OLDEST = Pin(
    "celery-5.1", "3.10",
    ("celery==5.1.2", "kombu==5.1.0", "redis==3.5.3", "fastapi==0.68.2", "uvicorn==0.13.4", "flower==1.0.0",
     "tornado==6.1", "gevent"),
)  # fmt: skip
NEWEST = Pin(
    "newest", "3.13", ("celery[redis]>=5.7", "fastapi>=0.136", "uvicorn[standard]>=0.40", "flower>=2.1", "gevent")
)
PINS = (
    OLDEST,
    Pin(
        "celery-5.2", "3.11",
        ("celery[redis]==5.2.7", "kombu==5.2.4", "redis==4.3.4", "fastapi==0.88.0", "uvicorn[standard]==0.20.0",
         "flower==1.2.0", "gevent"),
    ),
    Pin(
        "celery-5.3", "3.11",
        ("celery[redis]==5.3.6", "kombu==5.3.7", "redis==4.6.0", "fastapi==0.103.2", "uvicorn[standard]==0.23.2",
         "flower==2.0.1", "gevent"),
    ),
    Pin(
        "celery-5.5", "3.12",
        ("celery[redis]==5.5.3", "redis==5.2.1", "fastapi==0.115.12", "uvicorn==0.34.3", "flower==2.0.1", "gevent"),
    ),
    NEWEST,
)  # fmt: skip
