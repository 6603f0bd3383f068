"""Breakpoints work in another way from Python 3.12 on, frames' variables from 3.13 on, and pdb in each version: their
tests, run under the Pythons that are here besides."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.pythons import interpreter

TESTS = Path(__file__).parents[1]
NAMES = (
    "breakpoints/test_watched", "debugger/test_completion", "tell/test_equality", "tell/test_errors",
    "tell/test_exceptions", "tell/test_plain_pdb",
)  # fmt: skip
FILES = [TESTS / "agent" / f"{name}.py" for name in NAMES]


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_under_another_python(version: str) -> None:
    python = interpreter(version)
    if not python:
        pytest.skip(f"needs Python {version}")
    ended = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES],
        cwd=TESTS.parents[1],
        # pytest and Celery are pure Python: those installed here do.
        env={**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout
