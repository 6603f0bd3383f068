"""What is said to do where a package is missing: by the files that the project has for that."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from devkit.model.wire import Trouble
from devkit.services.project.install import pip
from devkit.services.project.mends import package_error
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
