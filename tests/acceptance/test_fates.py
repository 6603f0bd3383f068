"""What becomes of a task that was sent, where its result does not tell that: `run` and `debug --run` tell it."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.harness import Done, Project, wait_until

JOBS = """
import asyncio
import time
from datetime import datetime

from celery import Celery
from celery.exceptions import Ignore, Reject

app = Celery("jobs")


@app.task(bind=True)
def half(self):
    self.update_state(state="FAILURE", meta={"exc": "no"})
    time.sleep(0.5)
    raise ValueError("no")


@app.task(bind=True)
def given_up(self):
    self.update_state(state="FAILURE", meta="out of paper")
    raise Ignore()


@app.task(ignore_result=True)
def quiet(x):
    return 10 // x


@app.task(bind=True, ignore_result=True, max_retries=1)
def again(self):
    raise self.retry(exc=OSError("later"), countdown=0)


@app.task
async def fetch(url):
    await asyncio.sleep(0.01)
    return url.upper()


@app.task(ignore_result=True)
async def forget(url):
    return url.upper()


@app.task
def pages(n):
    yield from range(n)


@app.task
def ignores():
    raise Ignore()


@app.task(bind=True)
def replaces(self, n):
    if n:
        raise self.replace(replaces.s(n - 1))
    return "replaced"


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


@app.task
def odd():
    raise Odd(1, 2)


@app.task(bind=True)
def moment(self):
    self.update_state(state="LOOKING", meta=[datetime(2020, 1, 1)])
    time.sleep(0.3)
    return {"at": datetime(2020, 1, 1)}


@app.task(rate_limit="1/h")
def seldom():
    return 1


@app.task
def elsewhere():
    return 1


@app.task
def rest(seconds):
    time.sleep(seconds)
    return "rested"
"""
LINE = {text.strip(): number for number, text in enumerate(JOBS.splitlines(), start=1)}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A worker with these tasks, for all tests that do it no harm."""
    with closing(Project(tmp_path_factory.mktemp("fates"), {"jobs.py": JOBS})) as project:
        project.up("worker", "-c", "2")
        yield project


def run(project: Project, task: str, *args: object, options: tuple[str, ...] = ()) -> Done:
    return project.devkit("run", task, "--args", json.dumps(args), *options)


# --- what is stored is no end, or cannot be read ---


def test_a_failure_that_is_only_a_state_is_followed_to_the_true_end(stack: Project) -> None:
    done = run(stack, "half").expect(1)
    assert 'FAILURE {"exc": "no"}' in done.err
    assert done.out.endswith("\nValueError: no\n")
    line = LINE['raise ValueError("no")']
    assert f"line {line}, in half" in done.out
    assert run(stack, "half", options=("--json",)).expect(1).json()["exception"] == "ValueError: no"
    assert {one["message"] for one in stack.devkit("failures", "half", "--json").json()} == {"no"}


def test_one_that_stays_is_shown_as_it_is_stored(stack: Project) -> None:
    assert run(stack, "given_up").expect(1).out == "'out of paper'\n"
    listed = stack.devkit("failures", "--results").expect(0).out
    assert "'out of paper'" in listed


@pytest.mark.parametrize(
    "settings",
    ["result_serializer='pickle', accept_content=['json']", "result_accept_content=['pickle']"],
)
def test_a_result_that_nobody_may_read(small: Project, settings: str) -> None:
    small.write({"tasks.py": (small.root / "tasks.py").read_text() + f"\napp.conf.update({settings})\n"})
    small.up("worker", "-P", "solo")
    done = run(small, "add", 1, 2).expect(1)
    assert done.out.startswith("what is stored cannot be read: Refusing to deserialize")
    assert "task_id" in done.out, "as it is stored"


def test_an_exception_that_cannot_be_made_again(stack: Project) -> None:
    done = run(stack, "odd", options=("--json",)).expect(1).json()
    assert done["exception"] == "Odd: 1 and 2"


def test_what_json_cannot_say_is_text(stack: Project) -> None:
    done = run(stack, "moment").expect(0)
    assert 'LOOKING ["datetime.datetime(2020, 1, 1, 0, 0)"]' in done.err
    assert json.loads(done.out) == {"at": "datetime.datetime(2020, 1, 1, 0, 0)"}


# --- no result is kept ---


def test_a_result_that_is_ignored(stack: Project) -> None:
    done = run(stack, "quiet", 5).expect(0)
    assert "ran, its result is ignored" in done.err
    assert done.out == ""
    failed = run(stack, "quiet", 0).expect(1)
    assert "ZeroDivisionError" in failed.out
    assert f"line {LINE['return 10 // x']}, in quiet" in failed.out
    assert "RETRY" in run(stack, "again").expect(1).err


def test_it_is_debugged_too(stack: Project) -> None:
    done = stack.devkit("debug", "quiet", "--run", "--args", "[5]", "-e", "p x", "-e", "c").expect(0)
    assert "5" in done.out.splitlines()
    assert "ran, its result is ignored" in done.err


