"""Discovery over small project trees: what is found, what is preferred, and what each error tells."""

import ast
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devkit.errors import UsageError
from devkit.settings import discover
from devkit.settings.discover import AppRef, find_celery, find_fastapi, resolve_celery, resolve_fastapi

CELERY = "from celery import Celery\n{} = Celery('x')\n"
FASTAPI = "from fastapi import FastAPI\n{} = FastAPI()\n"
APP = CELERY.format("app")
API = FASTAPI.format("app")


Write = Callable[[dict[str, str | bytes]], Path]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes files (text, or bytes) into the project's folder, and gives that folder."""

    def write(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def celery_error(root: Path, spec: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        find_celery(root) if spec is None else resolve_celery(root, spec)
    return caught.value


def fastapi_error(root: Path, spec: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        find_fastapi(root) if spec is None else resolve_fastapi(root, spec)
    return caught.value


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

    assert find_fastapi(root) == AppRef(root, "main", "api")


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
    assert str(find_fastapi(project(files))) == expected


def test_a_tie_between_celery_apps_lists_them_all(project: Write) -> None:
    root = project({"a.py": APP, "b.py": "\n" + APP, "c.py": CELERY.format("queue")})

    error = celery_error(root)

    assert error.what == "Found 3 Celery apps, and none stands out"
    assert error.looked == ("a.py:2  a:app", "b.py:3  b:app", "c.py:2  c:queue")
    assert error.mend == (
        "devkit up -A MODULE:ATTR",
        'celery = "MODULE:ATTR" under [tool.devkit] in pyproject.toml',
    )


def test_a_tie_between_fastapi_apps_lists_them_all(project: Write) -> None:
    error = fastapi_error(project({"a.py": API, "b.py": API}))

    assert error.what == "Found 2 FastAPI apps, and none stands out"
    assert error.looked == ("a.py:2  a:app", "b.py:2  b:app")
    assert error.mend == (
        "devkit up --api MODULE:ATTR",
        'api = "MODULE:ATTR" under [tool.devkit] in pyproject.toml',
    )


def test_apps_of_one_name_in_two_folders_are_chosen_by_folder(project: Write) -> None:
    error = celery_error(project({"api/worker.py": APP, "jobs/worker.py": APP}))

    assert error.looked == ("api/worker.py:2  worker:app", "jobs/worker.py:2  worker:app")
    assert error.mend == ("devkit -C api up", "devkit -C jobs up")


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
    assert find_fastapi(project({"worker.py": APP})) is None


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

    find_celery(root)
    find_fastapi(root)

    assert sorted(listed) == [str(root), str(root / "sub")]
    assert sorted(parsed) == sorted([API.encode(), APP.encode()])


def test_imports_nothing_but_the_standard_library() -> None:
    files = Path(discover.__file__).parent.glob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    others = {name for name in modules if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in others if not name.startswith("devkit.settings.discover.")} == {"devkit.errors"}


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


# --- what the user names ---


@pytest.mark.parametrize(
    "source",
    [
        "from core import app",
        "from core import thing as app",
        "import app",
        "import app.core",
        "app = create_app()",
        "app: object = create_app()",
        "app, other = create()",
        "(app := create())",
        "def app(): ...",
        "class app: ...",
        "if X:\n    from core import app",
        "try:\n    pass\nexcept E:\n    pass\nelse:\n    app = 1",
        "try:\n    pass\nfinally:\n    app = 1",
        "with x as app:\n    pass",
        "with x:\n    app = 1",
        "for app in x: ...",
        "from core import *",
        "def __getattr__(name): ...",
        "def syntax of a newer Python",
    ],
)
def test_resolve_accepts_an_attribute_bound_in_any_way(project: Write, source: str) -> None:
    root = project({"pkg/__init__.py": "", "pkg/worker.py": source})

    assert resolve_celery(root, "pkg.worker:app") == AppRef(root, "pkg.worker", "app")
    assert resolve_fastapi(root, "pkg.worker:app") == AppRef(root, "pkg.worker", "app")


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    app = 1",
        "class A:\n    app = 1",
        "[app for app in x]",
        "app: object",
        "if __name__ == '__main__':\n    app = 1",
        "if TYPE_CHECKING:\n    from core import app",
        "print(app)",
    ],
)
def test_resolve_refuses_what_is_not_at_the_top_level(project: Write, source: str) -> None:
    error = celery_error(project({"worker.py": source}), "worker:app")

    assert error.what.startswith("No 'app' at the top level of worker.py")


@pytest.mark.parametrize(
    ("file", "spec", "folder"),
    [
        ("worker.py", "worker:app", "."),
        ("worker.py", "  worker:app ", "."),
        ("worker-2.py", "worker-2:app", "."),
        ("pkg/__init__.py", "pkg:app", "."),
        ("namespace/worker.py", "namespace.worker:app", "."),
        ("src/pkg/worker.py", "pkg.worker:app", "src"),
        ("src/pkg/worker.py", "src.pkg.worker:app", "."),
        ("backend/worker.py", "worker:app", "backend"),
        ("backend/pkg/worker.py", "pkg.worker:app", "backend"),
        ("very/deep/worker.py", "worker:app", "very/deep"),  # only because discovery would find it there
    ],
)
def test_resolve_looks_in_the_root_then_src_then_subfolders(project: Write, file: str, spec: str, folder: str) -> None:
    root = project({file: APP})

    module = spec.strip().removesuffix(":app")
    assert resolve_celery(root, spec) == AppRef(root / folder, module, "app")


def test_resolve_takes_the_nearest_module_that_has_the_attribute(project: Write) -> None:
    root = project({"main.py": "x = 1", "src/main.py": APP, "backend/main.py": APP})

    assert resolve_celery(root, "main:app").folder == root / "src"


def test_resolve_does_not_take_one_kind_for_the_other(project: Write) -> None:
    root = project({"api/main.py": API, "worker/main.py": APP})

    assert resolve_celery(root, "main:app").folder == root / "worker"
    assert resolve_fastapi(root, "main:app").folder == root / "api"


def test_resolve_finds_one_name_in_two_folders(project: Write) -> None:
    error = celery_error(project({"a/worker.py": APP, "b/worker.py": APP}), "worker:app")

    assert error.what == "'worker' is in 2 folders"
    assert error.looked == ("a: worker:app", "b: worker:app")
    assert error.mend == ("devkit -C a up", "devkit -C b up")


@pytest.mark.parametrize(
    ("files", "spec", "expected"),
    [
        ({"worker.py": CELERY.format("app") + "celery = Celery()"}, "worker", "worker:app"),
        ({"worker.py": CELERY.format("celery") + "spare = Celery()"}, "worker", "worker:celery"),
        ({"worker.py": CELERY.format("queue")}, "worker", "worker:queue"),
        ({"worker.py": "import celery\nqueue = celery.Celery()"}, "worker", "worker:queue"),
        ({"worker.py": "from core import app"}, "worker", "worker:app"),
        ({"worker.py": "celery = create().celery"}, "worker", "worker:celery"),
        ({"main.py": API + "celery = create(app)"}, "main", "main:celery"),
        (
            {"proj/__init__.py": "from .celery import app as celery_app", "proj/celery.py": APP},
            "proj",
            "proj.celery:app",
        ),
        ({"proj/__init__.py": "from . import celery", "proj/celery.py": APP}, "proj", "proj.celery:app"),
        ({"proj/__init__.py": "from .celery import app", "proj/celery.py": APP}, "proj", "proj:app"),
        ({"proj/celery.py": APP}, "proj", "proj.celery:app"),
    ],
)
def test_a_module_alone_means_what_it_means_to_celery(
    project: Write, files: dict[str, str | bytes], spec: str, expected: str
) -> None:
    root = project(files)

    assert str(resolve_celery(root, spec)) == expected
    assert resolve_celery(root, spec).folder == root


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (API, "main:app"),
        (FASTAPI.format("api"), "main:api"),
        (FASTAPI.format("web"), "main:web"),
        ("from core import api", "main:api"),
        (APP + FASTAPI.format("web"), "main:web"),
    ],
)
def test_a_module_alone_means_its_fastapi_app(project: Write, source: str, expected: str) -> None:
    assert str(resolve_fastapi(project({"main.py": source}), "main")) == expected


