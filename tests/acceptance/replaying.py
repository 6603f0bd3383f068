"""A project whose tasks fail in all ways, and a worker that has recorded them."""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import Celery
from kombu.serialization import register
from redis import Redis

from tests.acceptance.harness import PYTHON, Done, Foreground, Json, Project, running_redis, wait_until

# Replayed, some of it is other code: what was edited since.
PROGRAM = '''
import datetime, decimal, hashlib, json, os, signal, sys, threading, time, uuid

from celery import Celery, Task, chain, chord, group
from celery.exceptions import Reject
from celery.result import allow_join_result
from kombu.serialization import register
from pydantic import BaseModel

NOW = "DEVKIT_REPLAY" in os.environ
app = Celery("tasks")
register("backwards", lambda value: json.dumps(value)[::-1], lambda text: json.loads(text[::-1]),
         content_type="application/x-backwards", content_encoding="utf-8")
app.conf.update(accept_content=["json", "application/x-backwards", "pickle"], result_extended=True,
                task_track_started=False)


class Two(Exception):
    """Pickle cannot make it again."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Order(BaseModel):
    number: int
    due: datetime.date


class Shop(Task):
    def __call__(self, *args, **kwargs):
        self.called = True
        return super().__call__(*args, **kwargs)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        if self.name.endswith("on_failure"):
            raise LookupError("on_failure itself")


@app.task
def divide(x, y):
    return x / y


@app.task
def done(*args):
    return "done"


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def mended(x):
    if not NOW:
        raise ValueError("not mended yet")
    return [x, "mended"]


@app.task
def other(x):
    raise KeyError(x) if NOW else ValueError(x)


@app.task(soft_time_limit=0.3)
def soft():
    time.sleep(60)


@app.task(time_limit=0.3)
def hard():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


@app.task
def killed():
    os.kill(os.getpid(), 9)


@app.task
def exits():
    os._exit(3)


@app.task
def sys_exits():
    sys.exit("enough")


@app.task(autoretry_for=(OSError,), max_retries=1, default_retry_delay=0)
def auto(who):
    raise OSError(f"{who} is busy")


@app.task(bind=True, max_retries=5)
def retries(self, x):
    raise self.retry(exc=KeyError(x), countdown=600)


@app.task(bind=True)
def sends(self, x):
    aside = {"queue": "aside"}
    done.apply_async([x, "one"], **aside)
    chain(done.s("first").set(**aside), done.s("second").set(**aside)).apply_async()
    group(done.s(number).set(**aside) for number in range(2)).apply_async()
    chord([done.s("part").set(**aside)] * 2, total.s().set(**aside)).apply_async()
    app.send_task("elsewhere.task", [x], countdown=30, **aside)
    raise RuntimeError("after sending")


@app.task(bind=True)
def replaces(self, x):
    if not NOW:
        raise RuntimeError("nothing to take its place")
    raise self.replace(done.s(x).set(queue="aside"))


@app.task
def waits(x):
    if not NOW:
        raise RuntimeError("not yet")
    with allow_join_result():
        return done.delay(x).get(timeout=20)


@app.task(bind=True, base=Shop)
def request(self, x):
    """All that it finds in its request is in the message."""
    found = {name: value for name, value in vars(self.request).items() if not name.startswith("_")}
    print("a replay:", self.request.get("devkit_replay"), "by its class:", self.called)
    digest = hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]
    raise RuntimeError(f"{self.request.retries} {self.request.headers} {digest}")


@app.task(base=Shop)
def on_failure(x):
    raise ValueError(x)


@app.task(pydantic=True)
def order(order: Order, also: list[Order] | None = None) -> None:
    assert isinstance(order, Order)
    raise RuntimeError(f"nobody has {order.number}, due {order.due}")


@app.task
def changes(items, options, password=None):
    first = list(items)
    items.append(3)
    options["seen"] = True
    raise ValueError(f"they were {first}")


@app.task
def typed(when, price, key, data):
    kinds = [type(value).__name__ for value in (when, price, key, data)]
    raise ValueError(f"{kinds} {price} {key.version} {data!r}")


@app.task
def large(text):
    raise ValueError(f"{len(text)} characters")


@app.task
def two():
    raise Two(1, 2)


@app.task
def rejects():
    raise Reject("no such thing", requeue=False)


@app.task
def no_json():
    return object()


@app.task
def deep():
    return deep()


@app.task
def forks():
    if os.fork() == 0:
        if not NOW:
            os._exit(0)
        raise KeyError("in the child")
    os.wait()
    raise ValueError("in the parent")


@app.task
def noisy():
    os.write(1, bytes(range(256)))
    print("x" * 2_000_000)
    raise ValueError("\\x1b]0;title\\x07\\x1b[2J\\x00" + "y" * 3000)


@app.task
def messy():
    if NOW:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.close(1)
        os.chdir("/")
        threading.Thread(target=time.sleep, args=(600,)).start()
    raise ValueError("a mess")


@app.task
def hangs():
    if NOW:
        print("hangs", os.getpid(), flush=True)
        time.sleep(600)
    raise ValueError("it did not hang")


@app.task
def hangs_on():
    if not NOW:
        raise ValueError("it did not hang")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("hangs", os.getpid(), flush=True)
    time.sleep(600)


if NOW:
    @app.task
    def changed(x, *, z):
        raise ValueError
else:
    @app.task
    def gone():
        raise ValueError

    @app.task
    def changed(x, y=1, **more):
        raise ValueError
'''
# What is sent: a task's name, its arguments, and options.
Sent = tuple[str, list[Any], Json, Json]
DATE, KEY = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC), UUID("7f52e4c5-2c32-4da2-9fe9-010e752f1a24")
ORDER = {"order": {"number": 3, "due": "2026-05-04"}}
SENT: tuple[Sent, ...] = (
    ("divide", [1], {"y": 0}, {"task_id": "divide-1"}),
    ("mended", [5], {}, {"task_id": "mended-1"}),
    ("other", ["x"], {}, {"task_id": "other-1"}),
    ("soft", [], {}, {"task_id": "soft-1"}),
    ("hard", [], {}, {"task_id": "hard-1"}),
    ("killed", [], {}, {"task_id": "killed-1"}),
    ("exits", [], {}, {"task_id": "exits-1"}),
    ("sys_exits", [], {}, {"task_id": "sys_exits-1"}),
    ("auto", ["ann"], {}, {"task_id": "auto-1"}),
    ("sends", [7], {}, {"task_id": "sends-1"}),
    ("replaces", [7], {}, {"task_id": "replaces-1"}),
    ("waits", [7], {}, {"task_id": "waits-1"}),
    ("request", [1], {}, {"task_id": "request-1", "headers": {"shop": "north"}, "priority": 3, "time_limit": 100}),
    ("request", [1], {}, {"task_id": "request-2", "retries": 2, "expires": 600}),
    ("on_failure", ["x"], {}, {"task_id": "on_failure-1"}),
    ("order", [], ORDER, {"task_id": "order-1"}),
    ("order", [], {"order": {"number": 3, "due": "soon"}}, {"task_id": "order-2"}),
    ("changes", [[1, 2], {}], {"password": "hunter22"}, {"task_id": "changes-1"}),
    ("typed", [DATE, Decimal("1.10"), KEY, b"\xff\x00"], {}, {"task_id": "typed-1"}),
    ("divide", [1, 0], {}, {"task_id": "backwards-1", "serializer": "backwards"}),
    ("large", ["x" * 4_000_000], {}, {"task_id": "large-1"}),
    ("large", ["x" * 6_000_000], {}, {"task_id": "large-2"}),
    ("two", [], {}, {"task_id": "two-1"}),
    ("rejects", [], {}, {"task_id": "rejects-1"}),
    ("no_json", [], {}, {"task_id": "no_json-1"}),
    ("deep", [], {}, {"task_id": "deep-1"}),
    ("forks", [], {}, {"task_id": "forks-1"}),
    ("noisy", [], {}, {"task_id": "noisy-1"}),
    ("messy", [], {}, {"task_id": "messy-1"}),
    ("gone", [], {}, {"task_id": "gone-1"}),
    ("unheard_of", [1], {}, {"task_id": "unheard_of-1"}),
    ("divide", [1], {}, {"task_id": "too-few-1"}),
    ("changed", [1], {"y": 2}, {"task_id": "changed-1"}),
    ("hangs", [], {}, {"task_id": "hangs-1"}),
    ("hangs_on", [], {}, {"task_id": "hangs_on-1"}),
)
# The first of a chain, and a part of a chord.
COMPOSED = """
from tasks import *
chain(divide.s(1, 0).set(task_id="chain-1"), done.s()).apply_async()
chord([divide.s(2, 0).set(task_id="chord-1"), done.s(1)], total.s()).apply_async()
"""


