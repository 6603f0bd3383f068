"""The whole product in environments of other versions, from the oldest that it works with to the newest."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devkit.services.stack.rabbitmq import find_rabbitmq_server
from tests.acceptance.dialogues import piped
from tests.acceptance.harness import REPOSITORY, Done, Project, fetch, free_port, tasks_in_flower, wait_until
from tests.acceptance.pins import NEWEST, OLDEST, PINS, Pin

BOOT_S = 90.0
# What worked before Python 3.10, pydantic 2 and Celery 5.2 did, works still.
TASKS = """
import os
import time
from celery import Celery

app = Celery("tasks")
app.conf.beat_schedule = {"tick": {"task": "tasks.tick", "schedule": 1.0}}
VERSION = 1


class Declined(Exception):
    \"\"\"Pickle cannot make it again.\"\"\"

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")


@app.task
def divide(x, y, password=None):
    part = x / y
    return part


@app.task
def charge(amount):
    raise Declined(402, amount)


@app.task
def stops(x):
    twice = x * 2
    breakpoint()
    return twice + 1


@app.task(bind=True, max_retries=2)
def again(self, x):
    try:
        raise LookupError(x)
    except LookupError as error:
        raise self.retry(exc=error, countdown=0)


@app.task(soft_time_limit=1)
def soft():
    time.sleep(60)


@app.task(time_limit=1)
def hard():
    time.sleep(60)


@app.task(bind=True)
def waits(self, number):
    '''Until there is a file.'''
    with open("runs.txt", "a") as runs:
        runs.write(f"{self.request.id}\\n")
    while not os.path.exists(f"go-{number:g}"):
        time.sleep(0.02)
    return VERSION


@app.task
def tick():
    return "tock"
"""
API = """
from typing import List

import celery
import fastapi
from pydantic import BaseModel

import tasks

app = fastapi.FastAPI()
VERSION = 1


class Call(BaseModel):
    task: str
    args: List[float]
    queue: str = "celery"


@app.get("/")
async def about():
    return {"version": VERSION, "celery": celery.__version__, "fastapi": fastapi.__version__}


@app.post("/tasks")
def send(call: Call):
    return {"id": tasks.app.tasks["tasks." + call.task].apply_async(call.args, queue=call.queue).id}


@app.get("/tasks/{task_id}")
def state(task_id: str):
    result = tasks.app.AsyncResult(task_id)
    return {"state": result.state, "result": result.result if result.successful() else repr(result.result)}
"""
LINE = {text.strip(): number for number, text in enumerate(TASKS.splitlines(), start=1)}


@dataclass
class Stack:
    """A project with an environment of its own, and its stack."""

    pin: Pin
    project: Project
    version: int = 1

    def __post_init__(self) -> None:
        self.api = self.project.url("api")

    def save(self) -> None:
        """Save both programs with another version."""
        self.version += 1
        for name, code in (("tasks.py", TASKS), ("main.py", API)):
            self.project.write({name: code.replace("VERSION = 1", f"VERSION = {self.version}")})

    def send(self, task: str, *args: float, queue: str = "celery") -> str:
        """Send a task, through the API; returns its id."""
        sent = fetch("POST", f"{self.api}/tasks", {"task": task, "args": args, "queue": queue}).json()
        return str(sent["id"])

    def state(self, task_id: str) -> Any:
        return fetch("GET", f"{self.api}/tasks/{task_id}").json()

    def ended(self, task_id: str) -> Any:
        """What became of it, once it has ended."""

        def found() -> Any:
            state = self.state(task_id)
            return state if state["state"] in ("SUCCESS", "FAILURE") else None

        return wait_until(found, why=lambda: f"{self.state(task_id)}\n{self.project.log('worker')}")

    def runs(self, task_id: str) -> int:
        """How often it was begun."""
        file = self.project.root / "runs.txt"
        return file.read_text().split().count(task_id) if file.exists() else 0

    def failure(self, task_id: str) -> Any:
        """What is recorded of it."""
        wait_until(lambda: self.project.devkit("show", task_id, "--json").code == 0)
        return self.project.devkit("show", task_id, "--json").json()

    def new_code_takes_over(self, queues: Sequence[str], is_live: Callable[[], bool]) -> None:
        """What runs ends as it began, and what waits runs the code of a save, which `is_live` tells of."""
        old = self.version
        sent = [[self.send("waits", old, queue=queue) for _ in range(4)] for queue in queues]
        wait_until(lambda: all(self.runs(running) for running, *_ in sent))

        self.save()
        wait_until(is_live, why=lambda: self.project.log("worker"))
        self.project.write({f"go-{old}": ""})

        for running, *waiting in sent:
            assert self.ended(running) == {"state": "SUCCESS", "result": old}
            assert [self.ended(one)["result"] for one in waiting] == [self.version] * 3
            assert [self.runs(one) for one in [running, *waiting]] == [1] * 4

    def worker_reloads(self) -> None:
        """The same of the stack's own worker."""
        before = self.project.services()["worker"]["generation"]
        self.new_code_takes_over(["celery"], lambda: self.project.services()["worker"]["generation"] > before)


