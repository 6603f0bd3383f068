"""A program of the project's that does not start leaves the others alone: what can run runs."""

import os
from pathlib import Path

import celery
import pytest

from tests.acceptance.harness import SMALL_APP, Project, environment, fetch, wait_until

API = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    return {"version": 1}
"""
STATIC = (
    API
    + """
from starlette.staticfiles import StaticFiles

app.mount("/static", StaticFiles(directory="static"))
"""
)
LIFESPAN = (
    API
    + """

@app.on_event("startup")
def connect():
    raise ConnectionRefusedError("no Postgres at db:5432")
"""
)
DJANGO = {
    "manage.py": "import sys\n\nsys.exit('django.db.utils.OperationalError: no such database')\n",
}


def states(project: Project) -> dict[str, str]:
    return {name: one["state"] for name, one in project.services().items()}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"main.py": STATIC}, "Directory 'static' does not exist"),
        ({"main.py": LIFESPAN}, "no Postgres at db:5432"),
        ({"main.py": f"import stripe_of_nobody\n{API}"}, "stripe_of_nobody"),
        (DJANGO, "no such database"),
    ],
    ids=["static", "lifespan", "package", "django"],
)
def test_an_api_that_does_not_start(small: Project, files: dict[str, str], why: str) -> None:
    small.write(files)
    done = small.devkit("up", "-d", "-P", "solo").expect(1)

    assert why in done.err
    assert "all is ready but api; the rest runs; devkit restart api starts it again" in done.err
    assert states(small) == {"redis": "ready", "api": "failed", "worker": "ready", "flower": "ready"}
    (row,) = [line for line in done.out.splitlines() if line.startswith(" api ")]
    assert "failed" in row
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
    assert small.devkit("run", "add", "--args", '[1, "2"]').code == 1
    assert "same failure" in small.devkit("replay", "--all").expect(1).out
    assert why in small.devkit("restart", "api").expect(1).err + small.devkit("logs", "api").out
    assert "failed" in small.devkit("status").expect(0).out
    small.devkit("down").expect(0)
    small.wait_until_gone()


def test_the_next_save_starts_it(small: Project) -> None:
    small.write({"main.py": STATIC})
    up = small.start("up", "-P", "solo", "--no-flower").wait_for_all_ready()
    assert states(small) == {"redis": "ready", "api": "failed", "worker": "ready"}

    small.write({"main.py": API})

    small.wait_for_state("api", "ready")
    assert fetch("GET", small.url("api")).json() == {"version": 1}
    up.press_ctrl_c()
    assert up.end() == 0


def test_one_that_fails_is_ended_with_the_stack(small: Project) -> None:
    small.write({"main.py": STATIC})
    up = small.start("up", "-P", "solo", "--no-flower").wait_for_all_ready()
    up.press_ctrl_c()
    assert up.end() == 0
    small.wait_until_gone()


@pytest.mark.parametrize("words", [["api"], ["--api", "main:app"]], ids=["named", "--api"])
def test_who_asks_for_it_has_it_or_nothing(small: Project, words: list[str]) -> None:
    small.write({"main.py": STATIC})
    assert "Directory 'static' does not exist" in small.devkit("up", "-d", *words).expect(1).err
    assert small.status()["services"] == []


def test_a_worker_that_does_not_start_leaves_the_api(small: Project) -> None:
    tasks = (
        SMALL_APP["tasks.py"]
        + """
from celery.signals import worker_init


@worker_init.connect
def warm(**_):
    raise SystemExit("no model in /models")
"""
    )
    small.write({"main.py": API, "tasks.py": tasks})
    done = small.devkit("up", "-d", "-P", "solo", "--no-flower").expect(1)

    assert "no model in /models" in done.err
    assert states(small) == {"redis": "ready", "api": "ready", "worker": "failed"}
    assert fetch("GET", small.url("api")).json() == {"version": 1}
    small.write(SMALL_APP)
    wait_until(lambda: states(small)["worker"] == "ready", why=small.status)


def test_without_any_program_nothing_runs(small: Project) -> None:
    small.write({"main.py": STATIC})
    done = small.devkit("up", "-d", "-P", "no_such_pool").expect(1)
    assert small.status()["services"] == []
    assert "no_such_pool" in done.err


def test_a_pool_of_a_start_line_that_is_not_there(small: Project) -> None:
    small.write({"Procfile": "worker: celery -A tasks worker -P nosuch -c 1\n"})
    done = small.up("worker")
    assert "Procfile:1  celery -A tasks worker -P nosuch -c 1: there is no pool nosuch here" in done.err
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_may_run_a_worker_that_accepts_pickle(small: Project) -> None:
    small.write({"tasks.py": SMALL_APP["tasks.py"] + 'app.conf.accept_content = ["json", "pickle"]\n'})
    done = small.up("worker", "-P", "solo")
    assert "it runs with C_FORCE_ROOT=1" in done.err
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


PREFIX = """
from celery import Celery

app = Celery("{name}")
app.conf.task_default_queue = "{name}"


@app.task(name="{name}.prefix")
def prefix(x=1):
    import sys

    return [sys.prefix, 1 // x]
"""


def test_each_program_has_the_interpreter_of_its_own_folder(empty: Project) -> None:
    site = str(Path(celery.__file__).parents[1])
    for name in ("shop", "mail"):
        environment(empty.root / name / ".venv", site)
        empty.write({f"{name}/jobs_{name}.py": PREFIX.format(name=name)})
    lines = [f"{name}: cd {name} && celery -A jobs_{name} worker -P solo" for name in ("shop", "mail")]
    empty.write({"Procfile": "\n".join(lines)})
    empty.up("--no-flower")

    for name in ("shop", "mail"):
        done = empty.devkit("run", f"{name}.prefix", "--json").expect(0)
        assert done.json()["result"] == [str(empty.root / name / ".venv"), 1]
    empty.devkit("run", "mail.prefix", "--args", "[0]").expect(1)
    assert "same failure" in empty.devkit("replay", "--all").expect(1).out


ROLE = """
import os

from celery import Celery

ROLE = os.environ["SHOP_ROLE"]
app = Celery("shop")


@app.task
def role():
    return [ROLE, os.environ.get("SHOP_TIER")]
"""


def test_what_a_start_line_sets_is_set_for_its_program(empty: Project) -> None:
    api = API + 'import os\n\nTIER = os.environ["SHOP_TIER"]\n\n\n@app.get("/tier")\ndef tier():\n    return TIER\n'
    lines = "worker: SHOP_ROLE=packer celery -A jobs worker -P solo\nweb: SHOP_TIER=front uvicorn main:app\n"
    empty.write({"jobs.py": ROLE, "main.py": api, "Procfile": lines})

    done = empty.up("--no-flower")

    assert "Procfile:1 sets SHOP_ROLE" in done.err
    assert empty.devkit("run", "role", "--json").expect(0).json()["result"] == ["packer", None]
    assert fetch("GET", empty.url("api") + "/tier").json() == "front"
    empty.write({"jobs.py": ROLE + "\n"})  # and for the next generation
    wait_until(lambda: empty.services()["worker"]["generation"] == 2, why=empty.status)
    assert empty.devkit("run", "role", "--json").expect(0).json()["result"] == ["packer", None]
