"""`devkit failures` and `devkit replay`, and what the recorder costs the tasks that it records, and those it does not.

The recorder's peer is the same plain `celery worker` without the one line that adds it; the worker runs twice in each
round without it, and how far those two lie apart is how much of a difference means nothing. The peer of a replay is
what one would type instead: import the project, and call the function with the same arguments.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil

from benchmarks._common import DEVKIT, Row, interleaved, progress, redis_server, report, spread, temporary_folder
from benchmarks._replaying import INDEXES, RECORD, RECORDS, RESULT, SCAN, Plain, Sample, family
from benchmarks.footprint import processor_time

PROMISED_SUCCESS, PROMISED_FAILING = 0.98, 0.85
PROMISED_FAILURES_S, PROMISED_FLAT = 0.3, 1.1
PROMISED_REPLAY = 1.3
PROMISED_BYTES = 4096

TASKS, FAILING, WARM_UP = 20_000, 4_000, 400
POOLS = {"solo": ("-P", "solo"), "prefork -c 1": ("-c", "1")}
FEW, MANY, FAILED = 10_000, 1_000_000, 1_000
SHOWN = 20
NEEDED_MB = 1_500
BY_HAND = "from sample_app.tasks import divide; divide(1, 0)"


@dataclass(frozen=True)
class Load:
    """Tasks that wait in a queue of their own until they are run; `recorded` is how many records they leave."""

    what: str
    count: int
    recorded: int
    promise: float
    warm_up: Callable[[], float]
    run: Callable[[], float]


def task_rows(home: Path, port: int, runs: int) -> list[Row]:
    """Throughput of tasks that do nothing, and of tasks that fail."""
    sample = Plain(home / "tasks", port, 0)

    def load(task: str, what: str, count: int, recorded: int, promise: float) -> Load:
        progress(f"tasks: queueing {count:,}")
        return Load(what, count, recorded, promise, sample.stock(task, WARM_UP), sample.stock(task, count))

    loads = (
        load("nothing", "do nothing", TASKS, 0, PROMISED_SUCCESS),
        load("fails", "fail", FAILING, WARM_UP + FAILING, PROMISED_FAILING),
    )
    return [row for load in loads for name in POOLS for row in load_rows(sample, load, name, runs)]


def load_rows(sample: Plain, load: Load, pool: str, runs: int) -> list[Row]:
    """One kind of tasks in one pool."""
    used: dict[str, list[float]] = {"devkit": [], "celery": [], "again": []}
    lost: list[int] = []

    def measured(side: str) -> float:
        sample.results.flushdb()
        with sample.running(POOLS[pool], recorded=side == "devkit", keep=WARM_UP + FAILING) as worker:
            load.warm_up()
            processes = family(worker)
            before = sum(map(processor_time, processes))
            seconds = load.run()
            if side == "devkit":
                lost.append(load.recorded - sample.recorded(load.recorded))
            used[side].append(sum(map(processor_time, processes)) - before)
            return seconds

    elapsed = interleaved({side: partial(measured, side) for side in used}, runs)
    rows = [
        *throughput_rows(f"{load.count:,} tasks that {load.what}, {pool}", elapsed, load.count, load.promise),
        processor_row({side: values[1:] for side, values in used.items()}, load.count),
    ]
    if load.recorded:
        rows.append(Row("  failures not kept", f"{max(lost)} of {load.recorded:,}", promise="0", kept=not any(lost)))
    else:
        assert not any(lost), "there are records of tasks that did not fail"
    return rows


def throughput_rows(what: str, elapsed: Mapping[str, Sequence[float]], count: int, promise: float) -> list[Row]:
    """With the recorder against without, and without against itself."""
    rates = {side: [count / seconds for seconds in values] for side, values in elapsed.items()}
    middle = {side: statistics.median(values) for side, values in rates.items()}
    ratio, noise = middle["devkit"] / middle["celery"], middle["again"] / middle["celery"]
    ours, theirs, again = (spread(rates[side], "/s", 0) for side in ("devkit", "celery", "again"))
    return [
        Row(f"{what}; without the recorder", ours, theirs, f"{ratio:.3f} x", f">= {promise} x", ratio >= promise),
        Row("  without it against itself", again, theirs, f"{noise:.3f} x"),
    ]


def processor_row(used: Mapping[str, Sequence[float]], count: int) -> Row:
    """The worker's processes together, until all is recorded."""
    each = {side: [seconds / count * 1e6 for seconds in values] for side, values in used.items()}
    ratio, noise = (statistics.median(each[side]) / statistics.median(each["celery"]) for side in ("devkit", "again"))
    ours, theirs = (spread(each[side], "us", 0) for side in ("devkit", "celery"))
    return Row("  processor time of a task", ours, theirs, f"{ratio:.3f} x (itself {noise:.3f} x)")


