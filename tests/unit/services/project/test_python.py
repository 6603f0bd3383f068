"""Which interpreter runs the project."""

import sys
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
