"""Whose code a file is, by its path, and by what is here."""

import json
import sysconfig
import zipfile
from pathlib import Path

import celery
import pytest

import devkit
from devkit.model.own import is_library, is_own, within


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("/app/shop/tasks.py", True),
        ("/app/src/shop/tasks.py", True),
        ("/app/lib/shop/python/tasks.py", True),  # looks like Python's, and is not
        ("/app/bin/tasks.py", True),
        ("/shared/pricing/vat.py", True),  # beside the project
        ("C:\\app\\shop\\tasks.py", True),
        ("/app/env/lib/python3.11/json/decoder.py", False),
        ("/app/conda/lib/python3.13t/json/decoder.py", False),
        ("/usr/lib64/python3.12/json/decoder.py", False),
        ("/opt/pypy/lib/pypy3.10/json/decoder.py", False),
        ("/usr/lib/python311.zip/json/decoder.py", False),
        ("/Library/Frameworks/Python.framework/Versions/3.12/lib/python3.12/json/decoder.py", False),
        ("/app/my-env/lib/python3.11/site-packages/requests/api.py", False),
        ("/usr/lib/python3/dist-packages/requests/api.py", False),
        ("C:\\env\\Lib\\site-packages\\requests\\api.py", False),
        ("/usr/local/bin/celery", False),
        ("/src/celery/celery/app/trace.py", False),
        ("/opt/devkit/agent/launch.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", False),
        ("<attrs generated init shop.Order>", False),
        ("sqlalchemy/cyextension/collections.pyx", False),  # as compiled modules name their source
        ("", False),
    ],
)
def test_a_path_tells(file: str, own: bool) -> None:
    assert is_own(file) is own
    assert is_own(file, "/app") is own
    assert is_own(file, "/nowhere/else") is own


def test_names_that_no_file_can_have() -> None:
    assert not is_own("/app/\0/tasks.py", "/app")
    assert not is_own("/app/\ud800/tasks.py", "/app")
    assert is_own(f"/{'app/' * 10_000}tasks.py", "/app")


def test_what_runs_here() -> None:
    root = str(Path(__file__).parents[3])

    assert is_own(__file__, root)
    assert not is_own(json.__file__, "/")
    assert not is_own(f"{sysconfig.get_paths()['stdlib']}/x.py", root)
    assert not is_own(str(celery.__file__), root)
    assert not is_own(str(Path(devkit.__file__).with_name("agent") / "frames.py"), root)


@pytest.mark.parametrize("package", ["shop", "shop.tasks"])
def test_the_tasks_own_package_may_be_installed(package: str) -> None:
    packages = "/app/.venv/lib/python3.11/site-packages"

    assert is_own(f"{packages}/shop/tasks.py", "/app", package)
    assert is_own(f"{packages}/shop.py", "/app", package)
    assert not is_own(f"{packages}/shopping/tasks.py", "/app", package)
    assert not is_own(f"{packages}/requests/shop/tasks.py", "/app", package)
    assert not is_own(f"{packages}/celery/app/builtins.py", "/app", "celery.app.builtins")


def test_the_tasks_own_package_may_be_installed_beside_the_standard_library() -> None:
    """As in images, where there is no environment."""
    packages = f"{sysconfig.get_paths()['stdlib']}/site-packages"

    assert is_own(f"{packages}/shop/tasks.py", "/app", "shop.tasks")
    assert is_own(f"{packages}/shop/tasks.py", f"{packages}/shop")
    assert not is_own(f"{packages}/requests/api.py", "/app", "shop.tasks")
    assert not is_own(json.__file__, "/app", "json")  # a package of the project's may have such a name


@pytest.mark.parametrize("root", ["/home/devkit/agent", "/home/devkit", "/src/celery", "/home/bin"])
def test_where_the_project_itself_lies_tells_nothing(root: str) -> None:
    for file in ("tasks.py", "app/tasks.py", "worker", "local.py"):
        assert is_own(f"{root}/{file}", root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project; each file that a test names is made there."""
    (tmp_path / "repository" / "project").mkdir(parents=True)
    return tmp_path / "repository" / "project"


def made(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


@pytest.mark.parametrize("name", [".venv", "env", "conda", "my-env"])
@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_an_environment_in_the_project(root: Path, name: str, mark: str) -> None:
    made(root / name / mark)

    for file in ("lib/python3.11/json/decoder.py", "lib/python3.11/site-packages/x.py", "src/x/x.py", "share/x.py"):
        assert not is_own(made(root / name / file), str(root))
    assert is_own(made(root / f"{name}s" / "src" / "x.py"), str(root))


def test_a_project_in_an_environment(root: Path) -> None:
    made(root.parent / "pyvenv.cfg")

    assert is_own(made(root / "shop" / "tasks.py"), str(root))


def test_a_project_where_libraries_lie(tmp_path: Path) -> None:
    root = tmp_path / "lib" / "python3.11" / "project"

    assert is_own(made(root / "tasks.py"), str(root))
    assert not is_own(made(root / "env" / "lib" / "python3.11" / "x.py"), str(root))


def test_links(root: Path, tmp_path: Path) -> None:
    packages = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    tasks, library = made(root / "src" / "shop" / "tasks.py"), made(packages / "requests" / "api.py")
    (root / "libraries").symlink_to(packages)
    (packages / "shop").symlink_to(root / "src" / "shop")  # so are packages installed to be edited
    (tmp_path / "cache").mkdir()
    (packages / "cached").symlink_to(tmp_path / "cache")  # so are others, to save room
    (tmp_path / "work").symlink_to(root)

    for home in (root, tmp_path / "work"):
        assert is_own(tasks, str(home))
        assert is_own(str(tmp_path / "work" / "src" / "shop" / "tasks.py"), str(home))
        assert is_own(str(packages / "shop" / "tasks.py"), str(home))
        assert not is_own(library, str(home))
        assert not is_own(str(root / "libraries" / "requests" / "api.py"), str(home))
        assert not is_own(str(packages / "cached" / "x.py"), str(home))


def test_a_package_beside_the_project(root: Path) -> None:
    assert is_own(made(root.parent / "shared" / "pricing" / "vat.py"), str(root))


def test_a_standard_library_in_an_archive(root: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "python311.zip", "w") as archive:
        archive.writestr("json/decoder.py", "")

    assert not is_own(str(tmp_path / "python311.zip" / "json" / "decoder.py"), str(root))


def test_a_librarys_file_as_its_users_know_it() -> None:
    assert within("/venv/lib/python3.11/site-packages/celery/app/trace.py") == "celery/app/trace.py"
    assert within("/usr/lib/python3.11/json/decoder.py") == "json/decoder.py"
    assert within("/app/shop/tasks.py") == "/app/shop/tasks.py"
    assert not is_library("/app/shop/tasks.py")
