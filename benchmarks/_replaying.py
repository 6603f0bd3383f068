"""Projects whose tasks fail, for benchmarks/replay.py: one that plain `celery worker` runs, and the sample app."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery

from benchmarks._common import CELERY_APP, DEVKIT, HOST, Ports, Project, clean_environ, process, progress, wait_for

# A worker that logs as little as it can: what the recorder adds weighs the more.
QUIET = ("--without-mingle", "--without-gossip", "-l", "warning")
RESULT = "celery-task-meta-"
RESULT_EXPIRES_S = 86_400  # Celery's default
RECORDS, RECORD = "devkit:failures", "devkit:failure:"
INDEXES = (RECORDS, "devkit:failures:sizes", "devkit:failures:total")
AT_ONCE = 10_000
STILL_S = 1.0

MODULE = """
import os
import time

from celery import Celery

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
if "RECORDED" in os.environ:
    app.steps["worker"].add("devkit.agent.recorder:Recording")


@app.task
def nothing(number):
    pass


@app.task
def fails(number):
    return number / 0


@app.task
def now():
    return time.monotonic()
"""

# All stored results, for want of an index. Arguments: the URL.
SCAN = """
import json, sys
import redis

client, cursor, failed = redis.Redis.from_url(sys.argv[1]), None, []
while cursor != 0:
    cursor, keys = client.scan(cursor or 0, match="celery-task-meta-*", count=1000)
    metas = map(json.loads, filter(None, client.mget(keys) if keys else []))
    failed += [meta for meta in metas if meta["status"] == "FAILURE"]
for meta in sorted(failed, key=lambda meta: meta["date_done"], reverse=True)[:20]:
    print(meta["date_done"], meta["task_id"], meta["result"]["exc_type"], meta["result"]["exc_message"])
"""


class Store:
    """A broker and a result backend, a client that sends, and what the recorder keeps there."""

    def __init__(self, redis_port: int, database: int) -> None:
        """Uses the Redis databases `database` and the next one."""
        broker, self.url = (f"redis://{HOST}:{redis_port}/{number}" for number in (database, database + 1))
        self.environ = {**clean_environ(), "CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": self.url}
        self.results: Any = redis.Redis.from_url(self.url)
        self.broker: Any = redis.Redis.from_url(broker)
        self._client = Celery(broker=broker)

    def send(self, task: str, *args: object, queue: str = "celery", ignore_result: bool = False) -> str:
        """Returns the task's id."""
        sent = self._client.send_task(task, args, queue=queue, ignore_result=ignore_result)
        task_id: str = sent.id
        return task_id

    def result(self, task_id: str) -> Any:
        """Wait for it, and forget it."""
        wait_for(lambda: bool(self.results.exists(RESULT + task_id)))
        meta = json.loads(self.results.getdel(RESULT + task_id))
        assert meta["status"] == "SUCCESS", meta
        return meta["result"]

    def recorded(self, expected: int) -> int:
        """How many failures are kept, once all are or no more come."""
        count, since = -1, time.monotonic()
        while count < expected and time.monotonic() < since + STILL_S:
            if (found := self.results.zcard(RECORDS)) != count:
                count, since = found, time.monotonic()
            time.sleep(0.01)
        return count

    def memory(self, key: str | bytes) -> int:
        """Bytes in Redis, all that hangs on the key."""
        size: int = self.results.memory_usage(key, samples=0)
        return size


class Plain(Store):
    """A project that a plain `celery worker` runs; its command line is the same with the recorder and without."""

    def __init__(self, folder: Path, redis_port: int, database: int) -> None:
        super().__init__(redis_port, database)
        self.folder = folder
        folder.mkdir()
        (folder / "tasks.py").write_text(MODULE)
        self.environ |= {"XDG_RUNTIME_DIR": str(folder / "run"), "DEVKIT_PYTHON": sys.executable}

    @contextmanager
    def running(self, pool: Sequence[str], *, recorded: bool, keep: int) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker that answers; its log goes to a file."""
        argv = [sys.executable, "-m", "celery", "-A", "tasks", "worker", *pool, *QUIET]
        environ = {**self.environ, "DEVKIT_FAILURES_COUNT": str(keep), **({"RECORDED": "1"} if recorded else {})}
        log = self.folder.with_name(f"{self.folder.name}.log")
        with log.open("wb") as output, process(argv, self.folder, environ, stdout=output, stderr=output) as worker:
            try:
                self.result(self.send("tasks.now"))
            except TimeoutError:
                raise RuntimeError(f"the worker does not answer; it printed:\n{log.read_text()[-2000:]}") from None
            yield worker

    def stock(self, task: str, count: int, *, ignore_result: bool = True) -> Callable[[], float]:
        """Prepares so many tasks; what is returned has them all run, and tells the seconds that it took."""
        queue = f"{task}-{count}"
        first = self.send("tasks.now", queue=queue)
        for number in range(count):
            self.send(f"tasks.{task}", number, queue=queue, ignore_result=ignore_result)
        last = self.send("tasks.now", queue=queue)

        def run() -> float:
            self.broker.copy(queue, "celery")
            began, ended = self.result(first), self.result(last)
            wait_for(lambda: self.broker.hlen("unacked") == 0)
            return float(ended - began)

        return run

    def fill(self, count: int) -> None:
        """So many more stored results, all like the one that a worker has just stored."""
        with self.running(("-P", "solo"), recorded=False, keep=1):
            model = self.send("tasks.now")
            wait_for(lambda: bool(self.results.exists(RESULT + model)))
        meta = self.results.getdel(RESULT + model).decode()
        for done in range(0, count, AT_ONCE):
            progress(f"{count:,} results: {done:,}")
            with self.results.pipeline(transaction=False) as pipe:
                for _ in range(min(AT_ONCE, count - done)):
                    task_id = str(uuid.UUID(bytes=os.urandom(16), version=4))
                    pipe.setex(RESULT + task_id, RESULT_EXPIRES_S, meta.replace(model, task_id))
                pipe.execute()


class Sample(Store):
    """A copy of sample_app under `devkit worker`."""

    def __init__(self, folder: Path, redis_port: int, database: int) -> None:
        super().__init__(redis_port, database)
        self.project = Project(folder)
        self.environ = self.project.environ(Ports.free()) | {
            name: self.environ[name] for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
        }

    @contextmanager
    def failed(self, count: int) -> Iterator[str]:
        """A worker in which `divide(1, 0)` has failed so often; yields the id of the last of these tasks."""
        with process([DEVKIT, "worker", "-A", CELERY_APP, "-P", "solo", *QUIET], self.project.folder, self.environ):
            for _ in range(count):
                task_id = self.send("sample_app.tasks.divide", 1, 0)
            wait_for(lambda: self.results.zcard(RECORDS) == count)
            yield task_id


def family(worker: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The worker's processes."""
    main = psutil.Process(worker.pid)
    return [main, *main.children(recursive=True)]
