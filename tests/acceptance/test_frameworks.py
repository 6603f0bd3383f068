"""Projects of Django and of Flask: their API is served by the framework's own server, their tasks are as everywhere."""

from contextlib import suppress

import httpx

from tests.acceptance.harness import Project, fetch, wait_until

DJANGO = {
    "manage.py": """
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "from .celery import app as celery_app\n",
    "shop/celery.py": """
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
""",
    "shop/settings.py": """
SECRET_KEY = "x"
DEBUG = True
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "orders"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = "redis://redis:6379/0"
CELERY_TASK_ROUTES = {"orders.tasks.report": {"queue": "reports"}}
""",
    "shop/urls.py": """
from django.http import JsonResponse
from django.urls import path
from orders.tasks import half

urlpatterns = [path("<int:n>", lambda request, n: JsonResponse({"half": half.delay(n).get(timeout=20), "v": 1}))]
""",
    "orders/__init__.py": "",
    "orders/tasks.py": """
from celery import shared_task
from django.contrib.auth.models import User


@shared_task
def half(n):
    return [User._meta.label, 10 / n]


@shared_task
def report():
    return "reported"
""",
}
FLASK = {
    "watchdog.py": "# so that the server looks at times: events may be too many for one machine's limits\n",
    "shop.py": """
from celery import Celery, Task
from flask import Flask, current_app


class InApp(Task):
    def __call__(self, *args, **kwargs):
        with app.app_context():
            return super().__call__(*args, **kwargs)


def create_app():
    flask = Flask("shop")
    flask.config["NAME"] = "flask"

    @flask.get("/<int:n>")
    def index(n):
        return {"half": half.delay(n).get(timeout=20), "v": 1}

    return flask


app = create_app()
celery = Celery("shop", task_cls=InApp, broker="redis://redis:6379/0", backend="redis://redis:6379/0")
celery.set_default()


@celery.task
def half(n):
    return [current_app.config["NAME"], 10 / n]
""",
}
OWN = {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"}


def played_through(project: Project, label: str, module: str, views: str) -> None:
    """What every project is to be able to do, whatever serves its API."""
    site = project.url("api")
    assert fetch("GET", f"{site}/5").json() == {"half": [label, 2.0], "v": 1}

    failed = project.devkit("run", "half", "--args", "[0]", "--json").expect(1).json()["id"]
    replayed = project.devkit("replay", failed).expect(1)
    assert "same failure: ZeroDivisionError" in replayed.out
    assert "Signal handler" not in replayed.err

    words = ["--break", "half", "--run", "--args", "[4]", "-e", "p n + 1", "-e", "c"]
    assert "\n5\n" in project.devkit("debug", "half", *words).out
    project.devkit("debug", "--clear").expect(0)

    for file, old, new in ((module, "10 / n", "20 / n"), (views, '"v": 1', '"v": 2')):
        project.write({file: (project.root / file).read_text().replace(old, new)})
    wait_until(lambda: fetch_quietly(f"{site}/5") == {"half": [label, 4.0], "v": 2}, why=lambda: project.log("api"))

    project.devkit("down").expect(0)
    project.wait_until_gone()


def fetch_quietly(url: str) -> object:
    """What is there; nothing while the server starts again."""
    with suppress(httpx.HTTPError):
        found: object = fetch("GET", url).json()
        return found
    return None


def start(project: Project, files: dict[str, str]) -> None:
    project.environ = {name: value for name, value in project.environ.items() if name not in OWN}
    project.write(files)
    project.up("--no-flower", "--pool", "solo")


def test_a_django_project(empty: Project) -> None:
    start(empty, DJANGO)

    assert empty.devkit("run", "report").expect(0).out == '"reported"\n'
    played_through(empty, "auth.User", "orders/tasks.py", "shop/urls.py")


def test_a_flask_project(empty: Project) -> None:
    start(empty, FLASK)

    played_through(empty, "flask", "shop.py", "shop.py")
