"""Help, version and shell completion."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from devkit import __version__
from devkit.cli.main import cli
from tests.acceptance.harness import DEVKIT, PYTHON, Project

COMMANDS = sorted(cli.commands)


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
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(empty: Project, command: str, option: str) -> None:
    shown = empty.devkit(command, option).expect(0).out
    assert shown.startswith(f"Usage: devkit {command}")
    assert "  -C, --directory" in shown


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_terminal_of_80_columns(empty: Project, command: str) -> None:
    shown = empty.devkit(*command.split(), "-h", env={"COLUMNS": "80"}).expect(0).out
    assert [line for line in shown.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_in_examples_which_can_be_typed(empty: Project, command: str) -> None:
    """Each names this command, and options that it has."""
    shown = empty.devkit(command, "-h").expect(0).out
    _, _, examples = shown.partition("\nExamples:\n")
    lines = re.findall(
        rf"^  (\S.*\bdevkit .*?\b{command}\b.*?|devkit .*?\b{command}\b.*?)(?:   .*)?$", examples, re.MULTILINE
    )
    assert len(lines) >= 2
    found = cli.commands[command]
    known = {name for option in (*found.params, *cli.params) for name in (*option.opts, *option.secondary_opts)}
    for line in lines:
        words = shlex.split(re.split(r" \| | >> |\)\"", line)[0].partition("devkit ")[2])
        assert command in words, line
        assert [word for word in words if word.startswith("-") and word not in known] in ([], ["-Q", "-c"]), line


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
    assert "_DEVKIT_COMPLETE" in empty.devkit("completion", shell).expect(0).out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_put_where_the_shell_reads_it_once(small: Project, tmp_path: Path, shell: str) -> None:
    home = tmp_path / "home of mine"
    home.mkdir()
    start = home / (".bash_profile" if (shell, sys.platform) == ("bash", "darwin") else f".{shell}rc")
    if shell != "fish":
        start.write_text("export MINE=1")
    env = {"HOME": str(home)}

    told = small.devkit("completion", shell, "--install", env=env).expect(0).err
    first = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    again = small.devkit("completion", shell, "--install", env=env).expect(0).err

    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == first
    assert all(f"{path}: " in told for path in first), told
    assert "is up to date" in again
    if shell != "fish":
        assert start.read_text().startswith("export MINE=1\n")
    if program := shutil.which(shell):
        asked = {
            "bash": "COMP_WORDS=(devkit sta) COMP_CWORD=1; _devkit_completion devkit; echo ${COMPREPLY[@]}",
            "zsh": "echo ${_comps[devkit]}",
            "fish": "complete --do-complete 'devkit sta'",
        }
        path = f"{Path(DEVKIT).parent}:{small.environ['PATH']}"
        done = small.run(program, "-i", "-c", asked[shell], env={**env, "PATH": path})
        assert ("_devkit_completion" if shell == "zsh" else "status") in done.expect(0).out, done


def test_a_file_that_cannot_be_written_is_named(small: Project, tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("in the way")
    error = small.devkit("completion", "bash", "--install", env={"HOME": str(tmp_path)}).expect(1).err
    assert str(tmp_path / ".local") in error
