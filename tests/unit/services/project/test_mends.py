"""What is said to do where a package is missing: by the files that the project has for that."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from devkit.model.wire import Trouble
from devkit.services.project.install import pip
from devkit.services.project.mends import package_error, raised_error, start_advice, variable_error
from devkit.settings.discover import AppRef

PIP = f"{sys.executable} -m pip install"


def mends(root: Path, files: Mapping[str, str], **problem: str) -> tuple[str, ...]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    trouble: Trouble = {"python": sys.executable, "message": "No module", "traceback": "", "missing": ""}
    trouble.update(problem)  # type: ignore[typeddict-item]
    return package_error(trouble, AppRef(root, "worker", "app"), root).mend[:-1]


@pytest.mark.parametrize(
    ("files", "missing", "line"),
    [
        ({"requirements.txt": "PyYAML==6\n"}, "yaml", f"{PIP} -r requirements.txt"),
        ({"requirements.txt": "-r more.txt\n", "more.txt": "py_jwt\nPYJWT\n"}, "jwt", f"{PIP} -r requirements.txt"),
        (
            {"requirements.txt": "celery\n", "requirements/prod.txt": "uvicorn[standard]>=0.2\n"},
            "uvicorn",
            f"{PIP} -r requirements/prod.txt",
        ),
        ({"poetry.lock": '[[package]]\nname = "uvicorn"\n'}, "uvicorn.config", "poetry install"),
        ({"uv.lock": 'name = "celery"\n', "requirements.txt": "flask\n"}, "flask", f"{PIP} -r requirements.txt"),
        ({"pyproject.toml": '[project]\ndependencies = ["psycopg2 >= 2"]\n'}, "psycopg2", f"{PIP} -e ."),
    ],
)
def test_what_the_project_lists_is_installed_by_its_own_files(
    tmp_path: Path, files: Mapping[str, str], missing: str, line: str
) -> None:
    assert mends(tmp_path, files, missing=missing) == (f"install what the project asks for: {line}",)


@pytest.mark.parametrize(
    ("missing", "package"),
    [
        ("uvicorn", "uvicorn"),
        ("cv2", "opencv-python-headless"),
        ("pkg_resources", "'setuptools<81'"),
        ("google.cloud.storage", "google-cloud-storage"),
    ],
)
def test_what_no_file_lists_is_named_as_pip_knows_it(tmp_path: Path, missing: str, package: str) -> None:
    files = {"requirements.txt": "celery\nmy-uvicorn\n# uvicorn\nuvicorn-worker\n"}

    assert mends(tmp_path, files, missing=missing) == (
        f"{PIP} {package}   (no requirements file lists it)",
        f"or, if more is missing, what the project asks for: {PIP} -r requirements.txt",
    )


def test_what_the_error_itself_asks_for_comes_first(tmp_path: Path) -> None:
    files = {"requirements.txt": "SQLAlchemy\n"}

    assert mends(tmp_path, files, install="sqlalchemy[asyncio]") == (
        f"{PIP} 'sqlalchemy[asyncio]'",
        f"or what the project asks for: {PIP} -r requirements.txt",
    )


def test_a_version_that_the_project_itself_asks_for_is_not_installed_again(tmp_path: Path) -> None:
    files = {"requirements.txt": "python_socketio[client] == 5.14.0\n"}

    (mend,) = mends(tmp_path, files, missing="socketio.old", what="python-socketio 5.14.0")
    assert mend.startswith("requirements.txt asks for just this version")


def test_an_environment_without_pip(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)

    python = str(tmp_path / "bare" / "bin" / "python")
    assert pip(python) == f"uv pip install --python {python}"
    assert pip(sys.executable) == PIP


def trouble(root: Path, **more: object) -> Trouble:
    found: Trouble = {"python": "python", "message": "ValueError: 'None'", "traceback": "ValueError: 'None'"}
    found.update({"file": str(root / "a.py"), "line": 3, **more})  # type: ignore[typeddict-item]
    return found


def test_what_else_the_code_reads_is_offered_at_once(tmp_path: Path) -> None:
    for name, text in {"a.env": "A=1\n", "b.env": "B=1\nC=1\n", "c.env": "C=1\n"}.items():
        (tmp_path / name).write_text(text)
    reads = dict.fromkeys(("A", "B", "C", "NOWHERE"), f"{tmp_path}/a.py:1")
    error = variable_error(trouble(tmp_path, variables=["A"], reads=reads), AppRef(tmp_path, "a", "app"), tmp_path)

    assert error.mend[0] == "devkit up --env-file b.env --env-file a.env"


def test_a_failure_is_told_with_the_variables_that_project_files_have_values_for(tmp_path: Path) -> None:
    compose = (
        "services:\n  worker:\n    image: x\n    env_file: [gone.env]\n    environment:\n      PORT: Trip-Wire-7\n"
    )
    (tmp_path / "docker-compose.yml").write_text(compose)
    reads = {"PORT": f"{tmp_path}/config.py:2", "OTHER": f"{tmp_path}/config.py:3"}
    error = raised_error(trouble(tmp_path, reads=reads), AppRef(tmp_path, "a", "app"), tmp_path)

    assert error.looked == (
        "PORT is not set, which config.py:2 reads",
        "PORT has a value in docker-compose.yml:6 (service worker)",
        "gone.env is not there, which docker-compose.yml names as env_file of worker",
    )
    assert error.mend[0] == "if that is why: devkit up --env-from compose:worker"
    assert raised_error(trouble(tmp_path), AppRef(tmp_path, "a", "app"), tmp_path).looked == ()


COMPOSE = """
services:
  db: {image: "postgres:17"}
  store: {image: "me/store", ports: ["9123:9000"]}
  mysql: {image: mysql}
  web: {build: .}
