"""`devkit worker` and `devkit api`: from a save until the new code answers, and what becomes of the work in between.

The peers do the same with what one would otherwise type, tuned: `watchmedo auto-restart` and `watchfiles` around
`celery worker`, `uvicorn --reload`. The floors of a worker's reload are a process that has imported everything but the
project and forks: a child that imports the project and calls the task, and one that becomes a solo worker.

A save writes the file in place, as most editors do, and the clock starts when the write has ended. No two saves in a
row leave a file of the same size: bytecode is matched to its source by size and the second of the save, and a reload
that is quick enough would load that of the save before.
"""

import argparse
import asyncio
import http.client
import importlib.util
import json
import re
import select
import shlex
import statistics
import subprocess
import sys
import sysconfig
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery

from benchmarks._common import (
    DEVKIT,
    HOST,
    TIMEOUT_S,
    Ports,
    Project,
    Row,
    clean_environ,
    interleaved,
    interrupt,
    process,
    progress,
    report,
    spread,
    temporary_folder,
)
from benchmarks.footprint import IDLE_S, PROMISED_CORE_PERCENT, SETTLE_S, megabytes, processor_time
from devkit.services.stack.redis import find_redis_server

PROMISED_RELOAD_S = 0.15
PROMISED_TIMES_WATCHMEDO = 15
PROMISED_FIRST_START_S = 0.3 + 0.5
PROMISED_START_ONCE_LIVE_S = 0.5
PROMISED_LAST_END_S = 32
PROMISED_HEAVIER_S = 0.1
PROMISED_WATCHING_S = 0.3
PROMISED_GROWTH = 1.05
PROMISED_GROWTH_MEGABYTES = 1

POLL_S = 0.001
CALM_S = 0.5
RESEND_S = 0.5  # a task that was lost must not end the measurement
TASKS, TASK_S, DEADLINE_S = 6, 15, 75
REQUESTS_PER_S, RELOADS_UNDER_LOAD, ANSWER_TIMEOUT_S, KEPT_CONNECTIONS = 200, 20, 5.0, 10
HEAVY_IMPORT_S = 1.0
PACKAGES, MODULES_EACH, NODE_FOLDERS, NODE_FILES_EACH = 250, 20, 2_500, 20
EARLY, LATE, OVERLAP = 20, 200, 3

CELERY_APP = "sample_app.celery_app:celery_app"
QUIET = ("--without-mingle", "--without-gossip")
PREFORK, SOLO = ("-c", "2", *QUIET), ("-P", "solo", *QUIET)
API = "sample_app.reloading:app"
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

API_MODULE = """
from fastapi import FastAPI

VERSION = {version}
app = FastAPI()


@app.get("/version")
async def version():
    return VERSION
"""

# Forks for each line it reads, and prints the seconds until the child has done the work. The first child only teaches
# what there is to import that is not the project's. Arguments: what to do.
FLOOR = """
import gc, importlib, json, os, sys, time

import celery.apps.worker, celery.signals

def call():
    from sample_app.celery_app import celery_app
    celery_app.loader.import_default_modules()
    celery_app.tasks["sample_app.reloading.version"]()
    done()

def become_worker():
    from sample_app.celery_app import celery_app
    celery.signals.worker_ready.connect(lambda **_: done(), weak=False)
    celery_app.Worker(pool="solo", without_mingle=True, without_gossip=True).start()

def done():
    if learning:
        here = os.getcwd() + os.sep
        os.write(writing, json.dumps([
            name for name, module in list(sys.modules.items())
            if name != "__main__" and not (getattr(module, "__file__", None) or "").startswith(here)
        ]).encode())
    else:
        os.write(writing, b"done")
    os._exit(0)

learning = True
for _ in sys.stdin:
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a worker prints a banner
        {"call": call, "worker": become_worker}[sys.argv[1]]()
    os.close(writing)
    answer = b""
    while piece := os.read(reading, 65536):
        answer += piece
        if not learning:
            break
    print(time.monotonic() - began, flush=True)
    os.close(reading)
    os.waitpid(child, 0)
    if learning:
        for name in json.loads(answer):
            try:
                importlib.import_module(name)
            except ImportError:
                pass
        learning = False
        gc.freeze()
"""

