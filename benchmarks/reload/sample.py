"""A copy of sample_app whose code is saved again and again, and which tells how long that takes to matter."""

import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery

from benchmarks._common import HOST, POLL_S, TIMEOUT_S, Ports, Project, process, wait_for

CALM_S = 0.5
RESEND_S = 0.5  # a task that was lost must not end the measurement
OVERLAP = 3

# Names its processes, also those that lost their parent: a fork keeps the variables that its ancestor began with.
MARK = "RELOAD_BENCHMARK"

WORKER_MODULE = """
import time

from sample_app.celery_app import celery_app

VERSION = {version}


@celery_app.task
def version():
    return VERSION


@celery_app.task
def rest(seconds):
    slept = {{"version": VERSION, "began": time.monotonic()}}
    time.sleep(seconds)
    return {{**slept, "ended": time.monotonic()}}
"""


class Sample:
    """A copy of sample_app with a module that tells its version, two Redis databases of its own, and its client."""

    def __init__(self, folder: Path, redis_port: int, database: int = 0, text: str = WORKER_MODULE) -> None:
        """Uses the Redis databases `database` and the next one. `text` is the module that is saved again and again."""
        self.project = Project(folder)
        self.version = 0
        self.log = folder.with_name(f"{folder.name}.log")  # beside the folder: in it, it would be watched
        self.unanswered: set[str] = set()
        self.answered = 0
        self._text = text
        self._module = folder / "sample_app" / "reloading.py"
        self._mark = uuid.uuid4().hex
        self._family = 0
        self._is_up: Callable[[], bool] = self.answers_new
        addresses = [f"redis://{HOST}:{redis_port}/{number}" for number in (database, database + 1)]
        self.environ = {
            **self.project.environ(Ports.free()),
            "CELERY_BROKER_URL": addresses[0],
            "CELERY_RESULT_BACKEND": addresses[1],
            MARK: self._mark,
        }
        self._client = Celery(broker=addresses[0])
        self.broker, self.results = (redis.Redis.from_url(address) for address in addresses)
        self.started: subprocess.Popen[bytes] | None = None
        settings = folder / "sample_app" / "celery_app.py"
        included = '"sample_app.tasks"'
        assert included in settings.read_text()
        settings.write_text(settings.read_text().replace(included, f'{included}, "sample_app.reloading"'))
        self.save()

    @contextmanager
    def running(self, argv: Sequence[str], is_up: Callable[[], bool] | None = None) -> Iterator["Sample"]:
        """A worker, or what `is_up` tells about, that works on entering and is gone, with all its kin, on leaving."""
        with ExitStack() as cleanup:
            self._forget()
            output = cleanup.enter_context(self.log.open("wb"))
            cleanup.callback(self._kill)
            self.started = cleanup.enter_context(
                process(argv, self.project.folder, self.environ, stdout=output, stderr=output)
            )
            self._is_up = is_up or self.answers_new
            self.wait_for(self._is_up, "it does not start")
            self._family = len(self._calm_family(2 * CALM_S))
            yield self

    def save(self) -> float:
        """Write the next version; returns when the write had ended."""
        self.version += 1
        padding = "#" * (1 + self.version % 60)
        self._module.write_text(f"{self._text.format(version=self.version)}{padding}\n")
        return time.monotonic()

    def reload(self) -> float:
        """Seconds from a save to the arrival of the first result of the new code; all is settled before."""
        self.settle()
        return self.reload_at_once()

    def reload_at_once(self) -> float:
        """The same, whatever still goes on."""
        saved = self.save()
        self.wait_for(self.answers_new, "no result of the new code")
        return time.monotonic() - saved

    def settle(self) -> None:
        """Wait until what was replaced is gone, and the rest answers: as many processes as at the beginning."""
        self._calm_family(CALM_S, self._family)
        self.wait_for(self._is_up, "it does not answer with the new code")
        with suppress(TimeoutError):  # what is lost stays unanswered
            wait_for(self._all_answered, 1)

    def thin_out(self) -> None:
        """Wait until at most OVERLAP generations still drain beside the one that works."""
        own = self._family - 2  # the runner and the zygote
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.family()) > self._family + OVERLAP * own:
            if time.monotonic() > deadline:
                raise self._error(f"more than {OVERLAP} generations remain")
            time.sleep(CALM_S / 20)

    def answers_new(self) -> bool:
        """Send a task and wait for its result, or for that of one sent earlier; is it of the version saved last?"""
        self.send("version")
        deadline = time.monotonic() + RESEND_S
        while time.monotonic() < deadline:
            if found := self._collect():
                return self.version in found
            time.sleep(POLL_S)
        return False

    def send(self, name: str, *args: float) -> str:
        """Returns the task's id."""
        task_id: str = self._client.send_task(f"sample_app.reloading.{name}", args).id
        if name == "version":
            self.unanswered.add(task_id)
        return task_id

    def meta(self, task_id: str) -> dict[str, Any]:
        """What the result backend knows of a task."""
        found = self.results.get(f"celery-task-meta-{task_id}")
        return json.loads(found) if found else {"status": "PENDING", "result": None}

    def family(self) -> set[int]:
        """The ids of all processes that descend from the one that was started, also of the orphans among them."""
        assert self.started is not None
        found = set()
        with suppress(psutil.NoSuchProcess):
            found = {child.pid for child in psutil.Process(self.started.pid).children(recursive=True)}
        for candidate in psutil.process_iter():
            with suppress(psutil.Error):
                if candidate.environ().get(MARK) == self._mark:
                    found.add(candidate.pid)
        return found | ({self.started.pid} if self.started.poll() is None else set())

    def parents(self) -> tuple[psutil.Process, psutil.Process]:
        """The runner and its zygote, when all is settled."""
        assert self.started is not None
        runner = psutil.Process(self.started.pid)
        children = runner.children()
        assert len(children) == 1, f"the runner has {len(children)} children, not its zygote alone"
        return runner, children[0]

    def generation(self) -> int:
        """The highest number of a generation that was spoken of."""
        numbers = re.findall(rb"generation (\d+)", self.log.read_bytes())
        return max(map(int, numbers), default=0)

    def keys(self) -> tuple[int, int]:
        """The number of keys in Redis, and of the members of those that hold several."""
        client: Any
        count = members = 0
        sizes = {b"list": "llen", b"set": "scard", b"zset": "zcard", b"hash": "hlen"}
        for client in (self.broker, self.results):
            for key in client.scan_iter():
                kind = client.type(key)
                count += 1
                members += getattr(client, sizes[kind])(key) if kind in sizes else 1
        return count, members

    def _collect(self) -> set[int]:
        """The results that came, which are then forgotten."""
        waiting = list(self.unanswered)
        if not waiting:
            return set()
        keys = [f"celery-task-meta-{task_id}" for task_id in waiting]
        values: Any = self.results.mget(keys)
        found = set()
        for task_id, key, value in zip(waiting, keys, values, strict=True):
            meta = json.loads(value) if value else {}
            if meta.get("status") in {"SUCCESS", "FAILURE"}:
                found.add(meta["result"] if meta["status"] == "SUCCESS" else 0)
                self.unanswered.discard(task_id)
                self.answered += 1
                self.results.delete(key)
        return found

    def _forget(self) -> None:
        """What an earlier start left: its results would pass for an answer of the next."""
        self.unanswered.clear()
        self.broker.flushdb()
        self.results.flushdb()

    def _all_answered(self) -> bool:
        self._collect()
        return not self.unanswered

    def _calm_family(self, calm_s: float, size: int | None = None) -> set[int]:
        """The processes, once they have stayed the same for a while, and are as many as asked for."""
        deadline = time.monotonic() + TIMEOUT_S
        family, since = self.family(), time.monotonic()
        while time.monotonic() < since + calm_s or len(family) != (size or len(family)):
            if time.monotonic() > deadline:
                raise self._error(f"{len(family)} processes remain, {size or 'no more new ones'} expected")
            time.sleep(calm_s / 10)
            if (now := self.family()) != family:
                family, since = now, time.monotonic()
        return family

    def wait_for(self, holds: Callable[[], bool], complaint: str) -> None:
        """Ask until it holds; an error shows the last lines that the worker printed."""
        try:
            wait_for(holds)
        except TimeoutError:
            raise self._error(complaint) from None

    def _error(self, complaint: str) -> RuntimeError:
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
        return RuntimeError(f"{self.log.stem}: {complaint}; it printed:\n{last}")

    def _kill(self) -> None:
        if self.started is None:
            return
        for pid in self.family():
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        self.started = None


class Lab:
    """Where the samples live: a folder and a Redis."""

    def __init__(self, home: Path, redis_port: int) -> None:
        self.home = home
        self._redis_port = redis_port
        self._samples = 0

    def sample(self, name: str, text: str = WORKER_MODULE) -> Sample:
        """One with two databases that no other has."""
        database = 2 * self._samples
        self._samples += 1
        return Sample(self.home / f"{name}-{self._samples}", self._redis_port, database, text)
