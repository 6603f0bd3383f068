"""Which processes are workers that may wait in Celery's own rdb; that they are found is in the acceptance tests."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devkit.debug.discovery import _is_near, waiting
from devkit.model.rdb import BASE_PORT, DEBUG_FOLDER, is_worker


@pytest.mark.parametrize(
    "argv",
    [
        ["/usr/bin/python3", "/project/.venv/bin/celery", "-A", "tasks", "worker"],
        ["python", "-m", "celery", "-A", "tasks", "worker", "-c", "1"],
        ["celery", "--app=tasks", "worker"],
        ["[celeryd: celery@host:ForkPoolWorker-1]"],
    ],
)
def test_workers(argv: list[str]) -> None:
    assert is_worker(argv)


@pytest.mark.parametrize(
    "argv",
    [
        ["celery", "-A", "tasks", "beat"],
        ["celery", "-A", "tasks", "flower"],
        ["python", "worker.py"],
        ["/usr/bin/python", "/opt/celery-tools/worker"],
        ["vim", "celery.py"],
        [],
    ],
)
def test_others(argv: list[str]) -> None:
    assert not is_worker(argv)


@pytest.mark.parametrize(
    ("folder", "near"),
    [("/srv/shop", True), ("/srv/shop/backend", True), ("/srv", True), ("/srv/other", False), ("/srv/sho", False)],
)
def test_what_is_of_the_project(folder: str, near: bool) -> None:
    assert _is_near(Path(folder), Path("/srv/shop")) is near


def test_there_are_none(tmp_path: Path) -> None:
    assert waiting(tmp_path / "nowhere", ()) == []


WAITS = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the command line of a test is no worker's elsewhere")
def test_only_those_that_know_nothing_of_devkit(tmp_path: Path) -> None:
    """devkit's own workers listen in the same range of ports, and have sessions instead."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    found = []
    for more in ({DEBUG_FOLDER: "x"}, {}):
        with subprocess.Popen(
            [sys.executable, "-c", WAITS, str(port), "celery", "worker"], cwd=tmp_path, text=True,
            env={**os.environ, BASE_PORT: str(port), **more}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout
            assert process.stdout.readline() == "listens\n"
            found.append([(one.pid, one.port) for one in waiting(tmp_path, ())])
            process.kill()

    assert found == [[], [(process.pid, port)]]
