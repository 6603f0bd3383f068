"""A project of many files: how long until all of it is watched, and what that costs while nothing happens."""

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._common import Row, clean_environ, interleaved, progress
from benchmarks.footprint import IDLE_S, PROMISED_CORE_PERCENT, SETTLE_S, processor_time
from benchmarks.reload.commands import PREFORK, devkit_worker
from benchmarks.reload.rows import precise
from benchmarks.reload.sample import Lab

PROMISED_WATCHING_S = 0.3
PACKAGES, MODULES_EACH, NODE_FOLDERS, NODE_FILES_EACH = 250, 20, 2_500, 20

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
