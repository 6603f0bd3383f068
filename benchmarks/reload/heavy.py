"""A project whose libraries take long to import: from a save to the first result of the new code."""

import statistics
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

from benchmarks._common import Row, clean_environ, interleaved, interrupt, progress
from benchmarks.reload.commands import PREFORK, devkit_worker
from benchmarks.reload.rows import precise
from benchmarks.reload.sample import WORKER_MODULE, Lab

PROMISED_HEAVIER_S = 0.1
HEAVY_IMPORT_S = 1.0

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
