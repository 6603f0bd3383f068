"""The debugger under the other Pythons that the project may run: pdb and tracing differ from one to the next."""

import subprocess
import sysconfig
from collections.abc import Iterator

import pytest

from tests.acceptance.debugging import Debugging, debugging
from tests.acceptance.harness import Project

# Collected here again, with the worker below.
from tests.acceptance.test_debug_agent import (  # noqa: F401
    test_a_breakpoint_at_a_task_and_one_at_its_failure,
    test_a_breakpoint_without_editing_code_takes_effect_at_once_and_follows_its_line,
    test_continue_stops_at_the_next_breakpoint_and_those_set_at_the_prompt_are_kept,
    test_ctrl_c_stops_what_runs,
    test_q_ends_the_task_for_good,
    test_several_lines_at_once_and_completion,
)
from tests.pythons import interpreter

OTHERS = ("3.12", "3.13")


@pytest.fixture(scope="session", params=OTHERS)
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment of another Python, which has the pure Python packages of this one: Celery and Redis."""
    found = interpreter(request.param)
    if not found:
        pytest.skip(f"needs Python {request.param}")
    folder = tmp_path_factory.mktemp(f"python{request.param}")
    subprocess.run([found, "-m", "venv", "--without-pip", folder], check=True)
    site = folder / "lib" / f"python{request.param}" / "site-packages"
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return str(folder / "bin" / "python")


@pytest.fixture
def worker(python: str, empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugging]:
    empty.environ["DEVKIT_PYTHON"] = python
    with debugging(empty, tmp_path_factory.mktemp("redis")) as made:
        yield made
