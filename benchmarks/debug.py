"""`devkit debug`: from the breakpoint to the prompt, and what tasks pay that have no breakpoint.

The floor of the prompt is pdb on a socket, and a client that connects to it: nobody announces, looks for or waits for
anything. The peer of a worker without breakpoints is `celery worker` with the same options.

Tasks that do nothing are copied into the queue all at once, and a worker is started afresh for each run, since two
processes of one program differ in speed for as long as they live. `celery worker` runs twice in each round: how far
the two lie apart is how much of a difference means nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery

from benchmarks._common import (
    DEVKIT,
    HOST,
    Row,
    clean_environ,
    interleaved,
    process,
    progress,
    redis_server,
    report,
    spread,
    temporary_folder,
    wait_for,
)
from benchmarks._debugging import PROMPT, Screen, Talk, floor_program, timed
from benchmarks.footprint import processor_time, wall_time
from devkit.model.session import Session
from devkit.store.sessions import PAUSED, Sessions

PROMISED_HIT_MS = 50
PROMISED_START_S = 0.4
PROMISED_RATIO = 1.01

TASKS, WARM_UP = 4_000, 400
STEPS = 200
SETTLE_S = 0.5
IMPORTS = "import click, prompt_toolkit, telnetlib3"
POOLS = {"solo": ("-P", "solo"), "prefork": ("-c", "1")}
# devkit has the worker send events, so that Flower shows something: that costs more than any debugger.
QUIET = ("--without-mingle", "--without-gossip", "-E", "-l", "warning")

MODULE = """
import os
import time
from pathlib import Path

from celery import Celery
from celery.contrib import rdb

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])


@app.task
def pauses(file):
    Path(file).touch()
    Path(file).write_text(str(time.monotonic()))
    rdb.set_trace()


@app.task
def steps(count):
    rdb.set_trace()
    for number in range(count):
        number += 1


@app.task(ignore_result=True)
def nothing():
    pass


@app.task
def now():
    return time.monotonic()
"""


class Sample:
    """A project with tasks that pause and tasks that do nothing, and a client that sends them."""

    def __init__(self, home: Path, redis_port: int) -> None:
        self.folder = home / "project"
        self.folder.mkdir()
        (self.folder / "tasks.py").write_text(MODULE)
        broker, backend = (f"redis://{HOST}:{redis_port}/{number}" for number in (0, 1))
        self.environ = {
            **clean_environ(),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "CELERY_BROKER_URL": broker,
            "CELERY_RESULT_BACKEND": backend,
            "DEVKIT_PYTHON": sys.executable,
        }
        self._client = Celery(broker=broker)
        self._sessions = Sessions(str(self.folder / ".devkit" / "debug" / "sessions"))
        self._broker: Any = redis.Redis.from_url(broker)
        self._results: Any = redis.Redis.from_url(backend)

    @contextmanager
    def running(self, argv: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker that answers."""
        with process(argv, self.folder, self.environ) as worker:
            self.result(self.send("now"))
            yield worker

    def send(self, task: str, *args: object, queue: str = "celery") -> str:
        """Returns the task's id."""
        task_id: str = self._client.send_task(f"tasks.{task}", args, queue=queue).id
        return task_id

    def result(self, task_id: str) -> Any:
        """Wait for it, and forget it."""
        key = f"celery-task-meta-{task_id}"
        wait_for(lambda: bool(self._results.exists(key)))
        meta = json.loads(self._results.get(key))
        self._results.delete(key)
        assert meta["status"] == "SUCCESS", meta
        return meta["result"]

    def paused(self, task_id: str) -> Session:
        """Wait until the task is paused."""

        def found() -> list[Session]:
            return [one for one in self._sessions.all() if one.task_id == task_id and one.state == PAUSED]

        wait_for(lambda: bool(found()))
        return found()[0]

    def stock(self, count: int) -> Callable[[], float]:
        """Prepares so many tasks; what is returned has them all run, and tells the seconds that it took."""
        queue = f"stock-{count}"
        first = self.send("now", queue=queue)
        for _ in range(count):
            self.send("nothing", queue=queue)
        last = self.send("now", queue=queue)

        def run() -> float:
            self._broker.copy(queue, "celery")
            began, ended = self.result(first), self.result(last)
            wait_for(lambda: self._broker.hlen("unacked") == 0)
            return float(ended - began)

        return run


