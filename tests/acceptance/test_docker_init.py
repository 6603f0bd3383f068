"""The files that `devkit init --docker` writes start as they stand; the repository's own are among them."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.containers import GID, UID, ComposeProject, why_no_docker
from tests.acceptance.harness import PYTHON, REPOSITORY, free_port, wait_until

pytestmark = pytest.mark.skipif(bool(why_no_docker()), reason=why_no_docker() or "there is one")

FILE = "docker-compose.dev.yml"
HEALTH = "{{.State.Health.Status}}"
BUILD_S = 300.0
OWN = (FILE, "Dockerfile.dev", "Dockerfile.dev.dockerignore")
# Code that lies one folder down, a broker on a host that no container knows, and a pin that devkit itself cannot live
# with.
SMALL = {
    "backend/jobs.py": """
import time
from celery import Celery

celery_app = Celery("jobs", broker="redis://localhost:1/3")

@celery_app.task
def add(x, y):
    return x + y
""",
    "backend/main.py": """
from fastapi import FastAPI
from jobs import add

app = FastAPI()

@app.get("/add/{x}/{y}")
def read(x: int, y: int) -> int:
    return add.delay(x, y).get(timeout=20)
""",
    "backend/requirements.txt": "celery\nfastapi\nclick==8.1.8\n",
}


@contextmanager
def stack(folder: Path, files: dict[str, str]) -> Iterator[ComposeProject]:
    """A project that is no stack yet, with ports of its own; no container, no volume and no image is left of it."""
    with closing(ComposeProject(folder, files, file=FILE)) as project:
        project.ask_for_ports()
        project.environ["DEVKIT_RABBITMQ_PORT"] = str(free_port())
        try:
            yield project
        finally:
            project.compose("--profile", "*", "down", "--volumes", "--timeout", "1")
            subprocess.run(["docker", "rmi", f"{project.name}-dev"], capture_output=True, check=False)


def api(project: ComposeProject, path: str, **body: Any) -> Any:
    url = f"http://127.0.0.1:{project.environ['DEVKIT_API_PORT']}{path}"
    answer = httpx.post(url, json=body) if body else httpx.get(url, timeout=30.0)
    return answer.raise_for_status().json()


def inspect(project: ComposeProject, what: str, *containers: str) -> list[str]:
    return project.run("docker", "inspect", "--format", what, *containers).expect(0).out.split()


def build(project: ComposeProject) -> None:
    """With the patience that downloads need; starting what is built has less."""
    command = ["docker", "compose", "--file", FILE, "build"]
    subprocess.run(command, cwd=project.root, env=project.environ, capture_output=True, check=True, timeout=BUILD_S)


def test_a_project_gets_files_with_which_it_runs_and_reloads(tmp_path: Path) -> None:
    with stack(tmp_path, SMALL) as project:
        project.devkit("init", "--docker").expect(0)
        project.give_away()
        build(project)
        project.compose_up()

        assert inspect(project, HEALTH, *project.containers()) == ["healthy"] * 4
        assert api(project, "/add/2/3") == 5
        # It keeps its data where the host sees it, and its bytecode is the host user's as well.
        assert {(path.stat().st_uid, path.stat().st_gid) for path in project.root.rglob("*")} == {(UID, GID)}
        assert (project.root / ".devkit" / "logs").is_dir()
        print_version = "import importlib.metadata as m; print(m.version('click'))"
        assert project.inside(project.container("flower"), "python", "-c", print_version).out == "8.1.8\n"

        project.write({"backend/jobs.py": SMALL["backend/jobs.py"].replace("x + y", "x + y + 1000")})
        project.wait_for_line("worker", "generation 2 is live")
        assert api(project, "/add/2/3") == 1005

        began = time.monotonic()
        project.compose("stop").expect(0)
        assert time.monotonic() - began < 8.0  # docker's own grace ends after ten seconds
        assert inspect(project, "{{.State.ExitCode}}", *project.containers(stopped=True)) == ["0"] * 4


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[ComposeProject]:
    """The repository, as far as its containers see it."""
    with stack(tmp_path, {}) as project:
        ignore = shutil.ignore_patterns("__pycache__")
        for name in ("devkit", "sample_app"):
            shutil.copytree(REPOSITORY / name, project.root / name, ignore=ignore)
        for name in ("pyproject.toml", *OWN):
            shutil.copy(REPOSITORY / name, project.root)
        project.give_away()
        yield project


def test_the_repository_starts_with_plain_compose_once_its_code_is_right(clone: ComposeProject) -> None:
    tasks = (clone.root / "sample_app" / "tasks.py").read_text()
    clone.write({"sample_app/tasks.py": "import nothing_of_this_name\n"})
    build(clone)
    clone.compose("--profile", "beat", "up", "--detach").expect(0)
    clone.wait_for_line("worker", "the next save tries again")
    worker = clone.container("worker")
    wait_until(lambda: inspect(clone, "{{len .State.Health.Log}}", worker) != ["0"])
    assert inspect(clone, HEALTH, worker) == ["starting"]

    clone.write({"sample_app/tasks.py": tasks})
    wait_until(lambda: inspect(clone, HEALTH, *clone.containers()) == ["healthy"] * 5)
    published = clone.run("docker", "ps", "--filter", f"name={clone.name}", "--format", "{{.Ports}}").out
    assert "127.0.0.1:" in published
    assert "0.0.0.0" not in published

    # A task that runs is done before its worker ends.
    task = api(clone, "/reports", pages=2, seconds_per_page=1)["task_id"]
    wait_until(lambda: api(clone, f"/tasks/{task}")["state"] == "PROGRESS")
    clone.compose("stop", "worker").expect(0)
    assert api(clone, f"/tasks/{task}")["result"] == {"pages": 2}


def test_the_repositorys_files_are_what_init_writes_for_it(tmp_path: Path) -> None:
    """In a folder of the repository devkit is not copied but run from the source, so init has to be that devkit."""
    clone = tmp_path / "devkit"
    for name in ("devkit", "sample_app"):
        shutil.copytree(REPOSITORY / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", clone)
    subprocess.run(
        [PYTHON, "-P", "-m", "devkit", "init", "--docker"], cwd=clone, env={"PYTHONPATH": str(clone)}, check=True
    )

    assert {name: (clone / name).read_text() for name in OWN} == {name: (REPOSITORY / name).read_text() for name in OWN}
