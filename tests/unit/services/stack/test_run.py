"""A whole stack, in a process of its own: what only shows when all parts work together."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Devkit = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def devkit(tmp_path: Path, short_folder: Path) -> Iterator[Devkit]:
    """Runs devkit in a small project, whose stack is ended with the test."""
    (tmp_path / "worker.py").write_text("from celery import Celery\napp = Celery('x', broker='memory://')")
    (tmp_path / "pyproject.toml").write_text("[tool.devkit]\npool = 'solo'\nwith_flower = false")
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(short_folder)}

    def run(*argv: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "devkit", "-C", str(tmp_path), *argv]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    yield run
    run("down")


def test_the_guard_of_a_stack_that_was_killed_leaves_the_next_one_alone(devkit: Devkit) -> None:
    assert devkit("up", "-d").returncode == 0
    os.kill(json.loads(devkit("status", "--json").stdout)["pid"], signal.SIGKILL)

    again = devkit("up", "-d")

    assert again.returncode == 0, again.stderr
    assert "worker" in again.stdout


@pytest.mark.parametrize("killed", [False, True])
def test_a_stack_leaves_no_socket_behind(devkit: Devkit, short_folder: Path, killed: bool) -> None:
    assert devkit("up", "-d").returncode == 0
    assert [*short_folder.rglob("control.sock")]
    if killed:
        os.kill(json.loads(devkit("status", "--json").stdout)["pid"], signal.SIGKILL)

    assert devkit("down").returncode == 0

    assert [*short_folder.rglob("*.sock")] == []
