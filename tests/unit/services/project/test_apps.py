"""What there is to start, as the settings and the project's own files tell."""

from pathlib import Path

from devkit.services.project.apps import programs
from devkit.settings.load import load

COMPOSE = "services:\n  w:\n    build: .\n    command: celery -A jobs worker -Q slow\n"


def test_a_compose_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("from celery import Celery\napp = Celery('jobs')\n")
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / "docker-compose.prod.yml").write_text("services:\n\tweb: 1\n")

    found = programs(load(tmp_path, {}, {}))

    assert [(str(worker.app), worker.queues) for worker in found.workers] == [("jobs:app", "slow")]
    assert [note for note in found.notes if "compose" in note] == [
        "docker-compose.prod.yml is passed over: line 2: found character that cannot start any token"
    ]
