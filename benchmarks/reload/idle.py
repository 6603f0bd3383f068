"""A worker that has nothing to do: from a save to the first result of the new code."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks._common import Row, interleaved
from benchmarks.reload.commands import PREFORK, devkit_worker, has_watchfiles, watchfiles, watchmedo
from benchmarks.reload.rows import PROMISED_RELOAD_S, precise, promised
from benchmarks.reload.sample import Lab, Sample

PROMISED_TIMES_WATCHMEDO = 15

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
