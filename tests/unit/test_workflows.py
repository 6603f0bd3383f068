"""The workflows of the forge do what the Makefile does, for the Pythons that the package names."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# What prepares the machine, and is of no interest to anybody's own.
BESIDES = ("sudo apt-get", "brew install", "test -f")


def jobs(workflow: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    return found


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(workflow).values() for step in job["steps"]]


def test_there_is_one_for_the_tests_and_one_for_releases() -> None:
    assert [path.stem for path in WORKFLOWS] == ["release", "tests"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_each_job_and_each_step_is_whole(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text())

    assert set(document) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads `on` as true
    for job in document["jobs"].values():
        assert {"runs-on", "steps"} <= set(job)
        assert set(job.get("needs", "").split()) <= set(document["jobs"])
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step), step
        assert re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", step.get("uses", "a/b@v1")), step


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_what_they_run_is_what_anybody_runs(workflow: Path) -> None:
    commands = [step["run"] for step in steps(workflow) if "run" in step]

    own = [command for command in commands if not command.startswith(BESIDES)]
    assert own
    assert [command for command in own if not re.match(rf"make ({'|'.join(TARGETS)})\b", command)] == []
    for path in re.findall(r"\btests/\S+", "\n".join(own)):
        assert (ROOT / path).exists()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_no_host_is_named_in_them(workflow: Path) -> None:
    assert re.findall(r"https?://|\b[\w-]+\.(?:org|com|io|net)\b", workflow.read_text()) == []


def test_the_tests_run_on_each_python_that_the_package_names_and_on_both_systems() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if re.search(r":: 3\.\d+$", text)]
    matrix = jobs(ROOT / ".github/workflows/tests.yml")["tests"]["strategy"]["matrix"]

    assert matrix["python"] == named
    assert {*matrix["os"], *(one["os"] for one in matrix["include"])} == {"ubuntu-latest", "macos-latest"}
    assert {one["python"] for one in matrix["include"]} <= set(named)
