"""Discovery over small project trees: what is found, what is preferred, and what each error tells."""

import ast
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from devkit.settings import discover
from devkit.settings.discover import AppRef, find_celery, find_programs, resolve_celery
from tests.unit.settings.apps import API, APP, CELERY, FASTAPI, Write, celery_error, find_api

# --- what counts as an app ---


@pytest.mark.parametrize(
    "source",
    [
        "from celery import Celery\napp = Celery('x')",
        "from celery import Celery as C\napp = C('x')",
        "from celery.app.base import Celery\napp = Celery('x')",
        "import celery\napp = celery.Celery('x')",
        "import celery as c\napp = c.Celery('x')",
        "import celery.app\napp = celery.app.Celery('x')",
        "from celery import Celery\napp: Celery = Celery('x')",
        "from celery import Celery\napp = other = Celery('x')",
        "try:\n    from celery import Celery\nexcept ImportError:\n    raise\nif True:\n    app = Celery('x')",
        "from celery import Celery\nif X:\n    app = Celery('x')\nelse:\n    app = Celery('y')",
        "from celery import Celery\nwith open('x') as f:\n    app = Celery('x')",
        "# coding: latin-1\nfrom celery import Celery\nname = '\xe9'\napp = Celery('x')".encode("latin-1"),
        "\ufefffrom celery import Celery\napp = Celery('x')",
        "from celery import Celery\npattern = '\\d'\napp = Celery('x')",  # a warning when parsed
    ],
)
def test_finds_a_celery_app_however_it_is_written(project: Write, source: str | bytes) -> None:
    root = project({"worker.py": source})

    assert find_celery(root) == AppRef(root, "worker", "app")


@pytest.mark.parametrize(
    "source",
    [
        "from fastapi import FastAPI\napi = FastAPI()",
        "from fastapi import FastAPI as F\napi: F = F()",
        "import fastapi\napi = fastapi.FastAPI()",
    ],
)
def test_finds_a_fastapi_app_however_it_is_written(project: Write, source: str) -> None:
    root = project({"main.py": source})

    assert find_api(root) == AppRef(root, "main", "api")


@pytest.mark.parametrize(
    "source",
    [
        "from celery import Celery\ndef create():\n    app = Celery('x')\n    return app",
        "from celery import Celery\nclass A:\n    app = Celery('x')",
        "from celery import Celery\nif __name__ == '__main__':\n    app = Celery('x')",
        "from celery import Celery\napp: Celery",
        "from mylib import Celery\napp = Celery('x')",
        "from .celery import Celery\napp = Celery('x')",
        "import mylib\napp = mylib.Celery('x')",
        "# app = Celery('x')",
        "from celery_app import app  # Celery",
    ],
)
def test_is_not_an_app(project: Write, source: str) -> None:
    root = project({"worker.py": source})

    assert celery_error(root).what == "No Celery app found"


def test_a_ref_reads_as_people_type_it(tmp_path: Path) -> None:
    assert str(AppRef(tmp_path, "proj.worker", "app")) == "proj.worker:app"


# --- which one ---


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.py": APP, "b.py": CELERY.format("celery_app")}, "b:celery_app"),
        ({"a.py": APP, "b.py": CELERY.format("celery")}, "b:celery"),
        ({"a.py": CELERY.format("queue"), "b.py": APP}, "b:app"),
        ({"main.py": APP, "tasks.py": APP, "worker.py": APP, "x.py": APP}, "worker:app"),
        ({"main.py": APP, "celery_app.py": APP}, "celery_app:app"),
        ({"proj/__init__.py": "", "proj/celery.py": APP, "worker.py": APP}, "proj.celery:app"),
        ({"celery_app/__init__.py": APP, "worker.py": APP}, "celery_app:app"),
        ({"p/__init__.py": "", "p/worker.py": APP, "worker.py": APP}, "worker:app"),
        ({"tests/worker.py": CELERY.format("celery_app"), "x.py": CELERY.format("queue")}, "x:queue"),
        ({"docs/worker.py": APP, "examples/worker.py": APP, "benchmarks/worker.py": APP, "deep/er/x.py": APP}, "x:app"),
        ({"conftest.py": APP, "test_worker.py": APP, "x.py": CELERY.format("queue")}, "x:queue"),
        ({"tests/worker.py": APP}, "worker:app"),
        ({"app.py": "from worker import celery_app", "worker.py": CELERY.format("celery_app")}, "worker:celery_app"),
        ({"worker.py": "from celery import Celery\nspare = Celery()\napp = Celery()"}, "worker:app"),
        ({"worker.py": "from celery import Celery\nspare = celery_app = Celery()"}, "worker:celery_app"),
    ],
)
def test_prefers_the_conventional_celery_app(project: Write, files: dict[str, str | bytes], expected: str) -> None:
    assert str(find_celery(project(files))) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"main.py": FASTAPI.format("api"), "x.py": API}, "x:app"),
        ({"main.py": FASTAPI.format("application"), "x.py": FASTAPI.format("api")}, "x:api"),
        ({"asgi.py": API, "server.py": API, "api.py": API, "app.py": API, "main.py": API}, "main:app"),
        ({"asgi.py": API, "x.py": API}, "asgi:app"),
        ({"p/__init__.py": "", "p/main.py": API, "main.py": API}, "main:app"),
        ({"tests/main.py": API, "x.py": FASTAPI.format("web")}, "x:web"),
        ({"main.py": API, "worker.py": APP}, "main:app"),
    ],
)
def test_prefers_the_conventional_fastapi_app(project: Write, files: dict[str, str | bytes], expected: str) -> None:
    assert str(find_api(project(files))) == expected


