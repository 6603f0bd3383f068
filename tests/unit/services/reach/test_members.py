"""Whether the project's stack runs in containers, and which of them is its worker."""

from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from devkit.containers.docker import Container
from devkit.services.reach.members import Containers, find_stack
from devkit.settings.evidence.compose import has_compose_file
from devkit.settings.load import load
from devkit.settings.paths import paths_for
from devkit.stack.control import ControlServer
from devkit.stack.messages import Asked, Inbox
from tests.unit.services.compose.listed import container

COMPOSE = "version: '3'\nservices:\n  redis:\n"


@pytest.mark.parametrize(
    ("name", "text", "near"),
    [
        ("docker-compose.yml", COMPOSE, True),
        ("local.yaml", COMPOSE, True),
        ("deploy/compose.dev.yml", '{\n  "services": {}}', True),
        ("../compose.yml", COMPOSE, True),
        ("mkdocs.yml", "site_name: services\n", False),
        (".gitlab-ci.yml", COMPOSE, False),
        ("services.txt", COMPOSE, False),
        ("node_modules/compose.yml", COMPOSE, False),
    ],
)
def test_a_compose_file_is_known_by_what_is_in_it(tmp_path: Path, name: str, text: str, near: bool) -> None:
    root = tmp_path / "project"
    root.mkdir()
    file = root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)

    assert has_compose_file(root) is near


@pytest.mark.parametrize(
    "worker",
    [
        container("x", command=("celery", "-A", "shop", "worker", "-c", "1")),
        container("x", command=("bash", "-c", "cd /app && exec devkit worker")),
        container("x", command=("/entrypoint", "/start-celeryworker")),
        container("celeryworker", command=("/start",)),
        container("x", command=("/start",), environ={"BROKER": "redis://redis/0"}),
    ],
)
def test_which_container_is_the_worker(worker: Container) -> None:
    flower = container("flower", command=("celery", "-A", "worker", "flower"))
    others = (container("redis", environ={"A": "b:1"}), flower)

    assert Containers("docker", (*others, worker)).worker == worker
    assert Containers("docker", others).worker is None


def test_others_are_known_by_all_their_names() -> None:
    worker, second = container("worker"), container("worker", number=2, name="shop-worker-2")
    redis, foreign = container("redis", aliases=frozenset({"cache"})), container("db", project="else")

    found = Containers("docker", (worker, second, redis, foreign)).others(worker)

    assert found == dict.fromkeys(("redis", "shop-redis-1", "host-of-redis", "cache"), redis)


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A docker on PATH, which fails; beside it there is a file once it was asked."""
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\n: > "$0.asked"\nexit 1\n')
    command.chmod(0o755)
    return command


def found_in(root: Path, docker: Path) -> tuple[Containers | None, bool]:
    """The stack, and whether docker was asked for it."""
    environ = {"PATH": str(docker.parent), "XDG_RUNTIME_DIR": str(docker.parent)}
    found = find_stack(load(root, {}, environ))
    return found, docker.with_suffix(".asked").exists()


def test_docker_is_asked_only_where_a_compose_file_is(tmp_path: Path, docker: Path) -> None:
    root, other = tmp_path / "project", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "compose.yml").write_text(COMPOSE)

    assert found_in(other, docker) == (None, False)
    assert found_in(root, docker) == (None, True)
    docker.unlink()
    assert find_stack(load(root, {}, {"PATH": ""})) is None


def test_docker_is_not_asked_while_a_stack_runs_here(tmp_path: Path, docker: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "compose.yml").write_text(COMPOSE)
    paths = paths_for(root, ".devkit", {"XDG_RUNTIME_DIR": str(docker.parent)})
    paths.runtime.mkdir(parents=True)
    inbox: Inbox = SimpleQueue()
    with closing(ControlServer(paths.socket, inbox)):
        Thread(target=lambda: asked(inbox.get()).reply.put({}), daemon=True).start()
        assert found_in(root, docker) == (None, False)


def asked(message: object) -> Asked:
    assert isinstance(message, Asked)
    return message
