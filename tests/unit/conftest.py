"""Fixtures for tests in several folders."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.waiting import wait_for


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="devkit-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that listens on a socket in a folder; its URL, as Celery writes it."""
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if not server:
        pytest.skip("needs redis-server or valkey-server on PATH; on Debian: apt install redis-server")
    folder = tmp_path_factory.mktemp("redis", numbered=True)
    path = folder / "redis.sock"
    process = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(path.exists)
        yield f"redis+socket://{path}"
    finally:
        process.terminate()
        process.wait()
