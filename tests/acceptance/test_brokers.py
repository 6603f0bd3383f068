"""Which broker and result backend a stack gets, whatever the app has, and whatever its environment can speak."""

import os
import re
import sysconfig
import venv
from pathlib import Path

import pytest

from devkit.services.stack.rabbitmq import find_rabbitmq_server
from tests.acceptance.harness import Project, free_port, running_redis

TASKS = """
from celery import Celery

app = Celery("tasks", broker="{broker}", backend="{backend}")


@app.task
def add(x, y):
    return x + y
"""
BOOT_S = 90.0
# Holds up the start, so that there is time for something to happen.
SLOW = """
[tool.devkit.services.slow]
command = "sleep 1000"
ready = "test -e never"
"""


@pytest.fixture(scope="module")
def without_redis(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with all of this one's packages, but redis and what came with it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    place = sysconfig.get_path("purelib", "venv", {"base": str(folder)})
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("redis", "packaging", "devkit", "__editable__", "_devkit", "flower")):
            (Path(place) / path.name).symlink_to(path)
    return str(folder / "bin" / "python")


@pytest.fixture
def own(empty: Project) -> Project:
    """A project whose app has its addresses in its code; tests write it."""
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        del empty.environ[name]
    return empty


def add(project: Project) -> None:
    assert project.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


@pytest.mark.skipif(find_rabbitmq_server(os.environ["PATH"]) is None, reason="needs rabbitmq-server")
def test_an_app_that_cannot_speak_redis_gets_a_rabbitmq(own: Project, without_redis: str) -> None:
    port = free_port()
    own.write({"tasks.py": TASKS.format(broker=f"amqp://guest:guest@localhost:{port}//", backend="rpc://")})
    own.environ["DEVKIT_PYTHON"] = without_redis
    up = own.start("up", "-d", "--no-flower")
    assert up.end(BOOT_S) == 0, up.shown
    row = next(line for line in up.out.splitlines() if line.startswith(" rabbitmq"))
    assert f"amqp://guest:***@127.0.0.1:{port}//" in row
    assert "the app cannot speak Redis: No module named 'packaging'" in row
    add(own)


def test_an_app_of_redis_that_cannot_speak_it_is_told_so(own: Project, without_redis: str) -> None:
    own.write({"tasks.py": TASKS.format(broker="redis://:secret@localhost:6379/0", backend="redis://localhost/0")})
    own.environ["DEVKIT_PYTHON"] = without_redis
    for command in (["up", "-d"], ["up", "-d", "worker"]):
        refused = own.devkit(*command).expect(1).err
        assert "cannot speak Redis" in refused
        assert f"{without_redis} -m pip install 'celery[redis]' 'kombu[redis]'" in refused
        assert "secret" not in refused
    own.write({"tasks.py": TASKS.format(broker="redis://127.0.0.2:1/0", backend="redis://127.0.0.2:1/0")})
    refused = own.devkit("run", "add", "--args", "[1, 2]").expect(1).err
    assert "No module named 'packaging'" in refused
    assert f"{without_redis} -m pip install 'celery[redis]' 'kombu[redis]'" in refused


@pytest.mark.parametrize(
    ("broker", "backend", "notes"),
    [
        ("memory://", "cache+memory://", ["memory:// is not used: it is in the memory of one process"]),
        ("sqla+sqlite:////nowhere/x.db", "file:///nowhere", ["unable to open database file", "file:///nowhere is not"]),
        ("sqs://", "django-db", [r"pip install .celery\[sqs\]", "django-celery-results"]),
        ("amqp://guest@127.0.0.2:1//", "mongodb://127.0.0.2:1/x", ["amqp://guest@127.0.0.2:1// is not", "pymongo"]),
    ],
)
def test_what_cannot_be_used_is_replaced_and_named(own: Project, broker: str, backend: str, notes: list[str]) -> None:
    own.write({"tasks.py": TASKS.format(broker=broker, backend=backend)})
    up = own.up("worker", "-P", "solo")
    for note in notes:
        assert re.search(note, up.err), up.err
    row = next(line for line in up.out.splitlines() if line.startswith(" redis"))
    assert f"in place of {broker} and {backend}" in row
    add(own)


def test_a_database_is_used_for_both(own: Project) -> None:
    own.write({"tasks.py": TASKS.format(broker="sqla+sqlite:///queue.db", backend="db+sqlite:///results.db")})
    up = own.up("worker", "-P", "solo")
    assert "redis" not in up.out
    add(own)


def test_of_several_brokers_the_one_that_answers_is_enough(own: Project, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_redis(folder) as url:
        own.write({"tasks.py": TASKS.format(broker=f"redis://127.0.0.2:1/0;{url}/0", backend=f"{url}/1")})
        up = own.up("worker", "-P", "solo")
        assert "the app's own" in up.out
        add(own)
        own.devkit("down").expect(0)


def test_the_apps_own_redis_that_dies_meanwhile_ends_the_start(own: Project, tmp_path: Path) -> None:
    """Without waiting for a worker that tries to reach it for as long as it may."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_redis(folder) as url:
        own.write({"pyproject.toml": SLOW, "tasks.py": TASKS.format(broker=f"{url}/0", backend=f"{url}/1")})
        up = own.start("up", "--timeout", "600")
        up.wait_for("starting redis")
    up.wait_for("redis answers no more")
    assert up.end() == 1


def test_one_that_does_not_answer_is_shown_as_the_app_has_it(own: Project) -> None:
    own.write({"tasks.py": TASKS.format(broker="redis://127.0.0.2:1/0", backend="redis://:secret@127.0.0.2:1/0")})
    said = own.devkit("run", "add", "--args", "[1, 2]").expect(1).err
    assert "the broker redis://127.0.0.2:1/0 does not answer" in said


def test_an_eager_app_is_told_where_its_tasks_run(own: Project) -> None:
    tasks = TASKS.format(broker="redis://127.0.0.2:1/0", backend="redis://127.0.0.2:1/0")
    own.write({"tasks.py": f"{tasks}\n\napp.conf.task_always_eager = True\n"})
    place = r"tasks\.py:12: app\.conf\.task_always_eager = True"
    assert re.search(rf"task_always_eager is on \({place}\)", own.up("worker", "-P", "solo").err)
    done = own.devkit("run", "add", "--args", "[1, 2]").expect(0)
    assert re.search(rf"task_always_eager is on: .* switch it off: {place}", done.err)
    own.wait_for_log("worker", r"add\[.*succeeded")
    debugged = own.devkit("debug", "add", "--run", "--args", "[4, 2]", "-e", "p x", "-e", "c").expect(0)
    assert "4" in debugged.out.splitlines()
