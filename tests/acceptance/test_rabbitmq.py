"""RabbitMQ as the broker, started by devkit: all that holds with Redis holds with it."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery
from kombu.connection import Connection

from devkit.services.stack.rabbitmq import find_rabbitmq_server
from tests.acceptance.harness import DEADLINE_S, Done, Json, Project, free_port, wait_until

pytestmark = [
    pytest.mark.skipif(
        find_rabbitmq_server(os.environ["PATH"]) is None,
        reason="needs rabbitmq-server; on Debian: RUNLEVEL=1 apt install rabbitmq-server",
    ),
]

BOOT_S = 90.0
PROGRAM = """
import time
from celery import Celery
from kombu import Exchange, Queue

app = Celery("tasks")
app.conf.task_queues = [
    Queue("celery"),
    Queue("ranked", Exchange("ranks", type="topic"), "rank.#", queue_arguments={"x-max-priority": 9}),
]
app.conf.task_routes = {"tasks.ranked": {"exchange": "ranks", "routing_key": "rank.high", "priority": 7}}
VERSION = 1


@app.task
def divide(x, y):
    result = x / y
    return result


@app.task
def ranked(x):
    raise LookupError(x)


@app.task(acks_late=True)
def rest(seconds, file):
    with open(file, "a") as runs:
        runs.write(f"{VERSION}\\n")
    time.sleep(seconds)
    return VERSION
"""
LINE = {text.strip(): number for number, text in enumerate(PROGRAM.splitlines(), start=1)}


class Shop:
    """A project and the stack that it runs on the embedded RabbitMQ."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.url = f"amqp://shop:p%40ss@127.0.0.1:{free_port()}/warehouse"
        self.started = self.up()

    def up(self) -> Done:
        return self.patiently("up", "-d", "-c", "1", "--broker", self.url)

    def patiently(self, *arguments: str) -> Done:
        """Run a command that waits for RabbitMQ's own start, which takes long, the more so beside other tests."""
        command = self.project.start(*arguments)
        return Done(command.end(BOOT_S), command.out, command.err).expect(0)

    def run(self, task: str, *args: object, options: tuple[str, ...] = (), code: int = 0) -> Done:
        return self.project.devkit("run", task, "--args", json.dumps(args), *options).expect(code)

    def send(self, task: str, *args: object) -> str:
        """Send a task; returns its id."""
        return self.run(task, *args, options=("--no-wait",)).out.strip()

    @contextmanager
    def queue(self, name: str) -> Iterator[Any]:
        """A queue that no worker consumes from."""
        connection: Any = Connection(self.url)  # type: ignore[no-untyped-call]
        with connection, closing(connection.SimpleQueue(name)) as queue:
            yield queue

    def put(self, queue: str, text: str) -> None:
        with self.queue(queue) as messages:
            messages.put(text)

    def take(self, queue: str) -> Any:
        with self.queue(queue) as messages:
            message = messages.get(timeout=DEADLINE_S)
            message.ack()
            return message.payload

    def failure(self, task_id: str) -> Json:
        found: Json = self.project.devkit("show", task_id, "--json").expect(0).json()
        return found

    def failures(self, task: str) -> list[Json]:
        found: list[Json] = self.project.devkit("failures", task, "--json").expect(0).json()
        return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Its boot takes long: one for all tests. Once it is down, nothing of it is left."""
    with closing(Project(tmp_path_factory.mktemp("rabbitmq"), {"tasks.py": PROGRAM})) as project:
        yield Shop(project)


def test_it_is_in_the_table_and_nobody_else_hears_of_it(shop: Shop) -> None:
    services = shop.project.services()
    assert services.keys() == {"redis", "rabbitmq", "worker", "flower"}, "results are in Redis, the app's own is down"
    assert shop.url.replace("p%40ss", "***") in shop.started.out
    assert "p%40ss" not in shop.started.out + shop.started.err + json.dumps(services)

    ours = shop.project.processes()
    assert not any("epmd -daemon" in command for command in ours.values())
    leader = services["rabbitmq"]["pid"]
    listening = [
        connection.laddr
        for process in (psutil.Process(leader), *psutil.Process(leader).children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert [tuple(address) for address in listening] == [("127.0.0.1", int(shop.url.split(":")[-1].split("/")[0]))]


def test_a_task_runs_and_another_one_fails_is_shown_and_replayed(shop: Shop) -> None:
    assert shop.run("divide", 10, 4).out == "2.5\n"
    assert "ZeroDivisionError" in shop.run("divide", 10, 0, code=1).out

    task_id = shop.failures("divide")[0]["id"]
    assert "x = 10" in shop.project.devkit("show", task_id).expect(0).out
    replayed = shop.project.devkit("replay", task_id, "--json").expect(1).json()
    assert (replayed["verdict"], replayed["exception"]) == ("same failure", "ZeroDivisionError: division by zero")


def test_a_queue_that_nobody_consumes_is_said(shop: Shop) -> None:
    said = shop.run("divide", 1, 1, options=("--queue", "nobody", "--no-wait")).err
    assert re.search(
        r"queue nobody: nobody consumes it; \S+ has celery, ranked: devkit up -Q celery,ranked,nobody", said
    )
    assert "nobody" not in shop.run("divide", 1, 1, options=("--no-wait",)).err


def test_sent_back_it_goes_the_way_it_came(shop: Shop) -> None:
    shop.run("ranked", "a", code=1)
    before = shop.failures("ranked")[0]

    shop.project.devkit("replay", before["id"], "--send").expect(0)
    wait_until(lambda: shop.failures("ranked")[0]["failed_at"] > before["failed_at"])
    again = shop.failure(before["id"])
    assert again["delivery_info"].items() >= {"exchange": "ranks", "routing_key": "rank.high"}.items()
    assert again["properties"]["priority"] == 7

    shop.project.devkit("replay", before["id"], "--send", "--queue", "celery").expect(0)
    wait_until(lambda: shop.failure(before["id"])["delivery_info"]["routing_key"] == "celery")
    assert len(shop.failures("ranked")) == 1


def test_after_a_save_what_waits_runs_new_code_and_nothing_twice(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    with closing(Celery(broker=shop.url)) as client:  # quicker than the tasks are
        ids = [client.send_task("tasks.rest", (1.5, str(file))).id for _ in range(3)]
    wait_until(file.exists)  # one runs, the others wait behind it
    shop.project.write({"tasks.py": PROGRAM.replace("VERSION = 1", "VERSION = 2")})

    shop.project.wait_for_log("worker", r"generation \d+ is live .*; generation \d+ finishes 1 task")
    for task_id in ids:
        shop.project.wait_for_log("worker", rf"rest\[{task_id}\] succeeded")
    runs = file.read_text().split()
    assert len(runs) == len(ids)
    assert runs[0] == "1"
    assert runs[-1] == "2"


def test_a_task_is_debugged(shop: Shop) -> None:
    line = LINE["result = x / y"]
    debugged = shop.project.devkit(
        "debug", "divide", "--run", "--args", "[10, 4]", "--break", f"tasks.py:{line}",
        "-e", "p x", "-e", "n", "-e", "p result", "-e", "c",
    ).expect(0)  # fmt: skip
    shop.project.devkit("debug", "--clear").expect(0)
    assert "\n10\n" in debugged.out
    assert "\n2.5\n" in debugged.out
    assert "SUCCESS: 2.5" in debugged.err


def test_without_any_redis_results_come_by_rpc_and_failures_are_in_a_folder(shop: Shop, tmp_path: Path) -> None:
    """A second project, which has not even Redis's client, and that RabbitMQ for everything: it runs already."""
    app = 'from celery import Celery\napp = Celery("aside")\napp.conf.task_default_queue = "aside"\n'
    task = "@app.task\ndef divide(x, y):\n    return x / y\n"
    with closing(Project(tmp_path, {"aside.py": app + task})) as second:
        no_redis = tmp_path / "no redis"
        no_redis.mkdir()
        (no_redis / "redis.py").write_text('raise ImportError("no module named redis")')
        second.environ |= {
            "CELERY_BROKER_URL": shop.url, "CELERY_RESULT_BACKEND": "rpc://", "PYTHONPATH": str(no_redis),
        }  # fmt: skip
        for command in (["worker", "-c", "1"], ["run", "divide", "--args", "[9, 2]"]):
            refusal = second.devkit(*command).expect(1).err
            assert f"the RabbitMQ at {shop.url.replace('p%40ss', '***')} belongs to the stack of" in refusal
        second.environ["DEVKIT_BROKER"] = shop.url  # now it asks for that one
        second.start("worker", "-c", "1", "-n", "aside").wait_for("generation 1 is live")

        assert second.devkit("run", "divide", "--args", "[9, 2]").expect(0).out == "4.5\n"
        failed = second.devkit("run", "divide", "--args", "[9, 0]", "--json").expect(1).json()
        wait_until(lambda: list((second.root / ".devkit" / "failures").glob("*.json")))
        assert "same failure" in second.devkit("replay", failed["id"]).expect(1).out
        first = second.devkit("failures", "--json").json()[0]["failed_at"]
        second.devkit("replay", failed["id"], "--send").expect(0)
        wait_until(lambda: second.devkit("failures", "--json").json()[0]["failed_at"] > first)


