"""The app's own address: the embedded Redis takes it where it is free, and another project's is never used there."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.harness import PYTHON, Done, Project, fetch, free_port, running_redis, wait_until

SHOP = """
from celery import Celery

app = Celery("shop", broker="redis://localhost:{port}/0", backend="redis://localhost:{port}/{results}")


@app.task
def order(n):
    return 100 // n
"""
MAIN = """
from fastapi import FastAPI
from shop import order

app = FastAPI()


@app.get("/{n}")
def send(n: int):
    return order.delay(n).get(timeout=10)
"""
OUTSIDE = "from shop import order; a = order.delay(4); print(a.get(timeout=5), a.ready())"

Shop = Callable[..., Project]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Makes projects whose apps have the address of a Redis at this port in their code."""
    made: list[Project] = []

    def make(port: int, results: int = 0) -> Project:
        project = Project(tmp_path / f"{len(made)}", {"shop.py": SHOP.format(port=port, results=results)})
        made.append(project)
        for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
            del project.environ[name]
        return project

    yield make
    for project in reversed(made):
        project.close()


def keys(port: int, database: int) -> set[object]:
    """The results in a database of the Redis there."""
    with closing(Redis(port=port, db=database)) as redis:
        return set(redis.keys("celery-task-meta-*"))


# --- it is taken where it is free ---


@pytest.mark.parametrize("results", [0, 5])
def test_a_program_outside_devkit_meets_the_stack_at_the_apps_own_address(shop: Shop, results: int) -> None:
    port = free_port()
    project = shop(port, results)
    assert f"redis://127.0.0.1:{port} " in project.up("worker", "-c", "1").out
    assert "is taken" not in project.devkit("status").out

    assert project.run(PYTHON, "-c", OUTSIDE).expect(0).out == "25 True\n"
    assert project.devkit("run", "order", "--args", "[5]").expect(0).out == "20\n"
    assert len(keys(port, results)) == 2


