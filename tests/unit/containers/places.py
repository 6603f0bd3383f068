"""Places to run commands in that need no docker, and one that does."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from devkit.containers.execs import InContainer

needs_docker = pytest.mark.skipif(
    not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0,
    reason="needs a running docker engine; on Debian: apt install docker.io",
)


@dataclass(frozen=True)
class Here:
    """This machine, as if it were a container. `lacks` are programs that it has not; `before` goes before each."""

    name: str = "here"
    lacks: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    def argv(self, command: Sequence[str]) -> list[str]:
        missing = command and command[0] in self.lacks
        return ["sh", "-c", "exit 127"] if missing else [*self.before, *command]


@contextmanager
def container(*command: str, image: str = "python:3.13-slim") -> Iterator[InContainer]:
    """A container that runs the command."""
    name = f"a-unit-{uuid4().hex[:12]}"
    run = ["docker", "run", "--detach", "--rm", "--init", "--network", "none", "--name", name, image, *command]
    subprocess.run(run, check=True, capture_output=True, timeout=120)
    try:
        yield InContainer(name, name)
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True, timeout=30)
