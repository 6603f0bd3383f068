"""Which APIs a project has, of which kind and from which folder; and what is only named in a note."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.settings.discover import AppRef, find_programs
from devkit.settings.discover.programs import ApiProgram
from devkit.settings.evidence.line import StartLine
from tests.unit.settings.apps import API, APP, FASTAPI, Write

FLASK = "from flask import Flask\n{} = Flask(__name__)\n"
MAKES = "from fastapi import FastAPI\ndef create():\n    return FastAPI()\n"
MAKES_FLASK = MAKES.replace("fastapi", "flask").replace("FastAPI", "Flask")
MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\nimport django\n"
STARLETTE = "from starlette.applications import Starlette\napp = Starlette()\n"


def line(root: Path, spec: str, server: str = "uvicorn", file: str = "docker-compose.yml", **more: object) -> StartLine:
    found = StartLine("api", spec, root / file, 1, f"{server} {spec}", (root,), server=server)
    return replace(found, **more)  # type: ignore[arg-type]


def apis(root: Path, *lines: StartLine) -> Sequence[ApiProgram]:
    (root / "a_worker_for_celery.py").write_text(APP)
    return find_programs(root, lines).apis


def told(programs: Sequence[ApiProgram]) -> list[tuple[str, str, str, bool]]:
    return [(program.name, program.kind, str(program.app or ""), program.factory) for program in programs]


# --- by start lines ---


@pytest.mark.parametrize(
    ("source", "spec", "server", "kind", "app", "factory"),
    [
        (API, "web:app", "uvicorn", "asgi", "web:app", False),
        (API, "web:app", "gunicorn", "asgi", "web:app", False),
        (API, "web.py", "fastapi", "asgi", "web:app", False),
        (API, "./web.py:app", "fastapi", "asgi", "web:app", False),
        (FASTAPI.format("service"), "web.py", "fastapi", "asgi", "web:service", False),
        (STARLETTE, "web:app", "uvicorn", "asgi", "web:app", False),
        (STARLETTE, "web:app", "hypercorn", "asgi", "web:app", False),
        ("from quart import Quart\napp = Quart(__name__)", "web:app", "hypercorn", "asgi", "web:app", False),
        (MAKES, "web:create", "uvicorn", "asgi", "web:create", True),
        ("from company import create", "web:create()", "gunicorn", "", "", False),  # of any kind: nobody can tell
        (FLASK.format("app"), "web:app", "gunicorn", "flask", "web:app", False),
        (FLASK.format("app"), "web", "flask", "flask", "web:app", False),
        (MAKES_FLASK, "web:create()", "gunicorn", "flask", "web:create", True),
        (MAKES_FLASK, "web", "flask", "flask", "web:create", True),
    ],
)  # fmt: skip
def test_a_start_line_names_an_api_of_any_kind(
    project: Write, source: str, spec: str, server: str, kind: str, app: str, factory: bool
) -> None:
    root = project({"web.py": source})

    expected = [("api", kind, app, factory)] if app else []
    assert told(apis(root, line(root, spec, server))) == expected


def test_a_factory_that_a_line_says_is_one(project: Write) -> None:
    root = project({"web.py": "from company import create"})

    assert told(apis(root, line(root, "web:create", factory=True))) == [("api", "asgi", "web:create", True)]


def test_a_server_that_is_told_of_no_app_looks_in_its_usual_places(project: Write) -> None:
    root = project({"app/main.py": API, "other.py": API})

    assert told(apis(root, line(root, "", "fastapi"))) == [("api", "asgi", "app.main:app", False)]


def test_django_by_its_own_line_by_its_servers_and_by_its_code(project: Write) -> None:
    root = project({"site/manage.py": MANAGE, "site/shop/wsgi.py": "application = get_wsgi_application()\n"})
    folders = (root / "nowhere", root / "site")
    expected = ApiProgram("api", "django", root / "site")

    by_line = apis(root, line(root, "", "django", folders=folders))
    by_server = apis(root, line(root, "shop.wsgi:application", "gunicorn", folders=folders))
    by_code = apis(root)

    assert [replace(program, reasons=()) for program in (*by_line, *by_server, *by_code)] == [expected] * 3
    assert by_code[0].reasons == ("site/manage.py  Django, settings: shop.settings",)


def test_a_monorepo_has_the_apis_that_its_compose_file_starts(project: Write) -> None:
    root = project({f"{name}/main.py": API for name in ("users", "orders", "old")})
    lines = [line(root, "main:app", service=f"{name}-service", folders=(root / name,)) for name in ("users", "orders")]

    found = find_programs(project({"jobs.py": APP}), lines)

    assert told(found.apis) == [("api", "asgi", "main:app", False), ("orders-service", "asgi", "main:app", False)]
    assert [api.folder for api in found.apis] == [root / "users", root / "orders"]
    assert found.notes == ("old/main.py:2  app = FastAPI app is not started; devkit -C old up starts that one",)


def test_the_first_file_counts(project: Write) -> None:
    root = project({"web.py": API, "admin.py": API, "x.py": API})
    lines = [line(root, "web:app"), line(root, "x:app", file="README.md"), line(root, "admin:app", file="Procfile")]

    assert told(apis(root, *lines)) == [("api", "asgi", "web:app", False)]


# --- by code ---


def test_folders_with_requirements_of_their_own_are_apis_of_their_own(project: Write) -> None:
    root = project(
        {
            **{f"{name}/main.py": API for name in ("users", "services/orders", "tests/fake", "scripts")},
            **{f"{name}/requirements.txt": "" for name in ("users", "services/orders", "tests/fake")},
        }
    )

    assert [(api.name, api.folder) for api in apis(root)] == [
        ("api", root / "users"),
        ("services", root / "services" / "orders"),
    ]


def test_an_app_that_is_part_of_another_is_none_of_its_own(project: Write) -> None:
    root = project(
        {"v1.py": API, "web.py": "from v1 import app as v1\n" + FASTAPI.format("api") + "api.mount('/v1', v1)"}
    )

    found = find_programs(project({"jobs.py": APP}))

    assert told(found.apis) == [("api", "asgi", "web:api", False)]
    assert found.notes == ()
    assert found.apis[0].app == AppRef(root, "web", "api")


def test_tests_and_examples_come_last_and_are_no_note(project: Write) -> None:
    root = project({"tests/main.py": API, "examples/main.py": API, "web.py": FASTAPI.format("service")})

    found = find_programs(project({"jobs.py": APP}))

    assert (found.apis[0].folder, told(found.apis)) == (root, [("api", "asgi", "web:service", False)])
    assert found.notes == ()


@pytest.mark.parametrize(
    ("files", "kind", "app"),
    [
        ({"wsgi.py": FLASK.format("app")}, "flask", "wsgi:app"),
        ({"wsgi.py": FLASK.format("app"), "main.py": API}, "asgi", "main:app"),
        ({"wsgi.py": FLASK.format("app"), "manage.py": MANAGE}, "django", ""),
        ({"manage.py": "from flask_script import Manager", "wsgi.py": FLASK.format("app")}, "flask", "wsgi:app"),
    ],
)
def test_of_several_kinds_fastapi_comes_first_then_django_then_flask(
    project: Write, files: dict[str, str], kind: str, app: str
) -> None:
    assert told(apis(project({**files}))) == [("api", kind, app, False)]