def test_of_several_celery_apps_that_nothing_sets_apart_the_first_is_started_and_the_others_are_named(
    project: Write,
) -> None:
    task = "@app.task\ndef go(): ...\n"
    root = project({"a.py": APP + task, "b.py": "\n" + APP + task, "c.py": CELERY.format("queue")})

    found = find_programs(root)

    assert [str(worker.app) for worker in found.workers] == ["a:app"]
    assert found.notes == ("b.py:3 has a Celery app, too: devkit up -A b:app starts that one",)


def test_of_several_fastapi_apps_that_nothing_sets_apart_the_first_is_started_and_the_others_are_named(
    project: Write,
) -> None:
    found = find_programs(project({"a.py": API, "b.py": API, "worker.py": APP}))

    assert [(api.name, str(api.app)) for api in found.apis] == [("api", "a:app")]
    assert found.notes == ("b.py:2  app = FastAPI app is not started; devkit up --api b:app starts that one",)


# --- none ---


def test_no_celery_app_tells_where_devkit_looked_and_what_mends_it(project: Write) -> None:
    root = project({"main.py": API, "pkg/util.py": "", "README.md": "Celery"})

    error = celery_error(root)

    assert error.what == "No Celery app found"
    assert error.looked == (f"{root}: 2 Python files",)
    assert error.mend == (
        "devkit up -A MODULE:ATTR",
        'celery = "MODULE:ATTR" under [tool.devkit] in pyproject.toml',
    )


def test_no_fastapi_app_is_no_error(project: Write) -> None:
    assert find_programs(project({"worker.py": APP})).apis == ()


def test_names_the_files_that_it_could_not_read_when_nothing_was_found(project: Write) -> None:
    root = project(
        {
            "broken.py": "from celery import Celery\napp = Celery(",
            "latin.py": "from celery import Celery\napp = Celery('\xe9')".encode("latin-1"),
            "nul.py": b"from celery import Celery\0",
            "unrelated.py": "def (",
        }
    )

    where, broken, latin, nul = celery_error(root).looked

    assert where == f"{root}: 4 Python files"
    assert broken == "broken.py: skipped, '(' was never closed (line 2)"
    assert latin.startswith("latin.py: skipped, ")
    assert nul.startswith("nul.py: skipped, ")


def test_unreadable_files_do_not_stop_discovery(project: Write) -> None:
    deep = "from celery import Celery\nx = " + "(" * 5000 + ")" * 5000
    root = project({"broken.py": "Celery(", "deep.py": deep, "worker.py": APP})
    (root / "gone.py").symlink_to(root / "nowhere.py")

    assert str(find_celery(root)) == "worker:app"


