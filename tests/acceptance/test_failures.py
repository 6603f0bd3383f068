"""`devkit failures` and `devkit show`: what a real worker recorded, and what stored results tell."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery

from tests.acceptance.harness import DEAD_REDIS, PYTHON, Project, running_redis
from tests.acceptance.test_help import complete

PROGRAM = """
import os, sys
from celery import Celery

if os.environ.get("NO_IMPORT"):
    sys.exit("the project was imported")
app = Celery("tasks")


class Busy(Exception):
    pass


def ratio(x, y):
    return x / y


@app.task
def divide(x, y):
    return ratio(x, y)


@app.task
def login(user, password, options=None):
    raise PermissionError(f"{user} may not\\nlog in")


@app.task(autoretry_for=(Busy,), max_retries=1, default_retry_delay=0)
def busy(who):
    raise Busy(f"not now, {who}")


@app.task(name="cart.add")
def cart_add():
    raise KeyError("cart")


@app.task(name="stock.add")
def stock_add():
    raise KeyError("stock")
"""
SENT: tuple[tuple[str, str, list[Any], dict[str, Any]], ...] = (
    ("tasks.login", "11111111-aaaa", ["ann", "hunter2"], {"options": {"api_key": "hunter2", "level": 3}}),
    ("tasks.busy", "22222222-aaaa", ["you"], {}),
    ("cart.add", "33333333-aaaa", [], {}),
    ("stock.add", "33333333-bbbb", [], {}),
    ("tasks.divide", "44444444-aaaa", [10], {"y": 0}),
)
IDS = [task_id for _, task_id, *_ in SENT]


@contextmanager
def sending(url: str) -> Iterator[Celery]:
    client = Celery("client", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose worker has run tasks that failed, in this order, the oldest first: IDS."""
    with (
        running_redis(tmp_path_factory.mktemp("redis")) as url,
        closing(Project(tmp_path_factory.mktemp("failed"), {"tasks.py": PROGRAM})) as project,
        sending(url) as client,
    ):
        project.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        worker = project.start("worker", "-c", "1")
        worker.wait_for("generation 1 is live")
        for number, (name, task_id, args, kwargs) in enumerate(SENT, start=1):
            client.send_task(name, args, kwargs, task_id=task_id, ignore_result=True)
            worker.wait_for(rf"(?s)(.*· devkit replay ){{{number}}}")
        yield project
        worker.close()


def ids(project: Project, *arguments: str) -> list[str]:
    return [one["id"] for one in project.devkit("failures", "--json", *arguments).expect(0).json()]


def test_the_table_is_read_without_importing_the_project(failed: Project) -> None:
    done = failed.devkit("failures", env={"NO_IMPORT": "1"}).expect(0)

    head, *lines = done.out.splitlines()
    assert head.split() == ["id", "when", "task", "exception", "arguments", "retries", "worker"]
    assert [line.split()[0] for line in lines] == ["44444444", "33333333-b", "33333333-a", "22222222", "11111111"]
    assert re.search(
        r"^4{8} +\d+ s ago  divide +ZeroDivisionError: division by zero  x=10, y=0 +0  celery\.1@", lines[0]
    )
    assert re.search(r"busy +Busy: not now, you +who='you' +1 ", done.out)
    assert "PermissionError: ann may not log in" in done.out
    assert "password=***, options={'api_key': ***, 'level': 3}" in done.out
    assert "hunter2" not in done.out
    assert done.err == "devkit show 44444444 shows one whole, devkit replay 44444444 runs it again\n"


def test_the_table_fits_the_terminal(failed: Project) -> None:
    shown = failed.start("failures", terminal=True, env={"COLUMNS": "80"})
    assert shown.end() == 0
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.out.splitlines()]
    assert max(map(len, lines[:6])) <= 80
    assert "\x1b[1;31m" in shown.out
    assert "…" in lines[5]


def test_as_json(failed: Project) -> None:
    found = failed.devkit("failures", "--json").expect(0).json()

    divide, login = found[0], found[-1]
    worker, failed_at = divide.pop("worker"), divide.pop("failed_at")
    assert worker.startswith("celery.1@")
    assert timedelta(0) < datetime.now(UTC) - datetime.fromisoformat(failed_at) < timedelta(minutes=5)
    assert divide == {
        "id": "44444444-aaaa", "task": "tasks.divide", "exception": "ZeroDivisionError",
        "message": "division by zero", "args": [10], "kwargs": {"y": 0}, "retries": 0, "replayable": True,
        "source": "recorded",
    }  # fmt: skip
    assert (login["args"], login["kwargs"]) == (["ann", "***"], {"options": {"api_key": "***", "level": 3}})
    assert login["message"] == "ann may not\nlog in"


def test_some_of_them(failed: Project) -> None:
    assert ids(failed, "divide") == ids(failed, "tasks.divide") == ["44444444-aaaa"]
    assert ids(failed, "--limit", "2") == ["44444444-aaaa", "33333333-bbbb"]
    first = failed.devkit("failures", "--json").json()[1]["failed_at"]
    assert ids(failed, "--since", first) == ["44444444-aaaa", "33333333-bbbb"]
    assert len(ids(failed, "--since", "1h")) == len(IDS)
    none = failed.devkit("failures", "divide", "--since", "0s").expect(0)
    assert none.out == ""
    assert "no failure of divide since 0s\n" in none.err
    assert "tasks that failed: cart.add, stock.add, tasks.busy, tasks.divide, tasks.login\n" in none.err