class Poison:
    """Whoever reads it from a pickle makes a folder."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self._path,)


@dataclass
class Failing:
    """The project, its worker, and a client of it."""

    project: Project
    worker: Foreground
    client: Celery
    url: str

    def send(self, *sent: Sent) -> None:
        """Send tasks, as SENT has them."""
        for name, args, kwargs, options in sent:
            self.client.send_task(f"tasks.{name}", args, kwargs, **options)

    @property
    def runs(self) -> int:
        """How many tasks the worker has got so far."""
        return self.worker.err.count("] received\n")

    def wait_for_records(self, *task_ids: str) -> None:
        """Wait until the worker has told that these are recorded."""

        def missing() -> list[str]:
            return [task_id for task_id in task_ids if f"· devkit replay {task_id}\n" not in self.worker.err]

        wait_until(lambda: not missing(), why=lambda: f"{self.worker.shown}\nnot recorded: {missing()}")

    def replay(self, *arguments: str) -> Done:
        return self.project.devkit("replay", *arguments)

    def replayed(self, *arguments: str) -> Json:
        """The document of `--json`."""
        document: Json = self.replay(*arguments, "--json").json()
        return document

    def result(self, task_id: str) -> Json | None:
        """What is stored as the task's result."""
        with closing(Redis.from_url(f"{self.url}/1")) as redis:
            text: Any = redis.get(f"celery-task-meta-{task_id}")
        return json.loads(text) if text else None

    def stored(self) -> dict[tuple[int, bytes], Any]:
        """All that is in Redis, but for what the worker itself changes in the course of time."""
        found: dict[tuple[int, bytes], Any] = {}
        for number in (0, 1):
            with closing(Redis.from_url(f"{self.url}/{number}")) as redis:
                # Who may finish a chord is settled by a key that ends in .c, for some seconds.
                keys = [key for key in redis.scan_iter() if not (key.startswith(b"unacked") or key.endswith(b".c"))]
                found |= {(number, key): redis.dump(key) for key in keys}
        return found

    def queue(self, name: str) -> list[Json]:
        """The messages in a queue, which is empty then."""
        with closing(Redis.from_url(f"{self.url}/0")) as redis:
            messages = [json.loads(text) for text in redis.lrange(name, 0, -1)]
            redis.delete(name)
        return messages[::-1]


@contextmanager
def failing(redis_folder: Path, folder: Path) -> Iterator[Failing]:
    """The project, after the worker has run all of SENT."""
    register(  # type: ignore[no-untyped-call]
        "backwards", lambda value: json.dumps(value)[::-1], None, "application/x-backwards", "utf-8"
    )
    with running_redis(redis_folder) as url, closing(Project(folder, {"tasks.py": PROGRAM})) as project:
        client = Celery("client", broker=f"{url}/0", set_as_current=False)
        project.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        project.environ |= {"DEVKIT_FAILURES_MB": "10", "C_FORCE_ROOT": "1"}  # to root Celery unpickles nothing
        made = Failing(project, project.start("worker", "-c", "2"), client, url)
        made.worker.wait_for("generation 1 is live")
        made.send(*SENT)
        project.run(PYTHON, "-c", COMPOSED).expect(0)
        made.wait_for_records(*(options["task_id"] for *_, options in SENT), "chain-1", "chord-1")
        yield made
        made.worker.close()
        client.close()
