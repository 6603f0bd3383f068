"""A project whose worker or API reloads, on a Redis of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from celery import Celery
from celery.result import AsyncResult
from redis import Redis

from tests.acceptance.harness import DEADLINE_S, Foreground, Project, running_redis, wait_until

# Each run of a task is counted, so that one that ran twice is seen.
WORKER = """
import os, time
from celery import Celery
from redis import Redis

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
counts = Redis.from_url(os.environ["CELERY_RESULT_BACKEND"])
VERSION = 1


@app.task(bind=True)
def version(self):
    counts.incr(f"runs:{self.request.id}")
    return VERSION


@app.task(bind=True)
def rest(self, seconds):
    counts.incr(f"runs:{self.request.id}")
    time.sleep(seconds)
    return VERSION


@app.task(rate_limit="600/m")
def seldom():
    return VERSION
"""


class Reloading:
    """A project with a worker of its own (`WORKER`), and a client that sends it tasks."""

    def __init__(self, project: Project, url: str) -> None:
        self.project = project
        self.code = WORKER
        self.url = url
        project.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        project.write({"tasks.py": WORKER})
        self.redis = Redis.from_url(f"{url}/1")
        self.broker = Redis.from_url(f"{url}/0")
        self._sent: list[AsyncResult[Any]] = []
        self._client = Celery("client", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False)

    def start(self, *options: str) -> Foreground:
        """Start `devkit worker`, and wait until it is live."""
        worker = self.project.start("--debug", "worker", *options)
        worker.wait_for("generation 1 is live")
        worker.wait_for("watching")
        return worker

    def save(self, version: int) -> None:
        """Save the code with another version."""
        self.code = WORKER.replace("VERSION = 1", f"VERSION = {version}")
        self.project.write({"tasks.py": self.code})

    def send(self, task: str, *args: object, **options: Any) -> "AsyncResult[Any]":
        result: AsyncResult[Any] = self._client.send_task(f"tasks.{task}", args, **options)
        self._sent.append(result)
        return result

    def run(self, task: str = "version", *args: object) -> Any:
        """Send a task; returns its result."""
        return self.send(task, *args).get(timeout=DEADLINE_S, interval=0.005)

    def wait_for_version(self, version: int) -> None:
        """Until a task runs this code."""
        wait_until(lambda: self.run() == version, why=lambda: f"not version {version}")

    def runs(self, result: "AsyncResult[Any]") -> int:
        """How often the task ran."""
        return int(self.redis.get(f"runs:{result.id}") or 0)

    def close(self) -> None:
        for result in self._sent:
            result.backend = None  # it would ask a Redis that is gone, whenever it is collected
        self._client.backend.client.connection_pool.disconnect()  # which closing the app does not do
        self._client.close()
        self.redis.close()
        self.broker.close()


def zygotes(runner: int) -> list[psutil.Process]:
    """The zygotes of a runner."""
    return psutil.Process(runner).children()


def generations(runner: int) -> list[psutil.Process]:
    """The generations that run, the oldest first."""
    return sorted((child for zygote in zygotes(runner) for child in zygote.children()), key=lambda it: it.pid)


def wait_for_one_generation(runner: int, but: Callable[[psutil.Process], bool] = lambda _: False) -> psutil.Process:
    """Until all but one have ended; returns that one, which is not one of those that `but` is true for."""

    def found() -> psutil.Process | None:
        one = generations(runner)
        return one[0] if len(one) == 1 and not but(one[0]) else None

    return wait_until(found, why=lambda: f"generations: {generations(runner)}")


@contextmanager
def reloading(project: Project, folder: Path) -> Iterator[Reloading]:
    """The project with a Redis that runs as long."""
    with running_redis(folder) as url:
        made = Reloading(project, url)
        try:
            yield made
        finally:
            for started in project.started():
                started.close()
            made.close()
