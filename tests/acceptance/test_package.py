"""The package as people get it: built once, installed outside the checkout, working on a project apart from it."""

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.harness import PYTHON, REPOSITORY, Project
from tests.pythons import interpreter

INSTALLS_S = 300.0  # downloads
UV = str(Path(PYTHON).with_name("uv"))
Install = Callable[[str, Path, Path], Path]
CODE = {
    "tasks.py": """
import sys

from celery import Celery

app = Celery("small")


@app.task
def divide(x, y):
    return x / y


@app.task
def where():
    return sys.prefix
"""
}


def call(*command: object, cwd: Path, **environ: str) -> str:
    """Run a command that has to succeed; returns what it prints."""
    argv = [str(part) for part in command]
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | environ
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALLS_S, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def python_of(version: str) -> str:
    found = interpreter(version)
    if found is None:
        pytest.skip(f"needs Python {version}")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    call(UV, "build", "--out-dir", folder, REPOSITORY, cwd=folder)  # the wheel from the source distribution
    return next(folder.glob("celery_devkit-*.whl"))


def by_pip(python: str, wheel: Path, folder: Path) -> Path:
    call(python, "-m", "venv", folder / "env", cwd=folder)
    call(folder / "env/bin/pip", "install", wheel, cwd=folder)
    return folder / "env/bin/devkit"


def by_uv_tool(python: str, wheel: Path, folder: Path) -> Path:
    own = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    call(UV, "tool", "install", "--python", python, wheel, cwd=folder, **own)
    return folder / "bin/devkit"


def by_pipx(python: str, wheel: Path, folder: Path) -> Path:
    own = {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / "bin")}
    call(UV, "tool", "run", "pipx", "install", "--python", python, wheel, cwd=folder, **own)
    return folder / "bin/devkit"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with closing(Project(tmp_path / "work", CODE)) as project:
        yield project


def works(project: Project, devkit: Path) -> str:
    """A stack comes up, a task runs, a failure is replayed, a breakpoint hits; returns where the tasks ran."""

    def run(*arguments: str, code: int = 0) -> str:
        return project.run(str(devkit), *arguments).expect(code).out

    run("up", "-d")
    try:
        where = project.run(str(devkit), "run", "where", "--json").expect(0).json()["result"]
        failed = project.run(str(devkit), "run", "divide", "--args", "[1, 0]", "--json").expect(1).json()
        assert "same failure" in run("replay", failed["id"], code=1)
        stop = ("--run", "--args", "[8, 2]", "--break", "divide", "-e", "p ('here', x)", "-e", "c")
        assert "('here', 8)" in run("debug", "divide", *stop)
    finally:
        run("down")
    assert isinstance(where, str)
    return where


def test_the_wheel_has_the_code_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(archive.read(name).decode() for name in names if name.endswith("METADATA"))
    top = {name.partition("/")[0] for name in names}

    assert [name for name in top if name != "devkit" and not name.endswith(".dist-info")] == []
    assert {"devkit/py.typed", "devkit/services/init/templates/Dockerfile"} <= set(names)
    assert {"devkit/__main__.py", "devkit/agent/__main__.py"} <= set(names)
    assert re.search(r"^Name: celery-devkit$", metadata, re.MULTILINE)
    assert re.search(r"^Requires-Python: >=3.11$", metadata, re.MULTILINE)


@pytest.mark.parametrize(("version", "install"), [("3.11", by_pip), ("3.12", by_uv_tool), ("3.13", by_pipx)])
def test_installed_apart_it_runs_a_project_with_an_environment_of_its_own(
    project: Project, wheel: Path, tmp_path: Path, version: str, install: Install
) -> None:
    devkit = install(python_of(version), wheel, tmp_path)
    call(UV, "venv", "--python", python_of(version), project.root / ".venv", cwd=tmp_path)
    python = project.root / ".venv/bin/python"
    call(UV, "pip", "install", "--python", python, "celery[redis]", cwd=tmp_path)

    assert wheel.name.split("-")[1] in project.run(str(devkit), "--version").expect(0).out
    assert works(project, devkit) == str(project.root / ".venv")


def test_the_lowest_versions_that_are_allowed_do(project: Project, wheel: Path, tmp_path: Path) -> None:
    """In one environment with the project, so that Celery, uvicorn and Flower are the lowest, too."""
    python = python_of("3.11")
    lowest = ("--resolution", "lowest-direct", "--python", python, "--output-file", "lowest.txt")
    call(UV, "pip", "compile", REPOSITORY / "pyproject.toml", *lowest, cwd=tmp_path)
    call(UV, "venv", "--python", python, "env", cwd=tmp_path)
    call(UV, "pip", "install", "--python", "env/bin/python", "-r", "lowest.txt", cwd=tmp_path)
    call(UV, "pip", "install", "--python", "env/bin/python", "--no-deps", wheel, cwd=tmp_path)
    project.write({"main.py": "import fastapi\nimport tasks\napi = fastapi.FastAPI()\n"})

    assert works(project, tmp_path / "env/bin/devkit") == str(tmp_path / "env")


def test_a_source_without_git_is_installed_as_well(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / "devkit", tmp_path / "devkit", ignore=shutil.ignore_patterns("__pycache__"))
    call(UV, "build", "--wheel", "--out-dir", "dist", tmp_path, cwd=tmp_path)

    assert next((tmp_path / "dist").glob("*.whl")).name.startswith("celery_devkit-0.1.0.dev0-")