@pytest.mark.parametrize(
    ("source", "looked"),
    [
        ("x = 1", "worker.py: no Celery app at its top level"),
        ("from celery import Celery\na = Celery()\nb = Celery()", "worker.py: a (line 2), b (line 3)"),
        ("def (", "worker.py: invalid syntax (line 1)"),
    ],
)
def test_a_module_alone_that_does_not_tell(project: Write, source: str, looked: str) -> None:
    error = celery_error(project({"worker.py": source}), "worker")

    assert error.what == "Module 'worker' alone does not tell which Celery app"
    assert error.looked == (looked,)


# --- what the user gets wrong ---


def test_an_unknown_attribute_names_the_file_the_close_ones_and_the_apps(project: Write) -> None:
    root = project({"pkg/__init__.py": "", "pkg/worker.py": CELERY.format("queue") + "celery_apq = 1"})

    error = celery_error(root, "pkg.worker:celery_app")

    assert error.what == "No 'celery_app' at the top level of pkg/worker.py; did you mean 'celery_apq'?"
    assert error.looked == ("pkg/worker.py: queue (line 2)",)
    assert error.mend == (
        "devkit up -A pkg.worker:queue",
        'celery = "pkg.worker:queue" under [tool.devkit] in pyproject.toml',
    )


def test_an_unknown_attribute_of_a_module_without_apps_suggests_the_projects_apps(project: Write) -> None:
    error = fastapi_error(project({"main.py": API, "util.py": "x = 1"}), "util:app")

    assert error.what == "No 'app' at the top level of util.py"
    assert error.looked == ("util.py: no FastAPI app at its top level",)
    assert error.mend == (
        "devkit up --api main:app",
        'api = "main:app" under [tool.devkit] in pyproject.toml',
    )


