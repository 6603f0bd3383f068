"""The services that a project adds."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.services.stack.extra import extra_service
from devkit.settings.tables import ExtraService
from devkit.stack.service import Finish, Poll, Service
from tests.unit.services.projects import project_in

KNOWN = ("redis", "api", "worker", "web")


def make(
    folder: Path,
    *,
    command: str | tuple[str, ...] = "npm run dev",
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    ready: str | None = None,
    depends_on: tuple[str, ...] = (),
) -> Service:
    project = project_in(
        folder, environ={"A": "project", "B": "project", "C": "project"}, late={"B": "late", "C": "late"}
    )
    return extra_service(project, ExtraService("web", command, cwd, env or {}, ready, depends_on), KNOWN)


def ready(folder: Path, text: str) -> str:
    """What the service waits for."""
    found = make(folder, ready=text).ready
    assert isinstance(found, Poll)
    return found.what


def test_a_command_in_words_is_the_shells(tmp_path: Path) -> None:
    service = make(tmp_path, command="cd x && npm run dev")

    assert service.argv == ("/bin/sh", "-c", "cd x && npm run dev")
    assert service.how == "cd x && npm run dev"
    assert service.signal_group


def test_a_command_in_parts_is_run_as_it_is(tmp_path: Path) -> None:
    service = make(tmp_path, command=("npm", "run", "dev server"))

    assert service.argv == ("npm", "run", "dev server")
    assert not service.signal_group


def test_its_environment_is_the_projects_with_the_brokers_and_its_own(tmp_path: Path) -> None:
    env = make(tmp_path, env={"C": "own", "D": "own"}).env

    assert {name: env[name] for name in "ABCD"} == {"A": "project", "B": "late", "C": "own", "D": "own"}


def test_programs_of_the_projects_virtualenv_come_first(tmp_path: Path) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    (programs / "alembic").write_text("#!/bin/sh\necho its own\n")
    (programs / "alembic").chmod(0o755)
    project = replace(project_in(tmp_path, environ={"PATH": "/usr/bin:/bin"}), python=str(programs / "python"))
    service = extra_service(project, ExtraService("web", "alembic", None, {}, None, ()), KNOWN)

    assert subprocess.run(service.argv, env=service.env, capture_output=True, check=True).stdout == b"its own\n"


def test_an_interpreter_of_the_system_changes_nothing(tmp_path: Path) -> None:
    project = replace(project_in(tmp_path, environ={"PATH": "/opt/bin"}), python="/usr/bin/python3")

    assert extra_service(project, ExtraService("web", "x", None, {}, None, ()), KNOWN).env == {"PATH": "/opt/bin"}


def test_its_folder_is_seen_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "frontend").mkdir()

    assert make(tmp_path).cwd == tmp_path
    assert make(tmp_path, cwd="frontend").cwd == tmp_path / "frontend"


@pytest.mark.parametrize("cwd", ["frontend", "pyproject.toml"])
def test_a_folder_that_is_none(tmp_path: Path, cwd: str) -> None:
    (tmp_path / "pyproject.toml").touch()

    with pytest.raises(UsageError, match=f"there is no folder {tmp_path / cwd}") as caught:
        make(tmp_path, cwd=cwd)

    assert caught.value.what.startswith("[tool.devkit.services.web]: ")


def test_what_it_depends_on(tmp_path: Path) -> None:
    assert make(tmp_path, depends_on=("api", "redis")).depends_on == ("api", "redis")


def test_a_dependency_that_is_no_service(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        make(tmp_path, depends_on=("api", "wroker"))

    assert caught.value.what == (
        "[tool.devkit.services.web] depends on 'wroker', which is no service here; did you mean 'worker'?"
    )


# --- when it is ready ---


def test_without_a_word_it_is_ready_at_once(tmp_path: Path) -> None:
    service = make(tmp_path)

    assert (service.ready, service.url) == (None, None)


def test_it_may_be_ready_when_it_has_finished(tmp_path: Path) -> None:
    assert make(tmp_path, ready="exit").ready == Finish()


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000", "https://localhost/health?x=1"])
def test_it_may_be_ready_when_a_url_answers(tmp_path: Path, url: str) -> None:
    assert ready(tmp_path, url) == f"GET {url}"
    assert make(tmp_path, ready=url).url == url


def test_it_may_be_ready_when_a_port_answers(tmp_path: Path) -> None:
    assert ready(tmp_path, "tcp://db:5432") == "a connection to db:5432"
    assert make(tmp_path, ready="tcp://db:5432").url is None


@pytest.mark.parametrize("command", ["pg_isready -q", "test -e up", "http --check-status :3000/health", "exit 0"])
def test_it_may_be_ready_when_a_command_succeeds(tmp_path: Path, command: str) -> None:
    assert ready(tmp_path, command) == f"success of `{command}`"
    assert make(tmp_path, ready=command).url is None


@pytest.mark.parametrize(
    "url",
    [
        *("tcp://127.0.0.1", "tcp://:3000", "tcp://127.0.0.1:http", "tcp://127.0.0.1:99999", "tcp://[::1:3000"),
        *("http://127.0.0.1:port/", "http://127.0.0.1:99999", "http://[::1", "http://"),
    ],
)
def test_a_url_that_is_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(tmp_path, ready=url)

    assert caught.value.what.startswith(f"[tool.devkit.services.web]: ready = {url!r} ")
    assert "tcp://127.0.0.1:3000" in caught.value.mend[0]