def prompt_rows(sample: Sample, runs: int) -> list[Row]:
    """From the breakpoint to the prompt on a terminal, and over the wire."""
    marks = sample.folder.with_name("hit")
    with ExitStack() as running:
        running.enter_context(sample.running([DEVKIT, "worker", "-A", "tasks", "-P", "solo", *QUIET]))
        floor_port = running.enter_context(floor_program(10 * STEPS))

        def hit() -> float:
            with closing(Screen(sample.folder, sample.environ, "debug", "pauses")) as screen:
                screen.shows(b"waiting")
                time.sleep(SETTLE_S)
                task = sample.send("pauses", str(marks))
                shown = screen.shows(PROMPT)
                took = shown - float(marks.read_text())
                screen.type("c")
            sample.result(task)
            return took * 1000

        def floor_hit() -> float:
            began = time.perf_counter()
            with closing(Talk(floor_port)) as talk:
                talk.hear()
                took = time.perf_counter() - began
                talk.command("c")
            return took * 1000

        hits = interleaved({"devkit": hit, "floor": floor_hit}, runs)

        task = sample.send("steps", 10 * STEPS)
        session = sample.paused(task)

        def start() -> float:
            with closing(Screen(sample.folder, sample.environ, "debug")) as screen:
                took = screen.shows(PROMPT) - screen.began
                screen.type("detach")
            return took

        starts = interleaved({"devkit": start, "imports": partial(wall_time, [sys.executable, "-c", IMPORTS])}, runs)

        def attach() -> float:
            began = time.perf_counter()
            with closing(Talk(session.port, session.token)) as talk:
                talk.hear(b"devkit.prompt")
                return (time.perf_counter() - began) * 1000

        attached = interleaved({"devkit": attach, "floor": floor_hit}, runs)

        with closing(Talk(session.port, session.token)) as ours, closing(Talk(floor_port)) as theirs:
            for talk in (ours, theirs):
                talk.hear()
            asked = iter(range(2 * STEPS))

            def complete() -> float:
                number = next(asked)
                return timed(
                    partial(ours.tell, "complete", id=number, text="p number.b"),
                    lambda: ours.hear(f'"id": {number},'.encode()),
                )

            stepping = interleaved(
                {
                    "devkit": lambda: timed(partial(ours.command, "n"), ours.hear),
                    "floor": lambda: timed(partial(theirs.command, "n"), theirs.hear),
                    "complete": complete,
                },
                STEPS,
            )
            for talk in (ours, theirs):
                talk.command("c")
            ours.hear(b"devkit.ended")
        sample.result(task)

    def row(what: str, times: Mapping[str, list[float]], peer: str, unit: str, digits: int) -> Row:
        ratio = statistics.median(times["devkit"]) / statistics.median(times[peer])
        ours, theirs = (spread(times[side], unit, digits) for side in ("devkit", peer))
        return Row(what, ours, theirs, f"{ratio:.1f} x")

    def promised(row: Row, times: Sequence[float], limit: float, unit: str) -> Row:
        kept = statistics.median(times) <= limit
        return Row(row.what, row.devkit, row.peer, row.ratio, f"<= {limit} {unit}", kept)

    hit_row = row("breakpoint until a waiting client's prompt; connect to a pdb", hits, "floor", "ms", 1)
    start_row = row(f"devkit debug until its prompt; {IMPORTS}", starts, "imports", "s", 2)
    return [
        promised(hit_row, hits["devkit"], PROMISED_HIT_MS, "ms"),
        promised(start_row, starts["devkit"], PROMISED_START_S, "s"),
        row("attach, without a terminal; connect to a pdb", attached, "floor", "ms", 1),
        row("one step (n); in a pdb", stepping, "floor", "ms", 2),
        Row("one completion", spread(stepping["complete"], "ms", 2)),
    ]


def task_rows(sample: Sample, runs: int) -> list[Row]:
    """What a task costs that does nothing and has no breakpoint."""
    warm_up, stock = sample.stock(WARM_UP), sample.stock(TASKS)
    rows = []
    for name, pool in POOLS.items():
        options = ("-A", "tasks", "worker", *pool, *QUIET)
        elapsed: dict[str, list[float]] = {}

        def measured(side: str, argv: Sequence[str], elapsed: dict[str, list[float]] = elapsed) -> float:
            with sample.running(argv) as worker:
                warm_up()
                family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
                before = sum(map(processor_time, family))
                elapsed.setdefault(side, []).append(stock() / TASKS * 1e6)
                return (sum(map(processor_time, family)) - before) / TASKS * 1e6

        celery = [sys.executable, "-m", "celery", *options]
        used = interleaved(
            {
                "devkit": partial(measured, "devkit", [DEVKIT, "worker", "-A", "tasks", *pool, *QUIET]),
                "celery": partial(measured, "celery", celery),
                "again": partial(measured, "again", celery),
            },
            runs,
        )
        rows += ratio_rows(f"{name}, processor time", used, promise=True)
        rows += ratio_rows(f"{name}, elapsed time", {side: values[1:] for side, values in elapsed.items()})
    return rows


def ratio_rows(what: str, times: Mapping[str, list[float]], *, promise: bool = False) -> list[Row]:
    """devkit against celery, and celery against itself."""
    middle = {side: statistics.median(values) for side, values in times.items()}
    ratio, noise = middle["devkit"] / middle["celery"], middle["again"] / middle["celery"]
    kept = ratio <= PROMISED_RATIO if promise else None
    ours, theirs, again = (spread(times[side], "us", 0) for side in ("devkit", "celery", "again"))
    return [
        Row(f"a task, {what}; celery worker", ours, theirs, f"{ratio:.3f} x", f"<= {PROMISED_RATIO} x" * promise, kept),
        Row("  celery worker against itself", again, theirs, f"{noise:.3f} x"),
    ]


BENCHMARKS: Mapping[str, Callable[[Sample, int], list[Row]]] = {"prompt": prompt_rows, "tasks": task_rows}


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="repetitions of each (10)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which; all by default: {', '.join(BENCHMARKS)}")
    asked = parser.parse_args()
    if asked.runs < 1:
        parser.error("--runs has to be at least 1")
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"there is no {' or '.join(sorted(unknown))}, only {', '.join(BENCHMARKS)}")
    with temporary_folder() as home, redis_server(home) as port:
        sample = Sample(home, port)
        rows = [row for name in asked.names or BENCHMARKS for row in BENCHMARKS[name](sample, asked.runs)]
    progress("")
    return report(rows)


if __name__ == "__main__":
    sys.exit(main())