def test_one_as_a_whole(failed: Project) -> None:
    done = failed.devkit("show", "4444", env={"NO_IMPORT": "1"}).expect(0)

    assert done.out.startswith("tasks.divide(x=10, y=0)\n44444444-aaaa\nFAILURE ")
    assert "\n  queue    celery\n  retries  0\n" in done.out
    assert "\narguments\n  x = 10\n  y = 0\n" in done.out
    line = PROGRAM.splitlines().index("    return x / y") + 1
    assert f"\n\ntasks.py:{line} in ratio\n   {line - 1}  def ratio(x, y):\n-> {line}      return x / y\n" in done.out
    assert done.out.endswith("      x = 10\n      y = 0\n\nZeroDivisionError: division by zero\n")
    assert done.err == "again: devkit replay 44444444\n"


def test_one_with_the_runs_before_it(failed: Project) -> None:
    shown = failed.devkit("show", "2222").expect(0).out
    assert re.search(r"\nother runs of it\n  0  [-\d]+ [:\d]+  RETRY  tasks\.Busy: not now, you\n", shown)

    document = failed.devkit("show", "2222", "--json").expect(0).json()
    assert [(run["retries"], run["state"]) for run in document["attempts"]] == [(0, "RETRY"), (1, "FAILURE")]
    assert (document["args"], document["kwargs"], document["retries"]) == (["you"], {}, 1)
    assert document["frames"][-1]["locals"] == {"who": "'you'"}


def test_secrets_are_nowhere(failed: Project) -> None:
    shown = failed.devkit("show", "11111111-aaaa").expect(0).out
    assert "  password = ***\n  options = {'api_key': ***, 'level': 3}\n" in shown
    assert "hunter2" not in shown + failed.devkit("show", "1111", "--json").expect(0).out


def test_ids_that_mean_none_or_several(failed: Project) -> None:
    several = failed.devkit("show", "3333").expect(2)
    assert "several ids begin with '3333'" in several.err
    assert "33333333-aaaa" in several.err
    assert "33333333-bbbb" in several.err
    assert failed.devkit("show", "33333333-b").expect(0).out.startswith("stock.add()")

    unknown = failed.devkit("show", "9999").expect(2)
    assert "no failed task whose id begins with '9999'" in unknown.err
    assert "looked: the records in redis://127.0.0.1:" in unknown.err
    assert "looked: the results in redis://127.0.0.1:" in unknown.err
    assert "several tasks end in 'add'" in failed.devkit("failures", "add").expect(2).err
    assert "too short" in failed.devkit("show", "44").expect(2).err
    assert "is no time" in failed.devkit("failures", "--since", "tomorrow").expect(2).err


def test_ids_are_completed(failed: Project) -> None:
    assert complete(failed, "devkit show 3333") == ["33333333-bbbb", "33333333-aaaa"]
    assert complete(failed, "devkit show 9") == []


def test_a_store_that_does_not_answer(small: Project) -> None:
    began = time.monotonic()
    done = small.devkit("failures", "--broker", DEAD_REDIS.replace("//", "//:hunter2@")).expect(1)
    assert "the store of failures redis://127.0.0.2:1 does not answer" in done.err
    assert "devkit up" in done.err
    assert "hunter2" not in done.err
    assert "does not answer" in small.devkit("failures", "--json").expect(1).err  # the app's own
    assert "does not answer" in small.devkit("show", "abcd").expect(1).err
    assert time.monotonic() - began < 10


def test_from_stored_results(empty: Project) -> None:
    """What a worker without devkit leaves: it stores results, and nobody records."""
    (empty.root / "results").mkdir()
    empty.environ |= {"CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": f"file://{empty.root}/results"}
    settings = "app.conf.update(task_always_eager=True, task_store_eager_result=True, result_extended=True)\n"
    call = "import tasks; tasks.divide.apply_async((10, 0), task_id='55555555-aaaa')"
    empty.write({"tasks.py": PROGRAM + settings})
    empty.run(PYTHON, "-c", call).expect(0)

    done = empty.devkit("failures").expect(0)
    assert re.search(r"^55555555  \d+ s ago  divide  ZeroDivisionError: division by zero", done.out, re.MULTILINE)
    assert "looked at the records in " in done.err
    assert " and at 1 results in " in done.err
    (one,) = empty.devkit("failures", "divide", "--results", "--json").expect(0).json()
    assert (one["id"], one["source"], one["args"], one["exception"]) == (
        "55555555-aaaa", "result", [10, 0], "ZeroDivisionError"
    )  # fmt: skip
    shown = empty.devkit("show", "5555").expect(0).out
    assert shown.startswith("tasks.divide(x=10, y=0)\n55555555-aaaa\nFAILURE ")
    assert re.search(r"^arguments \(.+\)$", shown, re.MULTILINE)  # what about them may not be as it was
    assert shown.endswith("ZeroDivisionError: division by zero\n")


def test_nothing_has_failed(empty: Project) -> None:
    empty.environ |= {"CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": "cache+memory://"}
    empty.write({"tasks.py": PROGRAM})

    done = empty.devkit("failures").expect(0)
    assert (done.out, done.err.splitlines()[-1]) == ("", "no failure")
    assert "stored results cannot be read" in done.err
    assert empty.devkit("failures", "--json").expect(0).out == "[]\n"
    assert "cannot list its results" in empty.devkit("failures", "--results").expect(2).err
