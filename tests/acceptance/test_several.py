"""Several workers and several APIs of one project, each a service of its stack."""

import json

from tests.acceptance.harness import Done, Project, fetch, wait_until

SHOP = """
from celery import Celery

app = Celery("shop", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
app.conf.task_routes = {"shop.mail": "mails", "shop.rep*": {"queue": "reports"}}


@app.task(bind=True)
def add(self, x, y):
    return [self.request.hostname.partition(".")[0], x + y]


@app.task(bind=True)
def mail(self):
    return self.request.hostname.partition(".")[0]


@app.task(bind=True)
def report(self):
    return self.request.hostname.partition(".")[0]
"""
BILLING = """
from celery import Celery

app = Celery("billing", broker="redis://redis:6379/1", backend="redis://redis:6379/2")


@app.task
def charge(n):
    return 100 // n
"""
TABLES = """
[tool.devkit]
celery = "shop:app"
pool = "solo"

[tool.devkit.workers.mailer]
queues = "mails"
pool = "solo"

[tool.devkit.workers.billing]
celery = "jobs:app"
folder = "billing"
pool = "solo"
"""
FILES = {"shop.py": SHOP, "billing/jobs.py": BILLING, "pyproject.toml": TABLES}
# The apps' own addresses are to count.
OWN = {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"}


def start(project: Project, files: dict[str, str], *services: str) -> Done:
    project.environ = {name: value for name, value in project.environ.items() if name not in OWN}
    project.write(files)
    return project.up("--no-flower", *services)


def result(project: Project, task: str, *arguments: object) -> object:
    done = project.devkit("run", task, "--args", json.dumps(arguments), "--json").expect(0)
    return done.json()["result"]


def test_each_worker_has_its_app_and_its_queues_and_the_first_what_is_left(empty: Project) -> None:
    start(empty, FILES)

    assert list(empty.services()) == ["redis", "worker", "mailer", "billing"]
    assert result(empty, "add", 1, 2) == ["celery", 3]
    assert result(empty, "mail") == "mailer"
    assert result(empty, "report") == "celery"
    assert result(empty, "charge", 5) == 20  # by the app that has it
    assert "mailer.1@" in empty.devkit("logs", "mailer").out

    # A route that a save adds is consumed by the next generation.
    empty.write({"shop.py": SHOP.replace('"shop.mail"', '"shop.add": "sums", "shop.mail"')})
    wait_until(lambda: empty.services()["worker"]["generation"] == 2, why=empty.status)
    assert result(empty, "add", 1, 2) == ["celery", 3]

    empty.devkit("restart", "billing").expect(0)
    assert result(empty, "charge", 4) == 25


def test_what_fails_in_any_app_is_replayed_and_debugged_there(empty: Project) -> None:
    start(empty, FILES, "worker", "billing")
    assert list(empty.services()) == ["redis", "worker", "billing"]

    failed = empty.devkit("run", "charge", "--args", "[0]", "--json").expect(1).json()["id"]
    assert "same failure" in empty.devkit("replay", failed).expect(1).out
    assert "same failure" in empty.devkit("replay", "--all").expect(1).out
    words = ["--break", "charge", "--run", "--args", "[4]", "-e", "p n + 1", "-e", "c"]
    assert "\n5\n" in empty.devkit("debug", "charge", *words).out

    empty.devkit("replay", failed, "--save", "case.json").expect(0)
    empty.devkit("down").expect(0)
    assert "same failure" in empty.devkit("replay", "case.json", env={"DEVKIT_BROKER": "memory://"}).expect(1).out


def test_a_further_worker_that_does_not_start_leaves_the_others_alone(empty: Project) -> None:
    empty.environ = {name: value for name, value in empty.environ.items() if name not in OWN}
    empty.write(FILES | {"billing/jobs.py": f"import nowhere\n{BILLING}"})
    done = empty.devkit("up", "-d", "--no-flower").expect(1)

    assert "all is ready but billing; the rest runs; devkit restart billing starts it again" in done.err
    billing = empty.services()["billing"]
    assert billing["state"] == "failed"
    assert "nowhere" in done.err
    assert result(empty, "mail") == "mailer"

    empty.write({"billing/jobs.py": BILLING})
    empty.wait_for_state("billing", "ready")


PROCFILE = """
queue: celery -A shop worker --pool solo -Q celery
mailer: celery -A shop worker --pool solo -Q mails
"""


def test_what_the_project_starts_itself_is_started_with_its_queues(empty: Project) -> None:
    start(empty, {"shop.py": SHOP, "Procfile": PROCFILE})

    assert list(empty.services()) == ["redis", "worker", "mailer"]
    assert result(empty, "mail") == "mailer"
    assert result(empty, "add", 1, 2) == ["celery", 3]
    assert result(empty, "report") == "celery"  # which none of its lines names


SITE = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    return {"name": "site", "version": 1}
"""
ADMIN = """
async def answer(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"admin"})


def create_app():
    return answer
"""
APIS = """
[tool.devkit]
celery = "shop:app"
pool = "solo"

[tool.devkit.apis.site]
api = "main:app"
folder = "site"

[tool.devkit.apis.admin]
api = "main:create_app()"
folder = "admin"
"""


def test_each_api_of_a_monorepo_has_a_port_and_reloads(empty: Project) -> None:
    start(empty, {"shop.py": SHOP, "site/main.py": SITE, "admin/main.py": ADMIN, "pyproject.toml": APIS})

    site, admin = empty.url("site"), empty.url("admin")
    assert site != admin
    assert fetch("GET", site).json() == {"name": "site", "version": 1}
    assert fetch("GET", admin).text == "admin"

    empty.write({"site/main.py": SITE.replace("1}", "2}"), "admin/main.py": ADMIN.replace('b"admin"', 'b"root"')})
    wait_until(lambda: fetch("GET", site).json()["version"] == 2)
    wait_until(lambda: fetch("GET", admin).text == "root")


def test_a_factory_that_fails_is_told_and_the_next_save_mends_it(empty: Project) -> None:
    empty.environ = {name: value for name, value in empty.environ.items() if name not in OWN}
    empty.write({"main.py": ADMIN.replace("return answer", "return 1 / 0")})

    api = empty.start("api", "main:create_app", "--factory")
    api.wait_for("ZeroDivisionError: division by zero")
    empty.write({"main.py": ADMIN})

    url = api.wait_for(r"main:create_app\(\) on (http://\S+)")[1]
    wait_until(lambda: fetch("GET", url).text == "admin")
