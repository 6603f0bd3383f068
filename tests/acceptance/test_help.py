"""Help, version and shell completion."""

import re

import pytest

from devkit import __version__
from tests.acceptance.harness import DEVKIT, PYTHON, Project

COMMANDS = ["up", "down", "status", "logs", "restart", "run", "debug", "failures", "show", "replay"]


def complete(project: Project, line: str) -> list[str]:
    """What bash would offer for the last word of this command line."""
    words = line.split(" ")
    asked = {"_DEVKIT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = project.devkit(env=asked).expect(0)
    assert done.err == ""
    return [offer.partition(",")[2] for offer in done.out.splitlines() if offer]


def test_version(empty: Project) -> None:
    assert __version__ in empty.devkit("--version").expect(0).out


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command(empty: Project, option: str) -> None:
    shown = empty.devkit(option).expect(0).out
    assert [name for name in COMMANDS if not re.search(rf"^  {name} +\S", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(empty: Project, command: str, option: str) -> None:
    shown = empty.devkit(command, option).expect(0).out
    assert shown.startswith(f"Usage: devkit {command}")
    assert "  -C, --directory" in shown


def test_python_m_devkit_shows_the_same(empty: Project) -> None:
    assert empty.run(PYTHON, "-m", "devkit", "-h").expect(0).out == empty.run(DEVKIT, "-h").expect(0).out


def test_tasks_are_completed_while_a_stack_runs(running: Project) -> None:
    assert complete(running, "devkit run di") == ["divide"]
    assert "sample_app.tasks.divide" in complete(running, "devkit run sample_app.")
    assert {"divide", "build_report", "square"} <= set(complete(running, "devkit run "))


@pytest.mark.parametrize("command", ["up", "logs", "restart"])
def test_services_are_completed(running: Project, command: str) -> None:
    assert complete(running, f"devkit {command} wo") == ["worker"]


def test_completion_without_a_stack_offers_what_it_knows(small: Project) -> None:
    assert complete(small, "devkit run ad") in ([], ["add"])
    assert complete(small, "devkit up fl") == ["flower"]
    assert complete(small, "devkit sta") == ["status"]
    assert "--no-flower" in complete(small, "devkit up --no-")


def test_completion_in_a_broken_project_is_silent(small: Project) -> None:
    small.write({"pyproject.toml": "[tool.devkit\n"})
    assert complete(small, "devkit run ad") == []
    assert complete(small, "devkit up fl") == ["flower"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(empty: Project, shell: str) -> None:
    assert "_DEVKIT_COMPLETE" in empty.devkit(env={"_DEVKIT_COMPLETE": f"{shell}_source"}).expect(0).out
