"""Projects with what no project should have: a line for people, in time, and nothing that a terminal obeys."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devkit.services.environment.servers import known_here
from tests.unit.settings.apps import APP

GIVEN_UP_S = 60
SERVED = "services:\n  jobs:\n    build: .\n    command: celery -A app.celery worker\n"


def init(root: Path, expect: int) -> str:
    """What `devkit init` says of it, in which there is an app besides."""
    (root / ".git").mkdir()
    app = root / "app" / "celery.py"
    app.parent.mkdir()
    app.write_text(APP)
    return devkit(root, expect, "init")


def devkit(root: Path, expect: int, *argv: str) -> str:
    """What the command prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "devkit", *argv],
        check=False,
        cwd=root,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GIVEN_UP_S,
    )
    said = (done.stdout + done.stderr).decode(errors="surrogateescape")
    assert done.returncode == expect, said
    assert "devkit itself failed" not in said
    return said


@pytest.mark.parametrize("what", ["a pipe", "a device"])
def test_what_is_no_file_is_not_read_wherever_it_is_named(tmp_path: Path, what: str) -> None:
    if what == "a pipe":
        os.mkfifo(tmp_path / "odd")
    else:
        (tmp_path / "odd").symlink_to("/dev/zero")
    (tmp_path / "docker-compose.yml").write_text(
        f"{SERVED}    env_file: odd\n    extends: {{file: odd, service: x}}\n"
        "  other:\n    build: {context: ., dockerfile: odd}\n    command: sh odd\n"
    )
    (tmp_path / "Procfile").write_text("a: sh odd\nb: python odd\n")
    (tmp_path / "requirements.txt").write_text("-r odd\ncelery\n")

    assert "app.celery" in init(tmp_path, 0)


@pytest.mark.parametrize("what", ["a pipe", "a device", "deep"])
def test_a_pyproject_that_is_none_is_named(tmp_path: Path, what: str) -> None:
    file = tmp_path / "pyproject.toml"
    if what == "a pipe":
        os.mkfifo(file)
    elif what == "a device":
        file.symlink_to("/dev/zero")
    else:
        file.write_text(f"a = {'[' * 5000}{']' * 5000}")

    assert str(file) in init(tmp_path, 2)


def test_nothing_that_a_terminal_obeys_is_shown_or_written_down(tmp_path: Path) -> None:
    odd = "\x1b[2J\u202e"
    for name in (f"x{odd}.py", f"y\n{odd}.py", f"in{odd}/app.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(APP)
    (tmp_path / f"start{odd}.sh").write_text("celery -A app.celery worker -Q odd\n")
    (tmp_path / os.fsdecode(b"start\xff.sh")).write_text("celery -A app.celery worker -Q odd\n")
    (tmp_path / "docker-compose.yml").write_text(
        'services:\n  "jobs\\e[2J":\n    build: .\n    command: celery -A app.celery worker\n'
        "  more:\n    build: .\n    command: \"celery -A app.celery worker -Q '\\e[2J\\u202e'\"\n"
        '    environment: {"A\\e[2J": "x", B: "a\\0b"}\n'
    )

    said = init(tmp_path, 0)

    assert "\x1b" not in said
    assert "\u202e" not in said
    assert (tmp_path / "pyproject.toml").read_text().replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "text", ['[tool.devkit]\ndata_dir = "\\u0000"\n', '[tool.devkit]\ncelery = "app:\\u001b[2J"\n']
)
def test_a_setting_that_cannot_be_printed_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    said = init(tmp_path, 2)

    assert "pyproject.toml, line 2" in said
    assert "\x1b" not in said


def test_an_env_file_with_nul_characters_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=hidden\0so\n")

    said = init(tmp_path, 2)

    assert ".env" in said
    assert "TOKEN" in said
    assert "hidden" not in said


def test_scripts_that_call_each_other_in_circles_end(tmp_path: Path) -> None:
    for one, other in (("a.sh", "b.sh"), ("b.sh", "a.sh")):
        (tmp_path / one).write_text(f"./{other}\n" * 100 + "celery -A app.celery worker\n")

    assert "app.celery" in init(tmp_path, 0)


@pytest.mark.parametrize("name", ["a..b", "../x", "x" * 90, "a b"])
def test_what_no_host_can_be_called_is_nowhere(tmp_path: Path, name: str) -> None:
    assert known_here(frozenset((name,))) == frozenset()
    assert name in devkit(tmp_path, 1, "debug", "--host", name, "--port", "1")


def test_a_device_is_no_saved_case(tmp_path: Path) -> None:
    init(tmp_path, 0)

    assert "it is a device" in devkit(tmp_path, 125, "replay", "/dev/zero")


def test_a_pipe_called_manage_py_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manage.py")

    init(tmp_path, 0)

    assert "there is no" not in devkit(tmp_path, 2, "run", "-A", "app.celery", "nothing-such", "--no-wait")