def test_an_app_of_the_other_kind(project: Write) -> None:
    root = project({"main.py": API, "worker.py": APP})

    assert celery_error(root, "main:app").what == "'main:app' is a FastAPI app, not a Celery app"
    assert celery_error(root, "main:app").mend[0] == "devkit up -A worker:app"
    assert fastapi_error(root, "worker:app").what == "'worker:app' is a Celery app, not a FastAPI app"


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("pkg.wroker:app", "'pkg.worker'"),
        ("pkg.worker.app", "'pkg.worker:app'"),
        ("namespace.taks:app", "'namespace.tasks'"),
        ("pkgs.worker:app", "'pkg.worker'"),
    ],
)
def test_an_unknown_module_names_the_close_ones(project: Write, spec: str, hint: str) -> None:
    root = project({"pkg/__init__.py": "", "pkg/worker.py": APP, "namespace/tasks.py": "", "src/x.py": ""})

    error = celery_error(root, spec)

    assert error.what.startswith(f"No module '{spec.partition(':')[0]}' in this project; did you mean ")
    assert hint in error.what
    assert error.looked == tuple(str(root / name) for name in (".", "src", "namespace", "pkg"))
    assert error.mend[0] == "devkit up -A pkg.worker:app"


def test_an_unknown_module_of_a_known_package_is_an_error_even_if_nothing_is_close(project: Write) -> None:
    root = project({"pkg/__init__.py": "", "pkg/worker.py": APP})

    assert celery_error(root, "pkg.something_else_entirely:app").what == (
        "No module 'pkg.something_else_entirely' in this project"
    )


def test_a_module_of_another_package_may_be_installed(project: Write) -> None:
    root = project({"main.py": API})

    assert resolve_celery(root, "company_jobs.queue:celery") == AppRef(root, "company_jobs.queue", "celery")
    assert celery_error(root, "company_jobs.queue").what == "No module 'company_jobs.queue' in this project"


@pytest.mark.parametrize(
    "spec", ["", " ", ":", "a:", ":app", "a b:c", "a:b c", "a:b:c", ".a:b", "a..b:c", "a:b()", "a:b.c"]
)
def test_a_malformed_name(project: Write, spec: str) -> None:
    root = project({"a.py": "b = c = 1", "worker.py": APP})

    error = celery_error(root, spec)

    assert error.what == f"'{spec}' does not name a Celery app: MODULE:ATTR does"
    assert error.mend[0] == "devkit up -A worker:app"


@pytest.mark.parametrize(
    ("spec", "dotted"),
    [
        ("worker.py", "worker"),
        ("./worker.py:app", "worker:app"),
        ("path/to/file.py:app", "path.to.file:app"),
        ("path/to/file:app", "path.to.file:app"),
        ("path\\to\\file.py:app", "path.to.file:app"),
        ("src/pkg/jobs.py:app", "pkg.jobs:app"),
        ("src/pkg/__init__.py:app", "pkg:app"),
        ("backend/jobs.py:app", "jobs:app"),
    ],
)
def test_a_path_is_answered_with_its_dotted_form(project: Write, spec: str, dotted: str) -> None:
    root = project({"worker.py": APP, "src/pkg/__init__.py": "", "src/pkg/jobs.py": APP, "backend/jobs.py": APP})

    error = celery_error(root, spec)

    assert error.what == f"'{spec}' is a path; as MODULE:ATTR it is '{dotted}'"
    assert error.mend == (f"devkit up -A {dotted}", f'celery = "{dotted}" under [tool.devkit] in pyproject.toml')


def test_a_named_app_costs_no_scan_of_the_project(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project({"backend/worker.py": APP})
    monkeypatch.setattr("devkit.settings.discover.project._python_files", None)

    assert str(resolve_celery(root, "worker:app")) == "worker:app"
