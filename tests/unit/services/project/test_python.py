"""Which interpreter runs the project."""

import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.services.project.python import find_python


def environment(folder: Path, name: str = "python") -> Path:
    """A virtualenv's interpreter, as far as finding it goes."""
    python = folder / "bin" / name
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return python


def test_the_projects_own_virtualenv_comes_before_the_active_one(tmp_path: Path) -> None:
    places = {
        "dot": tmp_path / ".venv",
        "plain": tmp_path / "venv",
        "active": tmp_path / "active",
        "conda": tmp_path / "conda",
    }
    environ = {"VIRTUAL_ENV": str(places["active"]), "CONDA_PREFIX": str(places["conda"])}
    found = []

    for folder in reversed(places.values()):
        environment(folder)
        found.append(find_python(tmp_path, None, environ))

    assert found == [str(folder / "bin" / "python") for folder in reversed(places.values())]


def test_without_any_devkits_own_will_do(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()

    assert find_python(tmp_path, None, {"VIRTUAL_ENV": "", "CONDA_PREFIX": "/no/such"}) == sys.executable


@pytest.mark.parametrize("setting", ["env/bin/python3.11", "./env/bin/python3.11", "{root}/env/bin/python3.11"])
def test_the_setting_is_a_path_seen_from_the_project(tmp_path: Path, setting: str) -> None:
    python = environment(tmp_path / "env", "python3.11")
    environment(tmp_path / ".venv")

    assert Path(find_python(tmp_path, setting.format(root=tmp_path), {})) == python


def test_the_setting_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    python = environment(tmp_path / "env")

    assert find_python(Path("/"), "~/env/bin/python", {}) == str(python)


def test_the_setting_may_be_a_name_on_the_path(tmp_path: Path) -> None:
    python = environment(tmp_path, "python9")

    assert find_python(Path("/"), "python9", {"PATH": f"/no/such:{python.parent}"}) == str(python)


@pytest.mark.parametrize("setting", ["python9", "bin/python9", "notes.txt", "./notes.txt"])
def test_a_setting_that_names_no_program(tmp_path: Path, setting: str) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(UsageError, match=f"there is no interpreter {setting}") as caught:
        find_python(tmp_path, setting, {"PATH": str(tmp_path)})

    assert "DEVKIT_PYTHON" in caught.value.mend[0]


@pytest.mark.parametrize("name", [".venv", "venv", "env", ".env", "virtualenv"])
def test_a_programs_own_folder_comes_before_those_above_it(tmp_path: Path, name: str) -> None:
    root = tmp_path / "shop"
    environ = {"VIRTUAL_ENV": str(tmp_path / "active")}
    environment(tmp_path / "active")
    environment(tmp_path / ".venv")  # not the project's any more
    near, own = environment(root / "services" / name), environment(root / "services" / "worker" / name)

    assert find_python(root, None, environ) == str(tmp_path / "active" / "bin" / "python")
    assert find_python(root, None, environ, root / "services" / "worker" / "src") == str(own)
    assert find_python(root, None, environ, root / "services" / "api") == str(near)
    assert find_python(root, str(near), environ, root / "services" / "worker") == str(near)


def test_those_that_poetry_and_pipenv_keep_elsewhere(tmp_path: Path) -> None:
    """By the hash of the folder's path, which their names end with."""
    folder = tmp_path / "shop"
    (folder / "worker").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    (folder / "worker" / "Pipfile").touch()
    hashes = [
        urlsafe_b64encode(sha256(str(path).encode()).digest())[:8].decode()
        for path in (folder, folder / "worker" / "Pipfile")
    ]
    poetry = environment(tmp_path / f".cache/pypoetry/virtualenvs/shop-{hashes[0]}-py3.11")
    environment(tmp_path / ".cache/pypoetry/virtualenvs/shop-0AbC_-12-py3.11")
    pipenv = environment(tmp_path / f".local/share/virtualenvs/worker-{hashes[1]}")
    environ = {"HOME": str(tmp_path)}

    assert find_python(folder, None, environ) == str(poetry)
    assert find_python(folder, None, environ, folder / "worker") == str(pipenv)

    environment(tmp_path / f".cache/pypoetry/virtualenvs/shop-{hashes[0]}-py3.12")
    assert find_python(folder, None, environ) == sys.executable  # only Poetry knows