HEAVY_MODULE = """
from dataclasses import dataclass
""" + "".join(
    f"""

@dataclass(order=True)
class Class{number}:
    a: int = 1
    b: str = "b"
    c: float = 1.5
    d: bool = True
"""
    for number in range(10)
)

WATCHING = re.compile(r"devkit: watching (\d+) folders, (\d+) files after ([\d.]+) s")

OBSERVER = """
import sys, time
from pathlib import Path
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

observer = Observer()
began = time.monotonic()
observer.schedule(FileSystemEventHandler(), sys.argv[1], recursive=True)
observer.start()
seconds = time.monotonic() - began
files = Path("/proc/self/fdinfo").glob("*")
watches = sum(text.count("inotify wd:") for text in (file.read_text() for file in files if file.exists()))
print(seconds, watches)
observer.stop()
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


def wait_for(holds: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    """Ask until it holds; raises TimeoutError when it does not."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(POLL_S)


@contextmanager
def redis_server(home: Path) -> Iterator[int]:
    """A Redis of its own, in memory; yields its port."""
    environ = clean_environ()
    program = find_redis_server(environ.get("PATH", ""), sys.executable)
    if program is None:
        sys.exit("there is no redis-server here")
    port, folder = Ports.free().redis, home / "redis"
    folder.mkdir()
    argv = [program, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no", "--databases", "64"]
    with process(argv, folder, environ), closing(redis.Redis(host=HOST, port=port)) as client:

        def answers() -> bool:
            with suppress(redis.ConnectionError):
                return bool(client.ping())
            return False

        wait_for(answers)
        yield port


def devkit_worker(*options: str) -> list[str]:
    """What is measured."""
    return [DEVKIT, "worker", "-A", CELERY_APP, *options]


def celery_worker(*options: str) -> list[str]:
    """What the peers start again and again."""
    return [sys.executable, "-m", "celery", "-A", CELERY_APP, "worker", *options]


def watchmedo(*options: str, quick: bool = False, tuned: bool = True) -> list[str]:
    """`quick` is SIGTERM: to the whole group, so it ends the pool at once, and the tasks that run in it.

    SIGINT, its default, these processes ignore. A save is several events; without a debounce interval each of them is a
    restart. By default it kills after 10 s.
    """
    tuning = ("--debounce-interval", "0.05", "--kill-after", str(DEADLINE_S)) if tuned else ()
    if quick:
        tuning = (*tuning, "--signal", "SIGTERM")
    watch = ("-m", "watchdog.watchmedo", "auto-restart", "--directory", ".", "--pattern", "**/*.py", "--recursive")
    return [sys.executable, *watch, *tuning, "--", *celery_worker(*options)]


def watchfiles(*options: str, tuned: bool = True) -> list[str]:
    """By default it kills after 5 s, and its debounce cannot be set."""
    tuning = ("--sigint-timeout", str(DEADLINE_S)) if tuned else ()
    watch = ("-m", "watchfiles", "--filter", "python", "--target-type", "command")
    return [sys.executable, *watch, *tuning, shlex.join(celery_worker(*options))]


def has_watchfiles() -> bool:
    """It is no dependency of devkit's."""
    return importlib.util.find_spec("watchfiles") is not None


@contextmanager
def floor_program(sample: Sample, what: str) -> Iterator[Callable[[], float]]:
    """Yields what has FLOOR do it once."""
    argv = [sys.executable, "-c", FLOOR, what]
    with subprocess.Popen(
        argv,
        cwd=sample.project.folder,
        env=sample.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        asking, answering = program.stdin, program.stdout
        assert asking is not None
        assert answering is not None

        def measure() -> float:
            print(file=asking, flush=True)
            return float(answering.readline())

        measure()  # the one that learns
        yield measure


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


def idle(lab: Lab, runs: int) -> list[Row]:
    """`-c 2`, nothing to do: from a save to the first result of the new code. All workers stand by side by side."""
    with ExitStack() as running:

        def reloads(name: str, argv: list[str]) -> Callable[[], float]:
            return running.enter_context(lab.sample(name).running(argv)).reload

        sides = {
            "devkit": reloads("devkit", devkit_worker(*PREFORK)),
            "watchmedo": reloads("wm", watchmedo(*PREFORK, quick=True)),
        }
        if has_watchfiles():
            sides["watchfiles"] = reloads("wf", watchfiles(*PREFORK))
        sides["fork, import, call"] = running.enter_context(floor_program(lab.sample("call"), "call"))
        sides["fork until a solo worker is ready"] = running.enter_context(floor_program(lab.sample("ready"), "worker"))
        times = interleaved(sides, runs)
    median = {name: statistics.median(values) for name, values in times.items()}

    def row(other: str) -> Row:
        ratio = median["devkit"] / median[other]
        shown = f"{1 / ratio:.1f} x faster" if ratio < 1 else f"{ratio:.1f} x"
        return Row(f"save until new code answers; {other}", precise(times["devkit"]), precise(times[other]), shown)

    rows = {other: row(other) for other in times if other != "devkit"}
    peer = median["watchmedo"]
    kept = median["devkit"] <= min(PROMISED_RELOAD_S, peer / PROMISED_TIMES_WATCHMEDO)
    promise = f"<= {PROMISED_RELOAD_S} s, {PROMISED_TIMES_WATCHMEDO} x faster"
    return [promised(rows.pop("watchmedo"), promise, kept), *rows.values()]


@dataclass(frozen=True)
class Queued:
    """What became of the tasks. Seconds: of the starts on new code since the save, of the last end since queueing."""

    lost: int
    starts: list[float]
    last_end: float | None
    live: float | None

    def __str__(self) -> str:
        return f"{self.lost} of {TASKS}"

    @property
    def start(self) -> str:
        """The first one."""
        return shown(self.starts[0] if self.starts else None)

    @property
    def start_once_live(self) -> float | None:
        """Seconds since the generation was said to be there, until its second task began: as many as `-c` allows."""
        return self.starts[1] - self.live if self.live is not None and len(self.starts) > 1 else None


def queue_up(sample: Sample, argv: Sequence[str]) -> Queued:
    """Queue all tasks at once, save as soon as two have begun, and follow them to their end."""
    with sample.running(argv):
        queued = time.monotonic()
        ids = [sample.send("rest", TASK_S) for _ in range(TASKS)]
        sample.wait_for(
            lambda: sum(sample.meta(each)["status"] == "STARTED" for each in ids) == 2, "no two tasks begin"
        )
        generation = sample.generation()
        saved = sample.save()
        live = None
        results: dict[str, dict[str, Any]] = {}
        while len(results) < TASKS and time.monotonic() < queued + DEADLINE_S:
            if live is None and sample.generation() > generation:
                live = time.monotonic() - saved
            metas = {each: sample.meta(each) for each in ids if each not in results}
            results |= {each: meta["result"] for each, meta in metas.items() if meta["status"] == "SUCCESS"}
            awaited = live is None and time.monotonic() < saved + 2  # peers announce nothing
            time.sleep(POLL_S if awaited else 20 * POLL_S)
        new = sorted(result["began"] - saved for result in results.values() if result["version"] == sample.version)
        ended = max((result["ended"] - queued for result in results.values()), default=None)
    return Queued(TASKS - len(results), new, ended, live)


def queued(lab: Lab, _runs: int) -> list[Row]:
    """Tasks of 15 s, two running and four prefetched when a save comes; the peers' all at once, they mostly wait."""
    progress(f"queued, devkit: about {TASKS * TASK_S // 2} s")
    ours = queue_up(lab.sample("devkit"), devkit_worker(*PREFORK))
    commands = {"watchmedo": watchmedo(*PREFORK), "watchmedo, as typed": watchmedo("-c", "2", tuned=False)}
    if has_watchfiles():
        commands |= {"watchfiles": watchfiles(*PREFORK), "watchfiles, as typed": watchfiles("-c", "2", tuned=False)}
    progress(f"queued, {len(commands)} peers: up to {DEADLINE_S} s")
    with ThreadPoolExecutor(len(commands)) as pool:
        samples = [lab.sample("peer") for _ in commands]
        theirs = dict(zip(commands, pool.map(queue_up, samples, commands.values()), strict=True))
    progress("")
    what = f"{TASKS} tasks of {TASK_S} s, a save amid them"
    first, (last, once_live) = ours.starts[:1], (ours.last_end, ours.start_once_live)
    rows = []
    for number, (name, peer) in enumerate(theirs.items()):
        lost = Row(f"{what}, lost; {name}", str(ours), str(peer))
        start = Row(f"save until one begins on new code; {name}", ours.start, peer.start)
        end = Row(f"queued until the last has ended; {name}", shown(last), shown(peer.last_end))
        if number == 0:
            lost = promised(lost, "0 lost", ours.lost == 0)
            start = promised(
                start, f"<= {PROMISED_FIRST_START_S} s", bool(first) and first[0] <= PROMISED_FIRST_START_S
            )
            end = promised(
                end,
                f"<= {PROMISED_LAST_END_S} s, all",
                ours.lost == 0 and last is not None and last <= PROMISED_LAST_END_S,
            )
        rows += [lost, start, end]
    return [
        *rows,
        Row("save until the generation is announced", shown(ours.live)),
        Row(
            "that until two of four that waited have begun",
            shown(once_live),
            promise=f"<= {PROMISED_START_ONCE_LIVE_S} s",
            kept=once_live is not None and once_live <= PROMISED_START_ONCE_LIVE_S,
        ),
    ]


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """Requests at a fixed rate, whether the earlier ones are answered or not: by turns on a new connection and on one
    of a few that are kept.

    A kept connection that the server has closed is replaced before a request is sent on it, as every HTTP client does;
    a request that was sent has to be answered.
    """

    port: int
    sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first: dict[int, float] = field(default_factory=dict)  # when a version answered first
    slowest: float = 0.0
    late: float = 0.0  # how far this client fell behind its schedule
    _kept: dict[int, Connection] = field(default_factory=dict)
    _enough: bool = False

    async def flow(self) -> None:
        """Until told to stop; then until all is answered."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            while not self._enough:
                ahead = began + self.sent / REQUESTS_PER_S - time.monotonic()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                self.late = max(self.late, -ahead)
                requests.create_task(self._request(self.sent))
                self.sent += 1
        for _, writer in self._kept.values():
            writer.close()

    def stop(self) -> None:
        """No more requests."""
        self._enough = True

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.failures.most_common())
        return f"{self.failures.total()} of {self.sent:,}" + (f" ({reasons})" if reasons else "")

    async def _request(self, number: int) -> None:
        began = time.monotonic()
        slot = number // 2 % KEPT_CONNECTIONS if number % 2 else None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                version = await self._ask(slot)
        except (OSError, EOFError, ValueError) as error:
            self.failures[str(error) if type(error) is ValueError else type(error).__name__] += 1
            return
        arrived = time.monotonic()
        self.first.setdefault(version, arrived)
        self.slowest = max(self.slowest, arrived - began)

    async def _ask(self, slot: int | None) -> int:
        reader, writer = await self._connection(slot)
        close = b"" if slot is not None else b"Connection: close\r\n"
        kept = False
        try:
            writer.write(b"GET /version HTTP/1.1\r\nHost: benchmark\r\n" + close + b"\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"\r\ncontent-length: (\d+)", head)
            if not head.startswith(b"http/1.1 200 ") or not length:
                raise ValueError(head.partition(b"\r\n")[0].decode())
            body = await reader.readexactly(int(length[1]))
            kept = slot is not None and b"\r\nconnection: close" not in head and slot not in self._kept
        finally:
            if kept and slot is not None:
                self._kept[slot] = reader, writer
            else:
                writer.close()
        return int(body)

    async def _connection(self, slot: int | None) -> Connection:
        if slot is not None and (kept := self._kept.pop(slot, None)):
            if not select.select([kept[1].get_extra_info("socket")], [], [], 0)[0]:
                return kept
            kept[1].close()
        return await asyncio.open_connection(HOST, self.port)


def answers_version(sample: Sample, port: int) -> bool:
    """Does the API answer, and with the version saved last?"""
    with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection(HOST, port)) as connection:
        connection.request("GET", "/version")
        return connection.getresponse().read() == str(sample.version).encode()
    return False


async def reloads_under_load(sample: Sample, load: Load) -> list[float]:
    """Seconds from each save to the first response of the new code."""
    times = []
    async with asyncio.TaskGroup() as both:
        both.create_task(load.flow())
        try:
            for number in range(RELOADS_UNDER_LOAD):
                progress(f"{sample.log.stem}: reload {number + 1} of {RELOADS_UNDER_LOAD}")
                await asyncio.to_thread(sample.settle)
                saved = sample.save()
                async with asyncio.timeout(TIMEOUT_S):
                    while sample.version not in load.first:
                        await asyncio.sleep(POLL_S)
                times.append(load.first[sample.version] - saved)
            await asyncio.to_thread(sample.settle)
        finally:
            load.stop()
    progress("")
    return times


def api(lab: Lab, _runs: int) -> list[Row]:
    """200 requests per second through 20 reloads: none may fail."""

    def measure(name: str, argv: Sequence[str]) -> tuple[list[float], Load]:
        sample, load = lab.sample(name, API_MODULE), Load(Ports.free().api)
        argv = [*argv, API, "--host", HOST, "--port", str(load.port)]
        with sample.running(argv, lambda: answers_version(sample, load.port)):
            return asyncio.run(reloads_under_load(sample, load)), load

    # A short delay: by default it is 0.25 s.
    uvicorn = [sys.executable, "-m", "uvicorn", "--reload", "--reload-delay", "0.01"]
    ours, our_load = measure("devkit", [DEVKIT, "api"])
    theirs, their_load = measure("uvicorn", uvicorn)
    peer = "uvicorn --reload, " + ("watchfiles" if has_watchfiles() else "no watchfiles")
    ratio = statistics.median(ours) / statistics.median(theirs)
    return [
        Row(
            f"save until the first new response; {peer}",
            precise(ours),
            precise(theirs),
            f"{ratio:.2f} x",
            f"<= {PROMISED_RELOAD_S} s",
            statistics.median(ours) <= PROMISED_RELOAD_S,
        ),
        Row(
            f"{REQUESTS_PER_S} requests/s, {RELOADS_UNDER_LOAD} reloads, failed",
            str(our_load),
            str(their_load),
            promise="0",
            kept=not our_load.failures,
        ),
        Row("the slowest response", shown(our_load.slowest), shown(their_load.slowest)),
        Row("a request sent behind its time, at most", shown(our_load.late), shown(their_load.late)),
    ]


def heavy_python(home: Path) -> tuple[str, float]:
    """An interpreter that has all that this one has, and a package that takes a second to import; and how many."""
    venv = home / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    folder = next(venv.glob("lib/python*/site-packages"))
    for entry in {path for kind in ("purelib", "platlib") for path in Path(sysconfig.get_path(kind)).iterdir()}:
        with suppress(FileExistsError):
            (folder / entry.name).symlink_to(entry)
    package = folder / "heavydep"
    package.mkdir()
    python, modules, seconds = str(venv / "bin" / "python"), 0, 0.0
    timed = "import time; began = time.perf_counter(); import heavydep; print(time.perf_counter() - began)"
    while seconds < HEAVY_IMPORT_S:
        wanted = int(modules * 1.2 * HEAVY_IMPORT_S / seconds) + 1 if seconds else 200
        for number in range(modules, wanted):
            (package / f"part_{number}.py").write_text(HEAVY_MODULE)
        modules = wanted
        (package / "__init__.py").write_text("".join(f"from . import part_{number}\n" for number in range(modules)))
        for _ in range(2):  # the first writes the bytecode
            done = subprocess.run([python, "-c", timed], check=True, capture_output=True, env=clean_environ(), cwd=home)
        seconds = float(done.stdout)
    return python, seconds


def heavy(lab: Lab, runs: int) -> list[Row]:
    """A project whose libraries take a second to import: known from the start before, they cost a reload nothing."""
    progress("heavy: a package that takes a second to import")
    python, seconds = heavy_python(lab.home)
    small, large = lab.sample("small"), lab.sample("heavy", f"import heavydep\n{WORKER_MODULE}")
    large.environ["DEVKIT_PYTHON"] = python
    with large.running(devkit_worker(*PREFORK)) as first:
        assert first.started is not None
        interrupt(first.started)
    with small.running(devkit_worker(*PREFORK)), large.running(devkit_worker(*PREFORK)):
        times = interleaved({"small": small.reload, "heavy": large.reload}, runs)
    more = statistics.median(times["heavy"]) - statistics.median(times["small"])
    return [
        Row(
            f"save until new code answers, {seconds:.1f} s of library imports; without",
            precise(times["heavy"]),
            precise(times["small"]),
            f"{more:+.3f} s",
            f"<= {PROMISED_HEAVIER_S:+} s",
            more <= PROMISED_HEAVIER_S,
        )
    ]


def tree(lab: Lab, runs: int) -> list[Row]:
    """5,000 modules beside a node_modules of 50,000 files; the peer is watchdog, which watches all of it."""
    progress("tree: 55,000 files")
    sample = lab.sample("tree")
    sample.environ["DEVKIT_DEBUG"] = "1"
    root = sample.project.folder
    for number in range(PACKAGES):
        fill(root / f"package_{number}", ["__init__.py", *(f"module_{each}.py" for each in range(1, MODULES_EACH))])
    for number in range(NODE_FOLDERS):
        fill(root / "node_modules" / f"library_{number}", [f"file_{each}.js" for each in range(NODE_FILES_EACH)])
    watched: dict[str, str] = {}

    def start_devkit() -> float:
        with sample.running(devkit_worker(*PREFORK)):
            sample.wait_for(lambda: WATCHING.search(sample.log.read_text()) is not None, f"no {WATCHING.pattern!r}")
            found = WATCHING.search(sample.log.read_text())
        assert found is not None
        watched["devkit"] = f"{int(found[1]):,} folders"
        return float(found[3])

    def start_watchdog() -> float:
        argv = [sys.executable, "-c", OBSERVER, str(root)]
        done = subprocess.run(argv, check=True, capture_output=True, env=clean_environ())
        seconds, watches = done.stdout.split()
        watched["watchdog"] = f"{int(watches):,} watches"
        return float(seconds)

    times = interleaved({"devkit": start_devkit, "watchdog": start_watchdog}, runs)
    with sample.running(devkit_worker(*PREFORK)):
        progress(f"tree, idle: {SETTLE_S + IDLE_S} s")
        measured = sample.parents()
        time.sleep(SETTLE_S)
        began, before = time.monotonic(), sum(map(processor_time, measured))
        time.sleep(IDLE_S)
        busy = 100 * (sum(map(processor_time, measured)) - before) / (time.monotonic() - began)
    progress("")
    median = {name: statistics.median(values) for name, values in times.items()}
    return [
        Row(
            f"{PACKAGES * MODULES_EACH:,} modules, {NODE_FOLDERS * NODE_FILES_EACH:,} other files, watched; watchdog",
            f"{precise(times['devkit'])}, {watched['devkit']}",
            f"{precise(times['watchdog'])}, {watched['watchdog']}",
            f"{median['devkit'] / median['watchdog']:.2f} x",
            f"<= {PROMISED_WATCHING_S} s",
            median["devkit"] <= PROMISED_WATCHING_S,
        ),
        Row(
            f"runner and zygote, idle for {IDLE_S} s there",
            f"{busy:.2f} % of a core",
            promise=f"<= {PROMISED_CORE_PERCENT} %",
            kept=busy <= PROMISED_CORE_PERCENT,
        ),
    ]


def fill(folder: Path, names: Sequence[str]) -> None:
    """A folder with small files."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("value = 1\n" if name.endswith(".py") else "module.exports = 1\n")


@dataclass(frozen=True)
class State:
    """What a runner and its zygote hold, and what there is of them."""

    megabytes: list[float]
    descriptors: list[int]
    keys: tuple[int, int]
    processes: int

    @classmethod
    def of(cls, sample: Sample) -> "State":
        parents = sample.parents()
        return cls(
            [megabytes(each) for each in parents],
            [each.num_fds() for each in parents],
            sample.keys(),
            len(sample.family()),
        )


def endurance(lab: Lab, _runs: int) -> list[Row]:
    """What the runner and the zygote hold after 200 reloads, against what they held after 20."""
    return [*endure(lab, "-P solo", SOLO), *endure(lab, "-c 2", PREFORK)]


def endure(lab: Lab, name: str, options: Sequence[str]) -> list[Row]:
    """Reload again and again, without waiting for each generation's end."""
    sample, times = lab.sample("endurance"), []
    with sample.running(devkit_worker(*options)):
        began = len(sample.family())
        parents = sample.parents()
        for number in range(1, LATE + 1):
            progress(f"endurance, {name}: reload {number} of {LATE}")
            sample.thin_out()
            times.append(sample.reload_at_once())
            if number == EARLY:
                sample.settle()
                early = State.of(sample)
        sample.settle()
        late = State.of(sample)
        assert parents == sample.parents(), "the zygote is not the one that it was at the beginning"
    progress("")

    def row(what: str, then: object, now: object, promise: str, kept: bool) -> Row:
        return Row(f"{name}, {what} after {LATE} reloads; after {EARLY}", str(now), str(then), "", promise, kept)

    def size(what: str, which: int) -> Row:
        then, now = early.megabytes[which], late.megabytes[which]
        limit = then * PROMISED_GROWTH + PROMISED_GROWTH_MEGABYTES
        return row(f"{what}'s memory", f"{then:.1f} MB", f"{now:.1f} MB", f"<= {limit:.1f} MB", now <= limit)

    def text(values: Sequence[int]) -> str:
        return " and ".join(map(str, values))

    return [
        Row(f"{name}, {LATE} reloads in sequence", precise(times), "", "", ""),
        size("runner", 0),
        size("zygote", 1),
        row(
            "their descriptors",
            text(early.descriptors),
            text(late.descriptors),
            "as many",
            early.descriptors == late.descriptors,
        ),
        row("keys in Redis, members", text(early.keys), text(late.keys), "no more", late.keys <= early.keys),
        Row(
            f"{name}, processes after {LATE} reloads; at the beginning",
            str(late.processes),
            str(began),
            "",
            "as many",
            late.processes == began,
        ),
        Row(
            f"{name}, tasks without a result",
            f"{len(sample.unanswered)} of {sample.answered + len(sample.unanswered):,}",
            promise="0",
            kept=not sample.unanswered,
        ),
    ]


def precise(values: Sequence[float]) -> str:
    """Their median, the least and the worst, in milliseconds' precision."""
    return spread(values, digits=3)


def shown(seconds: float | None) -> str:
    """A single measurement."""
    return "never" if seconds is None else f"{seconds:.2f} s"


def promised(row: Row, promise: str, kept: bool) -> Row:
    """The row, with what is promised of it."""
    return replace(row, promise=promise, kept=kept)


BENCHMARKS: Mapping[str, Callable[[Lab, int], list[Row]]] = {
    "idle": idle,
    "queued": queued,
    "api": api,
    "heavy": heavy,
    "tree": tree,
    "endurance": endurance,
}


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="repetitions of idle, heavy and tree (10)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which; all by default: {', '.join(BENCHMARKS)}")
    asked = parser.parse_args()
    if asked.runs < 1:
        parser.error("--runs has to be at least 1")
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"there is no {' or '.join(sorted(unknown))}, only {', '.join(BENCHMARKS)}")
    if not has_watchfiles():
        print("watchfiles is not installed: pip install watchfiles", file=sys.stderr)
    with temporary_folder() as home, redis_server(home) as port:
        lab = Lab(home, port)
        return report([row for name in asked.names or BENCHMARKS for row in BENCHMARKS[name](lab, asked.runs)])


if __name__ == "__main__":
    sys.exit(main())
