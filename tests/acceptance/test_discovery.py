"""Strangers' projects, as their newcomers start them: no file edited, no flag that says which app."""

from tests.acceptance.harness import Project, fetch

QUICK = ("--no-flower", "-P", "solo")


def own_broker(project: Project) -> None:
    """The app's own address counts, as in a shell of the project's developer."""
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        del project.environ[name]


def test_apps_that_functions_make(empty: Project) -> None:
    """A FastAPI factory hangs the Celery app on the API; the task is shared, and has a name of its own."""
    own_broker(empty)
    empty.write(
        {
            "main.py": "from shop import create_app\n\napp = create_app()\ncelery = app.celery_app\n",
            "shop/__init__.py": (
                "from fastapi import FastAPI\nfrom shop.queues import create_celery\n\n"
                "def create_app() -> FastAPI:\n    app = FastAPI()\n    app.celery_app = create_celery()\n"
                "    from shop.users import router\n    app.include_router(router)\n    return app\n"
            ),
            "shop/queues.py": (
                "from celery import current_app\n\ndef create_celery():\n"
                "    current_app.conf.broker_url = 'redis://redis.invalid:6379/0'\n"
                "    current_app.conf.result_backend = 'redis://redis.invalid:6379/0'\n"
                "    current_app.autodiscover_tasks(['shop.users'])\n    return current_app\n"
            ),
            "shop/users/__init__.py": (
                "from fastapi import APIRouter\nrouter = APIRouter()\nfrom . import tasks\n\n"
                "@router.get('/greet')\nasync def greet(name: str):\n    return tasks.greet.delay(name).get(20)\n"
            ),
            "shop/users/tasks.py": (
                "from celery import shared_task\n\n@shared_task(name='high_priority:greet')\n"
                "def greet(name):\n    return f'hello {name}'\n"
            ),
        }
    )

    empty.up(*QUICK)

    assert list(empty.services()) == ["redis", "api", "worker"]
    assert empty.devkit("run", "greet", "--args", '["you"]').expect(0).out == '"hello you"\n'
    assert fetch("GET", f"{empty.url('api')}/greet?name=me").json() == "hello me"


def test_tasks_beside_the_app(empty: Project) -> None:
    """The module that has the tasks imports the app; nothing imports that module."""
    own_broker(empty)
    empty.write(
        {
            "app/__init__.py": "",
            "app/core.py": (
                "from celery import Celery\nURL = 'redis://redis.invalid:6379/0'\n"
                "celery_app = Celery('c', broker=URL, backend=URL)\n"
            ),
            "app/worker.py": "from app.core import celery_app\n\n@celery_app.task\ndef add(x, y):\n    return x + y\n",
        }
    )

    empty.up(*QUICK)

    assert empty.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


def test_a_sender_beside_the_worker(empty: Project) -> None:
    """The API has a Celery app only to send; the worker's own, in a folder beside it, has the task."""
    sender = "from celery import Celery\nfrom fastapi import FastAPI\n\ncelery = Celery('c')\napp = FastAPI()\n"
    empty.write(
        {
            "web/main.py": sender + "\n@app.get('/')\ndef home():\n    return celery.main\n",
            "worker/app.py": (
                "from celery import Celery\n\napp = Celery('c')\n\n"
                "@app.task(name='add')\ndef add(x, y):\n    return x + y\n"
            ),
        }
    )

    empty.up(*QUICK)

    assert list(empty.services()) == ["redis", "api", "worker"]
    assert empty.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


def test_what_nothing_imports_is_imported_by_the_worker_and_named(empty: Project) -> None:
    """The app looks for core.tasks.tasks, and the tasks are in core.tasks.budget."""
    empty.write(
        {
            "core/__init__.py": "",
            "core/celery_app.py": (
                "from celery import Celery\n\napp = Celery('core')\napp.autodiscover_tasks(['core.tasks'])\n"
            ),
            "core/tasks/__init__.py": "",
            "core/tasks/budget.py": (
                "from core.celery_app import app\n\n\n@app.task\ndef evaluate(month):\n    return 100 / month\n"
            ),
        }
    )

    started = empty.up(*QUICK)

    text = " ".join((started.err + started.out).split())
    assert (
        "core.celery_app:app has no tasks of its own: nothing imports core.tasks.budget (core/tasks/budget.py:4)"
        in text
    )
    assert 'include=["core.tasks.budget"]' in text
    assert "-I core.tasks.budget" in empty.devkit("status").expect(0).out
    assert empty.devkit("run", "evaluate", "--args", "[1]").expect(0).out == "100.0\n"
    failed = empty.devkit("run", "evaluate", "--args", "[0]", "--json").expect(1).json()["id"]
    replayed = empty.devkit("replay", failed).expect(1)
    assert "same failure: ZeroDivisionError" in replayed.out + replayed.err


def test_a_module_that_nothing_imports_and_that_fails_to_import_leaves_the_stack_as_it_was(empty: Project) -> None:
    empty.write(
        {
            "shop.py": "from celery import Celery\n\napp = Celery('shop')\n",
            "work.py": "from shop import app\nimport no_such_thing\n\n\n@app.task\ndef go():\n    return 1\n",
        }
    )

    started = empty.up(*QUICK, "-A", "shop:app")

    text = " ".join((started.err + started.out).split())
    assert "shop:app has no tasks: nothing imports work (work.py:5)" in text
    assert "cannot import it by itself" in text
    assert "has no no_such_thing" in text
    error = empty.devkit("run", "go").expect(2).err
    assert "work.py:5" in error
    assert 'include=["work"]' in error


def test_the_folders_of_pythonpath_come_with_the_app(empty: Project) -> None:
    """As the image has them: the app lies in one, what it imports in another, and the working directory is a third."""
    empty.write(
        {
            "Dockerfile": "FROM python:3.12\nWORKDIR /code\nCOPY . /code\nENV PYTHONPATH=/code/parts:/code/libs\n",
            "docker-compose.yml": "services:\n  worker:\n    build: .\n    command: celery -A jobs.app worker\n",
            "parts/jobs/__init__.py": "",
            "parts/jobs/app.py": (
                "import os\nfrom celery import Celery\nimport adding\n\napp = Celery('c')\n\n"
                "@app.task\ndef add(x, y):\n    return [adding.add(x, y), os.getcwd()]\n\n"
                "@app.task\ndef fail(x):\n    return adding.add(1, x) / 0\n"
            ),
            "libs/adding.py": "def add(x, y):\n    return x + y\n",
        }
    )

    empty.up(*QUICK)

    assert empty.devkit("run", "add", "--args", "[1, 2]", "--json").json()["result"] == [3, str(empty.root)]
    failed = empty.devkit("run", "fail", "--args", "[1]", "--json").expect(1).json()
    assert "same failure" in empty.devkit("replay", failed["id"]).expect(1).out