"""


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        (
            'psycopg2.OperationalError: server at "localhost" (127.0.0.1), port 5432 failed: refused\n?',
            "devkit up --with db starts Postgres (docker-compose.yml:3), which does not answer at localhost:5432",
        ),
        (
            "OSError: Multiple exceptions: [Errno 111] Connect call failed ('::1', 5432, 0, 0), [Errno 111]",
            "devkit up --with db starts Postgres (docker-compose.yml:3), which does not answer at ::1:5432",
        ),
        (
            'could not translate host name "db" to address: Name or service not known',
            "devkit up --with db starts Postgres (docker-compose.yml:3), which does not answer at db",
        ),
        (
            "ConnectionRefusedError: cannot connect to http://127.0.0.1:9123/x",
            "devkit up --with store starts the server (docker-compose.yml:4), which does not answer at 127.0.0.1:9123",
        ),
        (
            "(2003, \"Can't connect to MySQL server on 'localhost' ([Errno 111] Connection refused)\")",
            "devkit up --with mysql starts MySQL (docker-compose.yml:5), which does not answer at localhost",
        ),
        (
            "[Errno 111] Connect call failed ('127.0.0.1', 4222)",
            "start the server at 127.0.0.1:4222, or name another address in .env",
        ),
    ],
)
def test_a_server_that_a_service_has_not_reached_at_its_start(tmp_path: Path, said: str, mend: str) -> None:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)

    assert start_advice(f"Traceback:\n{said}\nApplication startup failed.", tmp_path, "python") == [mend]


@pytest.mark.parametrize("said", ["", "ValueError: 1", "mend: devkit up --with db\nport 5432 failed: refused"])
def test_an_end_that_has_another_reason(tmp_path: Path, said: str) -> None:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)

    assert start_advice(said, tmp_path, "python") == []


def test_a_package_that_a_service_misses_at_its_start(tmp_path: Path) -> None:
    said = "Traceback:\nModuleNotFoundError: No module named 'yaml'\n\nApplication startup failed. Exiting."

    assert start_advice(said, tmp_path, sys.executable) == [f"{PIP} PyYAML"]
    (tmp_path / "requirements.txt").write_text("pyyaml\n")
    assert start_advice(said, tmp_path, sys.executable) == [
        f"install what the project asks for: {PIP} -r requirements.txt"
    ]