def test_an_app_without_a_result_backend(small: Project, tmp_path: Path) -> None:
    small.environ["CELERY_RESULT_BACKEND"] = ""
    small.environ["CELERY_BROKER_URL"] = "filesystem://"
    folder = tmp_path / "queue"
    options = {name: str(folder) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    tasks = (small.root / "tasks.py").read_text()
    small.write({"tasks.py": f"{tasks}\napp.conf.broker_transport_options = {options!r}\n"})
    folder.mkdir()
    small.up("worker", "-P", "solo")
    assert "ran, the app has no result backend" in run(small, "add", 1, 2).expect(0).err


def test_a_task_that_ignores_itself_is_said_to_be_gone(stack: Project) -> None:
    waiting = stack.start("run", "ignores")
    waiting.wait_for("has it no more")
    waiting.press_ctrl_c()
    assert waiting.end() == 130


def test_a_task_that_replaces_itself(stack: Project) -> None:
    assert run(stack, "replaces", 2).expect(0).out == '"replaced"\n'


# --- nothing of it runs ---


@pytest.mark.parametrize(
    ("task", "what"),
    [("fetch", "fetch is async def: Celery does not await it"), ("pages", "pages is a generator")],
)
def test_a_function_that_celery_calls_and_does_not_run(stack: Project, task: str, what: str) -> None:
    done = run(stack, task, 3).expect(1)
    assert what in done.out
    assert len(done.out.splitlines()) == 1
    assert ("asyncio.run" in done.err) == (task == "fetch")
    debugged = stack.devkit("debug", task, "--run", "--args", "[3]", "-e", "c").expect(1)
    assert what in debugged.out


def test_whose_result_is_ignored(stack: Project) -> None:
    assert "forget is async def: Celery does not await it" in run(stack, "forget", "a").err


# --- nobody has it, or not yet ---


def test_a_queue_that_nobody_consumes_is_said(stack: Project) -> None:
    said = r"queue slow-queue: nobody consumes it; \S+ has celery: devkit up -Q celery,slow-queue"
    waiting = stack.start("run", "elsewhere", "--queue", "slow-queue")
    waiting.wait_for(said)
    waiting.press_ctrl_c()
    assert waiting.end() == 130
    done = run(stack, "elsewhere", options=("--queue", "slow-queue", "--no-wait")).expect(0)
    assert re.search(said, done.err)
    assert "nobody" not in run(stack, "rest", 0, options=("--no-wait",)).err

    stack.start("worker", "-Q", "slow-queue", "-c", "1", "-n", "slow").wait_for("generation 1 is live")
    assert "nobody" not in run(stack, "elsewhere", options=("--queue", "slow-queue")).expect(0).err
    stack.started()[-1].close()


def test_a_rate_limit_is_said(stack: Project) -> None:
    run(stack, "seldom").expect(0)
    waiting = stack.start("run", "seldom")
    waiting.wait_for("has it, and waits: the task's rate_limit is 1/h")
    waiting.press_ctrl_c()
    assert waiting.end() == 130


def test_a_task_that_pauses_is_said_to(stack: Project) -> None:
    place = f"jobs.py:{LINE['time.sleep(seconds)']}"
    stack.devkit("debug", "--break", place, "--no-wait").expect(0)
    waiting = stack.start("run", "rest", "--args", "[0]")
    paused = waiting.wait_for(rf"paused at {re.escape(place)}: devkit debug (\w+)")
    stack.devkit("debug", "--clear").expect(0)
    stack.devkit("debug", paused[1], "-e", "c").expect(0)
    assert waiting.end() == 0
    assert waiting.err.count("paused at") == 1


# --- breakpoints of a command that fails ---


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["add", "--run", "--args", "[1, 2]"], 1),  # no broker answers
        (["nothing", "--run"], 2),
        (["add", "--run", "--args", "[1, 2"], 2),
        (["add", "--break", "nowhere.py:1"], 2),
    ],
)
def test_they_are_taken_back(small: Project, arguments: list[str], code: int) -> None:
    before = ("debug", "--break", "tasks.py:5", "--no-wait")
    small.devkit(*before, "--if", "x > 5").expect(0)
    small.devkit("debug", "--break", "tasks.py:5", "--break", "tasks.py:11", *arguments).expect(code)
    (left,) = small.devkit("debug", "--breakpoints", "--json").json()
    assert left["condition"] == "x > 5"


def test_they_stay_once_the_task_is_sent(small: Project) -> None:
    small.up("worker", "-P", "solo")
    line = 1 + (small.root / "tasks.py").read_text().splitlines().index("    return x + y")
    small.devkit(
        "debug", "add", "--run", "--args", "[1, null]", "--break", f"tasks.py:{line}", "-e", "c"
    ).expect(1)  # fmt: skip
    assert len(small.devkit("debug", "--breakpoints", "--json").json()) == 1


# --- the backend goes away ---


def test_a_result_backend_that_goes_away_and_comes_back(small: Project) -> None:
    """The worker, whose broker it is, needs a moment, too."""
    small.write(
        {
            "tasks.py": (small.root / "tasks.py").read_text()
            + "\n\n@app.task\ndef rest(seconds):\n    import time; time.sleep(seconds)\n    return 'rested'\n"
        }
    )
    small.up("worker", "-c", "1")
    waiting = small.start("run", "rest", "--args", "[3]")
    sent = waiting.wait_for(r"sent, id (\S+)")[1]
    wait_until(lambda: f"rest[{sent}] received" in small.log("worker"))
    os.kill(small.pids()["redis"], signal.SIGKILL)
    waiting.wait_for(rf"does not answer .* its id is {sent}")
    assert waiting.end(60) == 0
    assert waiting.out == '"rested"\n'


def test_ctrl_c_while_it_is_away(small: Project) -> None:
    small.up("redis")
    waiting = small.start("run", "add", "--args", "[1, 2]", terminal=True)
    waiting.wait_for("sent, id")
    small.devkit("down").expect(0)
    waiting.wait_for("does not answer")
    waiting.press_ctrl_c()
    assert waiting.end() == 130
    assert "Traceback" not in waiting.out