def project_of(pin: Pin, folder: Path) -> Project:
    environment = pin.environment()
    project = Project(folder, {"tasks.py": TASKS, "main.py": API})
    (project.root / ".venv").symlink_to(environment)
    return project


@pytest.fixture(scope="module", params=PINS, ids=lambda pin: pin.name)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack in each environment; after the tests nothing is left of it."""
    with closing(project_of(request.param, tmp_path_factory.mktemp(request.param.name))) as project:
        project.up("-c", "1")
        yield Stack(request.param, project)
        project.devkit("down").expect(0)
        project.wait_until_gone()


def test_the_table_has_them() -> None:
    table = (REPOSITORY / "docs" / "versions.md").read_text()
    pinned = {package for pin in PINS for package in pin.packages if "==" in package and "tornado" not in package}
    assert [package for package in sorted(pinned) if package.partition("==")[2] not in table] == []


def test_all_is_ready_and_answers(stack: Stack) -> None:
    services = stack.project.services()

    assert {name: service["state"] for name, service in services.items()} == dict.fromkeys(
        ("redis", "api", "worker", "beat", "flower"), "ready"
    )
    about = fetch("GET", stack.api).json()
    pinned = dict(package.split("==") for package in stack.pin.packages if "==" in package)
    assert about["celery"] == pinned.get("celery", pinned.get("celery[redis]", about["celery"]))
    assert about["fastapi"] == pinned.get("fastapi", about["fastapi"])
    assert "Flower" in fetch("GET", services["flower"]["url"]).text
    done = stack.send("divide", 9, 2)
    assert stack.ended(done) == {"state": "SUCCESS", "result": 4.5}
    wait_until(lambda: done in tasks_in_flower(services["flower"]["url"]))
    stack.project.wait_for_log("worker", r"tasks\.tick\[.*succeeded")


def test_a_failure_is_kept_and_runs_again(stack: Stack) -> None:
    given = ("--args", "[1, 0]", "--kwargs", '{"password": "hunter2"}')
    sent = stack.project.devkit("run", "divide", *given, "--json").expect(1).json()
    assert sent["exception"] == "ZeroDivisionError: division by zero"

    kept = stack.failure(sent["id"])
    assert (kept["exception"], kept["frames"][-1]["locals"]["x"]) == ("ZeroDivisionError", "1")
    assert "hunter2" not in json.dumps(kept)
    assert sent["id"] in [one["id"] for one in stack.project.devkit("failures", "--json").expect(0).json()]
    assert "same failure" in stack.project.devkit("replay", sent["id"]).expect(1).out
    assert (
        stack.project.devkit("replay", sent["id"], "--args", "[1, 2]")
        .expect(0)
        .out.startswith("passes now: divide returned 0.5")
    )


def test_an_error_that_pickle_cannot_make_again(stack: Stack) -> None:
    sent = stack.send("charge", 7)

    assert "Declined" in stack.ended(sent)["result"]
    assert stack.failure(sent)["exception"] == "tasks.Declined"
    assert "same failure" in stack.project.devkit("replay", sent).expect(1).out


def test_retries_and_time_limits(stack: Stack) -> None:
    again, soft, hard = (stack.send(*call) for call in (("again", 3), ("soft",), ("hard",)))

    for sent, exception in (
        (again, "LookupError"),
        (soft, "billiard.exceptions.SoftTimeLimitExceeded"),
        (hard, "billiard.exceptions.TimeLimitExceeded"),
    ):
        assert stack.ended(sent)["state"] == "FAILURE"
        kept = stack.failure(sent)
        assert kept["exception"] == exception
    assert stack.failure(again)["retries"] == 2


@pytest.mark.parametrize(
    ("task", "options", "typed", "shown", "code"),
    [
        pytest.param("stops", [], "p twice", "-> return twice + 1\n8\n", 0, id="breakpoint()"),
        pytest.param("divide", ["--break", "tasks.py:{part}"], "p x", "-> return part\n4\n", 0, id="at-a-line"),
        pytest.param("divide", ["--on-failure"], "p y", "-> part = x / y\n0\n", 1, id="on-failure"),
    ],
)
def test_a_task_is_debugged(stack: Stack, task: str, options: list[str], typed: str, shown: str, code: int) -> None:
    args = {"stops": "[4]", "divide": "[4, 0]" if code else "[4, 2]"}[task]
    options = [option.format(part=LINE["return part"]) for option in options]

    done = piped(stack.project, task, "--run", "--args", args, *options, "-e", typed, "-e", "c").expect(code)

    assert shown in done.out
    stack.project.devkit("debug", "--clear")


def test_a_save_is_live_in_worker_and_api(stack: Stack) -> None:
    stack.worker_reloads()

    wait_until(lambda: fetch("GET", stack.api).json()["version"] == stack.version)


def test_the_other_pools(stack: Stack) -> None:
    pools = ("solo", "threads", "gevent")
    runners = [stack.project.start("worker", "-P", pool, "-c", "1", "-Q", pool, "-n", pool) for pool in pools]
    for runner in runners:
        runner.wait_for("generation 1 is live")

    stack.new_code_takes_over(pools, lambda: all("generation 2 is live" in runner.err for runner in runners))
    for pool in pools:
        assert stack.failure(stack.send("divide", 1, 0, queue=pool))["exception"] == "ZeroDivisionError"

    for runner in runners:
        runner.press_ctrl_c()
        assert runner.end() == 0


@pytest.mark.skipif(find_rabbitmq_server(os.environ["PATH"]) is None, reason="needs rabbitmq-server")
@pytest.mark.parametrize("pin", [OLDEST, NEWEST], ids=lambda pin: pin.name)
def test_on_rabbitmq(pin: Pin, tmp_path: Path) -> None:
    with closing(project_of(pin, tmp_path)) as project:
        url = f"amqp://shop:p%40ss@127.0.0.1:{free_port()}/warehouse"
        up = project.start("up", "-d", "-c", "1", "--no-flower", "--no-beat", "--broker", url)
        Done(up.end(BOOT_S), up.out, up.err).expect(0)
        stack = Stack(pin, project)

        assert project.devkit("run", "divide", "--args", "[9, 2]").expect(0).out == "4.5\n"
        failed = project.devkit("run", "divide", "--args", "[9, 0]", "--json").expect(1).json()["id"]
        assert stack.failure(failed)["exception"] == "ZeroDivisionError"
        assert "same failure" in project.devkit("replay", failed).expect(1).out
        shown = piped(project, "stops", "--run", "--args", "[4]", "-e", "p twice", "-e", "c").expect(0)
        assert "-> return twice + 1\n8\n" in shown.out
        stack.worker_reloads()