def test_where_another_program_has_the_port_only_the_port_changes(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        project = shop(port, results=5)
        project.up("worker", "-c", "1")
        assert f"(port {port} is taken)" in project.devkit("status").out

        assert project.devkit("run", "order", "--args", "[5]").expect(0).out == "20\n"
        assert len(keys(int(project.url("redis").rpartition(":")[2]), 5)) == 1


# --- that of another project's stack is left alone ---


def refused(done: Done, first: Project, code: int = 1) -> None:
    """Whether it was, in words that help."""
    done.expect(code)
    assert f"belongs to the stack of {first.root}" in done.err + done.out
    assert "devkit up" in done.err
    assert "DEVKIT_BROKER=redis://localhost:" in done.err


@pytest.fixture
def two(shop: Shop) -> tuple[Project, Project, int]:
    """Two projects with the same address in their code, the first one's Redis, which runs, and a failure of its."""
    port = free_port()
    first, second = shop(port), shop(port)
    first.up("worker", "-c", "1")
    first.devkit("run", "order", "--args", "[0]").expect(1)
    failure = first.devkit("failures", "--json").json()[0]["id"]
    first.devkit("replay", failure, "--save", "case.json").expect(0)
    shutil.copy(first.root / "case.json", second.root)
    first.devkit("down").expect(0)
    first.up("redis")
    return first, second, port


def test_no_command_uses_it(two: tuple[Project, Project, int]) -> None:
    first, second, port = two
    second.write({"main.py": MAIN})
    for n in range(1, 6):
        first.devkit("run", "order", "--args", f"[{n}]", "--no-wait").expect(0)
    before = keys(port, 0)
    (failure,) = first.devkit("failures", "--json").json()

    for command in (
        ["worker", "-c", "1"],
        ["api"],
        ["run", "order", "--args", "[7]"],
        ["run", "order", "--args", "[7]", "--no-wait"],
        ["debug", "order", "--run", "--args", "[7]", "-e", "c"],
        ["failures"],
        ["failures", "--results"],
        ["show", failure["id"]],
        ["replay", "--all"],
        ["replay", "--all", "--send", "--yes"],
    ):
        refused(second.devkit(*command), first)
    for command in (["replay", failure["id"]], ["replay", "case.json", "--live"], ["replay", "case.json", "--send"]):
        refused(second.devkit(*command), first, code=125)
    # What needs no broker has none to be refused.
    assert "same failure" in second.devkit("replay", "case.json").expect(1).out

    with closing(Redis(port=port)) as redis:
        assert redis.llen("celery") == 5
    assert keys(port, 0) == before
    first.devkit("down").expect(0)
    first.up("worker", "-c", "1")
    wait_until(lambda: first.log("worker").count("] succeeded in") == 5, why=lambda: first.log("worker"))


def test_with_a_stack_of_its_own_all_of_them_use_that(two: tuple[Project, Project, int]) -> None:
    first, second, port = two
    second.write({"main.py": MAIN})
    second.up("worker", "--no-api", "-c", "1")
    own = int(second.url("redis").rpartition(":")[2])
    assert own != port

    assert second.devkit("run", "order", "--args", "[5]").expect(0).out == "20\n"
    second.devkit("run", "order", "--args", "[0]").expect(1)
    (failure,) = second.devkit("failures", "--json").json()
    assert failure["args"] == [0]
    assert "same failure" in second.devkit("replay", failure["id"]).expect(1).out
    assert "1 same failure" in second.devkit("replay", "--all").expect(1).err
    second.devkit("replay", failure["id"], "--send").expect(0)
    wait_until(lambda: second.devkit("failures", "--json").json()[0]["failed_at"] > failure["failed_at"])
    done = second.devkit("debug", "order", "--run", "--args", "[4]", "-e", "p n", "-e", "c").expect(0)
    assert "4" in done.out.splitlines()
    second.start("worker", "-c", "1", "-n", "beside").wait_for(rf"Connected to redis://\S*127\.0\.0\.1:{own}/0")
    second.start("api", "--port", str(free_port())).wait_for("generation 1 is live")
    url = second.started()[-1].wait_for(r"on (http://\S+)")[1]
    assert fetch("GET", f"{url}/20").json() == 5

    assert len(first.devkit("failures", "--json").json()) == 1
    with closing(Redis(port=port)) as redis:
        assert redis.llen("celery") == 0


def test_who_asks_for_it_gets_it(two: tuple[Project, Project, int]) -> None:
    first, second, port = two
    first.devkit("down").expect(0)
    first.up("worker", "-c", "1")
    url = f"redis://localhost:{port}/0"
    asking = {"DEVKIT_BROKER": url, "DEVKIT_RESULT_BACKEND": url}

    assert second.devkit("run", "order", "--args", "[10]", env=asking).expect(0).out == "10\n"
    assert second.devkit("failures", "--broker", url, "--result-backend", url, "--json").json()
    assert "1 same failure" in second.devkit("replay", "--all", env=asking).expect(1).err
    second.start("worker", "-c", "1", "-n", "guest", env=asking).wait_for("generation 1 is live")
    second.started()[-1].close()
    second.up("redis", "--broker", url, "--result-backend", url)
    assert second.devkit("run", "order", "--args", "[20]").expect(0).out == "5\n"


def test_a_worker_whose_broker_went_away_does_not_take_to_another_projects(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_redis(folder) as url:
        port = int(url.rpartition(":")[2])
        first, second = shop(port), shop(port)
        worker = second.start("worker", "-c", "1")
        worker.wait_for("generation 1 is live")
    worker.wait_for("Trying to reconnect|Connection refused")
    first.up("redis")
    refused(second.devkit("failures"), first)  # although the worker's note says that they are there
    first.devkit("run", "order", "--args", "[5]", "--no-wait").expect(0)

    worker.wait_for(f"belongs to the stack of {first.root}")
    with closing(Redis(port=port)) as redis:
        assert redis.llen("celery") == 1
