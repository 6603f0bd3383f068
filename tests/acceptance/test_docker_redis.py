"""The embedded Redis from docker, on a machine that has no other: its container lives and dies with the stack."""

import os
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.harness import PYTHON, SMALL_APP, Project, wait_until

pytestmark = pytest.mark.skipif(
    not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0,
    reason="needs a running docker engine; on Debian: apt install docker.io",
)


@pytest.fixture
def project(small: Project, tmp_path: Path) -> Project:
    """A project for which docker is the only program there is."""
    programs = tmp_path / "programs"
    programs.mkdir()
    docker = shutil.which("docker")
    assert docker
    (programs / "docker").symlink_to(docker)
    small.environ["PATH"] = str(programs)
    if Path(PYTHON).with_name("redis-server").exists():
        pytest.skip("there is a redis-server beside the interpreter, from a wheel, which devkit takes first")
    return small


def containers(project: Project) -> list[str]:
    """The running containers whose data is this project's."""
    data = project.root / ".devkit" / "redis"
    found = subprocess.run(
        ["docker", "ps", "--quiet", "--filter", f"volume={data}"], capture_output=True, text=True, check=True
    )
    return found.stdout.split()


def test_a_task_runs_and_down_leaves_no_container(project: Project) -> None:
    project.up("worker")
    assert "docker image redis:8" in project.devkit("status").out
    assert len(containers(project)) == 1

    assert project.devkit("run", "add", "--args", "[2, 3]").expect(0).out == "5\n"

    project.devkit("down").expect(0)
    assert containers(project) == []


def test_it_says_whose_it_is(project: Project, tmp_path: Path) -> None:
    project.up("redis")
    with closing(Project(tmp_path / "second", SMALL_APP)) as second:
        second.environ["CELERY_BROKER_URL"] = project.url("redis")
        refusal = second.devkit("run", "add", "--args", "[2, 3]").expect(1).err
    assert f"belongs to the stack of {project.root}" in refusal


def test_no_container_outlives_devkit(project: Project) -> None:
    project.up("redis")
    os.kill(project.status()["pid"], signal.SIGKILL)
    wait_until(lambda: containers(project) == [], timeout=5.0)


def test_a_container_that_is_killed_comes_back_with_its_data(project: Project) -> None:
    project.up("redis")
    project.devkit("run", "add", "--args", "[2, 3]", "--no-wait").expect(0)
    (first,) = containers(project)
    subprocess.run(["docker", "kill", first], capture_output=True, check=True)
    project.wait_for_state("redis", "ready")
    wait_until(lambda: containers(project) not in ([], [first]))
    project.wait_for_state("redis", "ready")

    second = containers(project)[0]
    length = subprocess.run(
        ["docker", "exec", second, "redis-cli", "-p", project.url("redis").rpartition(":")[2], "llen", "celery"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert length.stdout.strip() == "1"
