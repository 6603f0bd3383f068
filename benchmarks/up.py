"""`devkit up`, until all is ready, against the same four processes started side by side by hand.

The peer is as quick as an expert can make it: everything known beforehand (ports, broker, arguments), all four
processes started at once, none waiting for another, and each asked every 10 ms, with devkit's own probes, whether it
is ready. So what devkit adds (finding the app, asking it for its broker, choosing ports, the supervisor) has to cost
next to nothing.
"""

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks._common import (
    DEVKIT,
    HOST,
    TIMEOUT_S,
    Lines,
    Ports,
    Project,
    Row,
    asked_runs,
    clean_environ,
    interleaved,
    interrupt,
    process,
    report,
    spread,
    temporary_folder,
)
from devkit.services.redis import find_redis_server
from devkit.stack.probes import http_answers, redis_answers

PROMISED_RATIO = 1.15
POLL_S = 0.01
CELERY = ["-A", "sample_app.celery_app:celery_app"]
WORKER = ["worker", "-l", "INFO", "-E"]
ALONE = ["--without-mingle", "--without-gossip"]


def devkit_up(project: Project) -> float:
    """From exec to the table that says that all is ready."""
    began = time.perf_counter()
    with process(
        [DEVKIT, "up"], project.folder, project.environ(Ports.free()), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as stack:
        output = Lines(stack.stdout)
        ready, _ = output.first("service")
        _, worker = output.first("worker")
        # The comparison holds only as long as both sides run the same worker.
        assert " ".join([*CELERY, *WORKER, *ALONE]) in worker, f"devkit starts another worker than the peer: {worker}"
        interrupt(stack)
    return ready - began


def devkit_up_detached(project: Project) -> float:
    """From exec to exit: then all is ready, too."""
    environ = project.environ(Ports.free())
    began = time.perf_counter()
    try:
        subprocess.run([DEVKIT, "up", "-d"], cwd=project.folder, env=environ, check=True, capture_output=True)
        return time.perf_counter() - began
    finally:
        subprocess.run([DEVKIT, "down"], cwd=project.folder, env=environ, check=True, capture_output=True)


def by_hand(project: Project, worker_flags: list[str]) -> float:
    """From the first exec to the last answer."""
    ports = Ports.free()
    broker = f"redis://{HOST}:{ports.redis}"
    environ = {
        **clean_environ(),
        "CELERY_BROKER_URL": f"{broker}/0",
        "CELERY_RESULT_BACKEND": f"{broker}/1",
        "PYTHONUNBUFFERED": "1",
    }
    data = project.folder / "data"
    data.mkdir(exist_ok=True)
    logs = {name: data / f"{name}.log" for name in ("redis", "api", "worker", "flower")}
    api, flower = f"http://{HOST}:{ports.api}/", f"http://{HOST}:{ports.flower}/healthcheck"
    waiting: dict[str, Callable[[], bool]] = {
        "redis": redis_answers(ports.redis).check,
        "api": http_answers(api, "HEAD").check,
        "worker": lambda: re.search(rb"celery@\S+ ready\.", logs["worker"].read_bytes()) is not None,
        "flower": http_answers(flower).check,
    }
    with ExitStack() as running:
        began = time.perf_counter()
        for name, argv in commands(ports, data, worker_flags).items():
            log = running.enter_context(logs[name].open("wb"))
            running.enter_context(process(argv, project.folder, environ, stdout=log, stderr=log))
        while waiting := {name: check for name, check in waiting.items() if not check()}:
            assert time.perf_counter() - began < TIMEOUT_S, f"not ready: {', '.join(waiting)}"
            time.sleep(POLL_S)
        return time.perf_counter() - began


def commands(ports: Ports, data: Path, worker_flags: list[str]) -> dict[str, list[str]]:
    """What devkit/services/ starts, typed by hand."""
    redis = find_redis_server(clean_environ()["PATH"])
    assert redis, "this benchmark needs a redis-server"
    python = [sys.executable, "-m"]
    return {
        "redis": [
            redis, "--port", str(ports.redis), "--appendonly", "yes", "--save", "", "--daemonize", "no",
            "--bind", HOST, "--dir", str(data),
        ],
        "api": [
            *python, "uvicorn", "sample_app.main:app", "--host", HOST, "--port", str(ports.api),
            "--timeout-graceful-shutdown", "2",
        ],
        "worker": [*python, "celery", *CELERY, *WORKER, *worker_flags],
        "flower": [
            *python, "celery", *CELERY, "flower", f"--address={HOST}", f"--port={ports.flower}",
            "--enable_events=True", "--persistent=True", f"--db={data / 'flower'}", "--state_save_interval=5000",
        ],
    }  # fmt: skip


def main() -> int:
    """Measure, and print the table."""
    runs = asked_runs(__doc__, default=10)
    with temporary_folder() as home:
        ours, theirs = Project(home / "devkit"), Project(home / "by-hand")
        times = interleaved(
            {
                "devkit": partial(devkit_up, ours),
                "by hand": partial(by_hand, theirs, ALONE),
                "as typed": partial(by_hand, theirs, []),
                "detached": partial(devkit_up_detached, ours),
            },
            runs,
        )
    median = {name: statistics.median(values) for name, values in times.items()}

    def row(what: str, ours: str, theirs: str, promise: float | None = None) -> Row:
        ratio = median[ours] / median[theirs]
        words, kept = (f"<= {promise:.2f} x", ratio <= promise) if promise else ("", None)
        return Row(what, spread(times[ours]), spread(times[theirs]), f"{ratio:.2f} x", words, kept)

    return report(
        [
            row("up until all is ready; by hand, side by side", "devkit", "by hand", PROMISED_RATIO),
            row("the same; worker by hand with mingle and gossip", "devkit", "as typed"),
            row("up -d until it returns; by hand, side by side", "detached", "by hand"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
