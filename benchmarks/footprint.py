"""What devkit itself costs: the time of `devkit --help`, and the memory and processor time of an idle `devkit up`.

The floors: an interpreter that imports click, which every such command line needs, and one that only sleeps.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil

from benchmarks._common import (
    DEVKIT,
    Lines,
    Project,
    Row,
    asked_runs,
    clean_environ,
    interleaved,
    interrupt,
    process,
    progress,
    report,
    spread,
    temporary_folder,
)

PROMISED_HELP_RATIO = 2.5
PROMISED_MEGABYTES = 60
PROMISED_CORE_PERCENT = 0.5
SETTLE_S, IDLE_S = 3, 20


def wall_time(argv: Sequence[str]) -> float:
    """Seconds from exec to exit."""
    environ = clean_environ()
    began = time.perf_counter()
    subprocess.run(argv, env=environ, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def megabytes(measured: psutil.Process) -> float:
    """Resident memory, the shared pages included."""
    resident: int = measured.memory_info().rss
    return resident / 1e6


def processor_time(measured: psutil.Process) -> float:
    """Seconds of a core so far."""
    times = measured.cpu_times()
    return float(times.user + times.system)


def guard_of(stack: psutil.Process) -> psutil.Process:
    """The process that ends the services should devkit be killed."""
    return next(child for child in stack.children() if "devkit.stack.guard" in child.cmdline())


def idle_rows(home: Path) -> list[Row]:
    """A whole stack that has nothing to do, and beside it, at the same time, a process that has nothing to do."""
    progress(f"idle stack: {SETTLE_S + IDLE_S} s")
    sleeper = [sys.executable, "-c", "import time; time.sleep(3600)"]
    with (
        process(sleeper, home, clean_environ()) as sleeping,
        Project(home / "project").devkit("up") as stack,
    ):
        Lines(stack.stdout).first("service")
        devkit, floor = psutil.Process(stack.pid), psutil.Process(sleeping.pid)
        guard = guard_of(devkit)
        time.sleep(SETTLE_S)
        began = time.perf_counter()
        before = {measured: processor_time(measured) for measured in (devkit, guard, floor)}
        time.sleep(IDLE_S)
        elapsed = time.perf_counter() - began
        percent = {measured: 100 * (processor_time(measured) - used) / elapsed for measured, used in before.items()}
        size = {measured: megabytes(measured) for measured in before}
        interrupt(stack)
    progress("")
    busy = percent[devkit] + percent[guard]
    return [
        Row(
            "devkit up, resident memory",
            f"{size[devkit]:.1f} MB",
            f"{size[floor]:.1f} MB",
            f"{size[devkit] / size[floor]:.2f} x",
            f"<= {PROMISED_MEGABYTES} MB",
            size[devkit] <= PROMISED_MEGABYTES,
        ),
        Row(
            "its guard, resident memory",
            f"{size[guard]:.1f} MB",
            f"{size[floor]:.1f} MB",
            f"{size[guard] / size[floor]:.2f} x",
        ),
        Row(
            f"devkit up and its guard, idle for {IDLE_S} s",
            f"{busy:.2f} % of a core",
            f"{percent[floor]:.2f} % of a core",
            "",
            f"<= {PROMISED_CORE_PERCENT} %",
            busy <= PROMISED_CORE_PERCENT,
        ),
    ]


def help_row(runs: int) -> Row:
    """`devkit --help`: it may import what the command line needs, and nothing that a command needs."""
    times = interleaved(
        {
            "devkit --help": partial(wall_time, [DEVKIT, "--help"]),
            "import click": partial(wall_time, [sys.executable, "-c", "import click"]),
        },
        runs,
    )
    ours, floor = ([value * 1000 for value in values] for values in times.values())
    ratio = statistics.median(ours) / statistics.median(floor)
    return Row(
        "devkit --help; python -c 'import click'",
        spread(ours, "ms", 0),
        spread(floor, "ms", 0),
        f"{ratio:.2f} x",
        f"<= {PROMISED_HELP_RATIO} x",
        ratio <= PROMISED_HELP_RATIO,
    )


def main() -> int:
    """Measure, and print the table."""
    runs = asked_runs(__doc__, default=20)
    with temporary_folder() as home:
        return report([help_row(runs), *idle_rows(home)])


if __name__ == "__main__":
    sys.exit(main())