def test_a_file_without_permission_is_named(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(file: Path | str) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("devkit.settings.discover.project.read", denied)

    assert "worker.py: skipped, Permission denied" in celery_error(project({"worker.py": APP})).looked


# --- where it looks ---


@pytest.mark.parametrize(
    "folder",
    [
        *(".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache", "build"),
        *("dist", "site-packages", ".devkit", ".anything", "pkg/node_modules"),
    ],
)
def test_ignores_folders_that_are_not_the_projects_own(project: Write, folder: str) -> None:
    root = project({f"{folder}/worker.py": APP, "util.py": ""})

    assert celery_error(root).looked == (f"{root}: 1 Python file",)


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_ignores_environments_by_whatever_name(project: Write, mark: str) -> None:
    root = project({f"env/{mark}": "", "env/lib/worker.py": APP})

    assert celery_error(root).looked == (f"{root}: 0 Python files",)


def test_an_environment_made_in_the_projects_own_folder_does_not_hide_the_project(project: Write) -> None:
    root = project({"pyvenv.cfg": "", "lib/python3.11/site-packages/x.py": APP, "worker.py": APP})

    assert str(find_celery(root)) == "worker:app"


def test_does_not_follow_links_to_folders(project: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "celery_app.py").write_text(APP)
    root = project({"worker.py": APP})
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to(root)

    assert str(find_celery(root)) == "worker:app"


def test_reads_the_project_once_for_both_kinds_and_parses_only_what_may_matter(
    project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project({"main.py": API, "worker.py": APP, "sub/util.py": "x = 1", "lower.py": "import celery, fastapi"})
    listed: list[str] = []
    parsed: list[bytes] = []
    scandir, parse = os.scandir, ast.parse

    def list_folder(folder: str) -> Any:
        listed.append(folder)
        return scandir(folder)

    def parse_source(source: bytes) -> ast.Module:
        parsed.append(source)
        return parse(source)

    monkeypatch.setattr(os, "scandir", list_folder)
    monkeypatch.setattr(ast, "parse", parse_source)

    find_programs(root)
    find_celery(root)

    assert sorted(listed) == [str(root), str(root / "sub")]
    assert sorted(parsed) == sorted([API.encode(), APP.encode()])


def test_imports_nothing_but_the_standard_library() -> None:
    files = Path(discover.__file__).parent.glob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    others = {name for name in modules if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in others if not name.startswith("devkit.settings.")} == {"devkit.errors"}


# --- the folder that the import needs ---


@pytest.mark.parametrize(
    ("files", "folder", "module"),
    [
        # packages with __init__.py
        ({"proj/__init__.py": "", "proj/worker.py": APP}, ".", "proj.worker"),
        ({"a/__init__.py": "", "a/b/__init__.py": "", "a/b/worker.py": APP}, ".", "a.b.worker"),
        ({"proj/__init__.py": APP}, ".", "proj"),
        ({"backend/proj/__init__.py": "", "backend/proj/worker.py": APP}, "backend", "proj.worker"),
        ({"src/proj/__init__.py": "", "src/proj/worker.py": APP}, "src", "proj.worker"),
        # a folder that is the working directory
        ({"backend/worker.py": APP}, "backend", "worker"),
        ({"backend/worker.py": APP, "backend/config.py": "", "x.py": "import config"}, "backend", "worker"),
        ({"src/worker.py": APP}, "src", "worker"),
        ({"my-app/worker.py": APP, "x.py": "from my.app import worker"}, "my-app", "worker"),
        ({"my-app/__init__.py": "", "my-app/worker.py": APP}, "my-app", "worker"),
        # packages without, told by how they are imported
        ({"app/worker.py": APP, "x.py": "from app.worker import app"}, ".", "app.worker"),
        ({"app/worker.py": APP, "x.py": "import app.worker"}, ".", "app.worker"),
        ({"app/worker.py": APP, "x.py": "from app import worker"}, ".", "app.worker"),
        ({"app/worker.py": APP, "x.py": "from app import (\n    worker,\n)"}, ".", "app.worker"),
        ({"app/worker.py": APP, "x.py": "def f():\n    import app.worker"}, ".", "app.worker"),
        ({"app/worker.py": APP + "from app.config import x", "app/config.py": ""}, ".", "app.worker"),
        ({"back/app/worker.py": APP, "back/x.py": "import app.worker"}, "back", "app.worker"),
        ({"back/app/worker.py": APP, "x.py": "import back.app.worker, app.worker"}, ".", "back.app.worker"),
        ({"src/proj/worker.py": APP, "src/x.py": "import proj.worker"}, "src", "proj.worker"),
        ({"src/proj/worker.py": APP}, "src", "proj.worker"),
        ({"src/proj/__init__.py": "", "src/proj/worker.py": APP, "x.py": "import src.proj"}, ".", "src.proj.worker"),
        # ... or because they could not work otherwise
        ({"proj/celery.py": APP}, ".", "proj.celery"),
        ({"proj/worker.py": "from . import x\n" + APP}, ".", "proj.worker"),
        # what only looks like such an import
        ({"celery/worker.py": APP}, "celery", "worker"),
        ({"app/worker.py": APP, "x.py": "from app.other import y"}, "app", "worker"),
        ({"app/worker.py": APP, "x.py": "# import app.worker"}, "app", "worker"),
        (
            {
                "app/main.py": "",
                "app/app/__init__.py": "",
                "app/app/main.py": "",
                "app/app/worker.py": APP + "from app.main import x",
            },
            "app",
            "app.worker",
        ),
        # a stray __init__.py in the project's root
        ({"__init__.py": "", "pyproject.toml": "", "worker.py": APP}, ".", "worker"),
    ],
)
def test_the_import_root(project: Write, files: dict[str, str | bytes], folder: str, module: str) -> None:
    root = project(files)

    assert find_celery(root) == AppRef(root / folder, module, "app")


def test_started_inside_a_package_the_import_root_is_above(project: Write) -> None:
    above = project({"proj/__init__.py": "", "proj/worker.py": "from . import x\n" + APP})

    ref = find_celery(above / "proj")

    assert ref == AppRef(above, "proj.worker", "app")
    assert resolve_celery(above / "proj", str(ref)) == ref


def test_the_folder_is_absolute(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project({"worker.py": APP})
    monkeypatch.chdir(root)

    assert find_celery(Path()).folder == root
    assert resolve_celery(Path(), "worker:app").folder == root


def test_a_python_file_that_is_a_link_to_itself_is_none(project: Write) -> None:
    root = project({"worker.py": APP})
    (root / "round.py").symlink_to("round.py")

    assert find_celery(root) == AppRef(root, "worker", "app")