def failure_rows(home: Path, port: int, runs: int) -> list[Row]:
    """`devkit failures` over few stored results, and over many."""
    free = psutil.virtual_memory().available / 1e6
    if free < NEEDED_MB:
        sys.exit(f"failures: {NEEDED_MB:,} MB of memory are needed, {free:,.0f} MB are free")
    samples = {FEW: Plain(home / "few", port, 0), MANY: Plain(home / "many", port, 2)}
    sides: dict[str, Callable[[], float]] = {}
    for count, sample in samples.items():
        progress(f"failures: {count:,} results")
        fails = sample.stock("fails", FAILED, ignore_result=False)
        with sample.running(("-P", "solo"), recorded=True, keep=FAILED):
            fails()
            assert sample.recorded(FAILED) == FAILED
        sample.fill(count - FAILED)
        stored = sum(1 for _ in sample.results.scan_iter(f"{RESULT}*", count=1000))
        assert stored == count, f"{stored:,} results"
        listed = [DEVKIT, "failures", "--result-backend", sample.url]
        for name, argv, lines in (
            ("devkit", listed, SHOWN),
            ("all", [*listed, "--limit", str(FAILED)], FAILED),
            ("scan", [sys.executable, "-c", SCAN, sample.url], SHOWN),
        ):
            sides[f"{name} {count}"] = partial(prints, argv, sample, lines)
    times = interleaved(sides, runs)
    middle = {side: statistics.median(values) for side, values in times.items()}

    def row(what: str, ours: str, theirs: str, digits: int) -> Row:
        left, right = (spread(times[side], digits=3) for side in (ours, theirs))
        return Row(what, left, right, f"{middle[ours] / middle[theirs]:.{digits}f} x")

    found = [
        replace(
            row(f"devkit failures, {FAILED:,} among {count:,} results; a scan", f"devkit {count}", f"scan {count}", 3),
            promise=f"<= {PROMISED_FAILURES_S} s",
            kept=middle[f"devkit {count}"] <= PROMISED_FAILURES_S,
        )
        for count in samples
    ]
    flat = row(f"  {MANY:,} results; {FEW:,}", f"devkit {MANY}", f"devkit {FEW}", 2)
    kept = middle[f"devkit {MANY}"] <= PROMISED_FLAT * middle[f"devkit {FEW}"]
    return [
        *found,
        replace(flat, promise=f"<= {PROMISED_FLAT} x", kept=kept),
        row(f"  --limit {FAILED}, {MANY:,} results; {FEW:,}", f"all {MANY}", f"all {FEW}", 2),
    ]


def prints(argv: Sequence[str], sample: Plain, expected: int) -> float:
    """Seconds until a command has ended that lists so many failures."""
    seconds, output = ended(argv, sample.folder, sample.environ, 0)
    assert output.count("ZeroDivisionError") == expected, output[-2000:]
    return seconds


def replay_rows(home: Path, port: int, runs: int) -> list[Row]:
    """`devkit replay ID`, from exec until its end."""
    sample = Sample(home / "replay", port, 0)
    progress(f"replay: {FAILED:,} failures")

    def says(argv: Sequence[str], text: str) -> float:
        seconds, output = ended(argv, sample.project.folder, sample.environ, 1)
        assert text in output, output[-2000:]
        return seconds

    def times(*options: str) -> dict[str, list[float]]:
        replay = [DEVKIT, "replay", task_id, *options]
        by_hand = [sys.executable, "-c", BY_HAND]
        return interleaved(
            {
                "devkit": partial(says, replay, "same failure: ZeroDivisionError"),
                "by hand": partial(says, by_hand, "ZeroDivisionError"),
            },
            runs,
        )

    def row(what: str, times: Mapping[str, Sequence[float]]) -> Row:
        ratio = statistics.median(times["devkit"]) / statistics.median(times["by hand"])
        ours, theirs = (spread(values, digits=3) for values in times.values())
        kept = ratio <= PROMISED_REPLAY
        return Row(what, ours, theirs, f"{ratio:.2f} x", f"<= {PROMISED_REPLAY} x", kept)

    with sample.failed(FAILED) as task_id:
        running = row(f"devkit replay ID; python -c '{BY_HAND}'", times())
    # Nothing of the project runs any more.
    alone = row("  the same when no worker runs", times("--result-backend", sample.url))
    return [running, replace(alone, promise="", kept=None)]


def ended(argv: Sequence[str], folder: Path, environ: Mapping[str, str], code: int) -> tuple[float, str]:
    """The seconds until a command has ended with this exit code, and what it printed."""
    began = time.perf_counter()
    with subprocess.Popen(
        argv, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as started:
        output = started.communicate()[0].decode(errors="replace")
    seconds = time.perf_counter() - began
    assert started.returncode == code, output[-2000:]
    return seconds, output


def size_rows(home: Path, port: int, _runs: int) -> list[Row]:
    """What a failure takes in Redis, its share of the indexes included."""
    sample = Sample(home / "size", port, 0)
    progress(f"size: {FAILED:,} failures")
    with sample.failed(FAILED):
        indexes = sum(map(sample.memory, INDEXES)) / FAILED
        records = [sample.memory(RECORD.encode() + key) + indexes for key in sample.results.zrange(RECORDS, 0, -1)]
        results = [sample.memory(key) for key in sample.results.scan_iter(f"{RESULT}*")]
    progress("")
    size = statistics.median(records)
    ratio = size / statistics.median(results)
    ours, theirs = spread(records, "bytes", 0), spread(results, "bytes", 0)
    kept = max(records) <= PROMISED_BYTES
    what, promise = "a failure of divide(1, 0) in Redis; its stored result", f"<= {PROMISED_BYTES} bytes"
    return [Row(what, ours, theirs, f"{ratio:.1f} x", promise, kept)]


BENCHMARKS: Mapping[str, Callable[[Path, int, int], list[Row]]] = {
    "tasks": task_rows,
    "failures": failure_rows,
    "replay": replay_rows,
    "size": size_rows,
}


def measured_alone(name: str, runs: int) -> list[Row]:
    """With a Redis of its own, so that nothing of another benchmark is in it."""
    with temporary_folder() as home, redis_server(home) as port:
        return BENCHMARKS[name](home, port, runs)


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
    return report([row for name in asked.names or BENCHMARKS for row in measured_alone(name, asked.runs)])


if __name__ == "__main__":
    sys.exit(main())