def test_started_again_it_has_its_queues_and_the_worker_finds_it(shop: Shop) -> None:
    shop.put("kept", "before")
    shop.patiently("restart", "rabbitmq")

    assert shop.run("divide", 8, 2).out == "4.0\n"
    assert shop.take("kept") == "before"


def test_killed_devkit_leaves_nothing_and_loses_nothing(shop: Shop) -> None:
    shop.put("kept", "before")
    os.kill(shop.project.status()["pid"], signal.SIGKILL)
    shop.project.wait_until_gone(timeout=10.0)

    shop.up()
    assert shop.take("kept") == "before"
    assert shop.run("divide", 6, 2).out == "3.0\n"


@pytest.mark.parametrize(
    ("backend", "services"),
    [("rpc://", {"rabbitmq", "worker"}), ("redis://redis:6379/0", {"rabbitmq", "redis", "worker"})],
)
def test_an_app_that_connects_while_it_is_imported_finds_it_running(
    empty: Project, backend: str, services: set[str]
) -> None:
    """With the user and the virtual host that the app's variable has."""
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        del empty.environ[name]
    compose = f"""
services:
  worker:
    build: .
    command: celery -A tasks worker
    environment: {{BROKER: "amqp://shop:secret@rabbit:5672/warehouse", RESULTS: "{backend}"}}
  rabbit: {{image: "rabbitmq:4"}}
  redis: {{image: "redis:8"}}
"""
    code = """
import os
from celery import Celery
from kombu.connection import Connection

with Connection(os.environ["BROKER"]) as connection:
    connection.connect()
app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])
if "redis" in os.environ["RESULTS"]:
    app.backend.client.ping()


@app.task
def add(x, y):
    return x + y
"""
    empty.write({"tasks.py": code, "docker-compose.yml": compose})
    started = empty.start("up", "-d", "worker", "-P", "solo", "--timeout", str(BOOT_S))
    assert started.end(BOOT_S) == 0, started.shown

    assert set(empty.services()) == services
    assert empty.url("rabbitmq").startswith("amqp://shop:***@127.0.0.1:")
    assert empty.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
