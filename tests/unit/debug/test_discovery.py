"""Which processes are workers that may wait in Celery's own rdb; that they are found is in the acceptance tests."""

from pathlib import Path

import pytest

from devkit.debug.discovery import _is_near, is_worker, waiting


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
