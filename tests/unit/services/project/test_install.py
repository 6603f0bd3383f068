"""How the project's environment is reached where devkit does not see it."""

import sys
from pathlib import Path

import pytest

from devkit.model.wire import Trouble
from devkit.services.project.install import runs_elsewhere
from devkit.services.project.mends import package_error
from devkit.settings.discover import AppRef


@pytest.mark.parametrize(("file", "tool"), [("poetry.lock", "poetry"), ("Pipfile", "pipenv")])
def test_an_environment_that_a_tool_keeps_elsewhere_is_named_first(tmp_path: Path, file: str, tool: str) -> None:
    (tmp_path / file).touch()
    trouble = Trouble(problem="package", python=sys.executable, missing="requests", message="", traceback="")

    error = package_error(trouble, AppRef(tmp_path, "jobs", "app"), tmp_path)

    assert error.mend[0] == f"use the environment that {tool} has: {tool} run devkit up"


def test_also_for_code_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").touch()
    code = tmp_path / "backend"

    assert runs_elsewhere(tmp_path, code, sys.executable) is not None


def test_not_where_the_project_has_an_environment_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").touch()

    assert runs_elsewhere(tmp_path, tmp_path, str(tmp_path / ".venv" / "bin" / "python")) is None


def test_not_where_no_such_tool_is_used(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").touch()

    assert runs_elsewhere(tmp_path, tmp_path, sys.executable) is None
