"""The app that the user names, over small project trees: what is meant, and what each error tells."""

import pytest

from devkit.settings.discover import AppRef, resolve_api, resolve_celery
from tests.unit.settings.apps import API, APP, CELERY, FASTAPI, Write, celery_error, fastapi_error

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
    assert resolve_api(root, "pkg.worker:app").app == AppRef(root, "pkg.worker", "app")


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
    assert resolve_api(root, "main:app").folder == root / "api"


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
        ({"worker.py": "from celery import Celery\na = Celery()\nb = Celery()"}, "worker", "worker:a"),
        # MODULE.ATTR
        ({"worker.py": CELERY.format("celery")}, "worker.celery", "worker:celery"),
        ({"proj/worker.py": CELERY.format("queue")}, "proj.worker.queue", "proj.worker:queue"),
        ({"proj/__init__.py": "", "proj/celery.py": APP}, "proj.celery", "proj.celery:app"),
        # what only the project's interpreter can tell: it is asked as Celery would look
        ({"worker.py": "def ("}, "worker", "worker"),
        ({"worker.py": "from company import queue"}, "worker", "worker"),
        ({"worker.py": "from company import *"}, "worker", "worker"),
        ({"worker.py": "queue = company.make()"}, "worker", "worker"),
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
    assert str(resolve_api(project({"main.py": source}), "main").app) == expected


@pytest.mark.parametrize(
    ("source", "looked"),
    [
        ("x = 1", "worker.py: no Celery app at its top level"),
        ("def f(): ...", "worker.py: no Celery app at its top level"),
        (API, "worker.py: no Celery app at its top level"),
    ],
)
def test_a_module_alone_that_does_not_tell(project: Write, source: str, looked: str) -> None:
    error = celery_error(project({"worker.py": source}), "worker")

    assert error.what == "Module 'worker' alone does not tell which Celery app"
    assert error.looked == (looked,)


MAKER = "from celery import Celery\nfrom fastapi import FastAPI\n"
MADE = (
    MAKER
    + "def make():\n    return Celery()\n\ndef create():\n    app = FastAPI()\n    app.queue = make()\n    return app\n"
)


@pytest.mark.parametrize(
    ("source", "spec", "attribute"),
    [
        (MADE, "main:make", "make()"),
        (MADE, "main:make()", "make()"),
        (MADE + "app = create()", "main:app.queue", "app.queue"),
        ("from company import app", "main:app.queue.celery", "app.queue.celery"),
        ("from company import make", "main:make()", "make()"),
        ("from company import make", "main:make", "make"),
    ],
)
def test_a_celery_app_that_a_function_makes_or_that_hangs_on_another(
    project: Write, source: str, spec: str, attribute: str
) -> None:
    root = project({"main.py": source})

    assert resolve_celery(root, spec) == AppRef(root, "main", attribute)


@pytest.mark.parametrize(
    ("source", "spec", "attribute", "factory"),
    [
        (MADE, "main:create", "create", True),
        (MADE, "main:create()", "create", True),
        (MADE, "main", "create", True),
        (MADE + "app = create()", "main", "app", False),
        (MADE, "main.py", "create", True),
        (API, "./main.py", "app", False),
        (API, "main.py:app", "app", False),
        ("from starlette.applications import Starlette\napp = Starlette()", "main:app", "app", False),
        ("from company import create", "main:create()", "create", True),
        ("async def app(scope, receive, send): ...", "main:app", "app", False),
        ("class A:\n    api = 1\na = A()", "main:a.api", "a.api", False),
    ],
)
def test_an_api_as_uvicorn_and_fastapi_name_it(
    project: Write, source: str, spec: str, attribute: str, factory: bool
) -> None:
    root = project({"main.py": source})

    found = resolve_api(root, spec)

    assert (found.kind, found.app, found.factory) == ("asgi", AppRef(root, "main", attribute), factory)


def test_a_flask_app_is_an_api_of_its_own_kind(project: Write) -> None:
    root = project({"web.py": "from flask import Flask\ndef create():\n    return Flask('x')\napp = create()\n"})

    assert resolve_api(root, "web:app").kind == "flask"
    assert resolve_api(root, "web:create").factory
    assert celery_error(root, "web:app").what == "'web:app' is a Flask app, not a Celery app"


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
        ("pkg.workr.app", "'pkg.worker:app'"),
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
    assert resolve_celery(root, "company_jobs.queue") == AppRef(root, "company_jobs.queue", "")
    assert celery_error(root, "company_jobs").what == "No module 'company_jobs' in this project"


@pytest.mark.parametrize(
    "spec", ["", " ", ":", "a:", ":app", "a b:c", "a:b c", "a:b:c", ".a:b", "a..b:c", "a:b(", "a:b.", "a:.b", "a:b[0]"]
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
    monkeypatch.setattr("devkit.settings.discover.project.walk", None)

    assert str(resolve_celery(root, "worker:app")) == "worker:app"
