"""What the benchmarks share: a project of their own, processes that surely end, medians, and the table."""

import argparse
import os
import queue
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import IO, NoReturn

import psutil
import redis

from devkit.services.stack.redis import find_redis_server

HOST = "127.0.0.1"
DEVKIT = str(Path(sys.executable).with_name("devkit"))
TIMEOUT_S = 60.0
POLL_S = 0.001
REPOSITORY = Path(__file__).parents[1]
CELERY_APP = "sample_app.celery_app:celery_app"
# What the person who runs a benchmark has set must not decide what is measured.
FOREIGN = ("CELERY_", "DEVKIT_", "FLOWER_", "FORCE_COLOR", "PYTHON", "UVICORN_")


@dataclass(frozen=True)
class Ports:
    """Ports that nobody uses; nothing will ever answer on `closed`."""

    redis: int
    api: int
    flower: int
    closed: int

    @classmethod
    def free(cls) -> "Ports":
        """All four at once, so that none is given out twice."""
        with ExitStack() as held:
            servers = [held.enter_context(socket.create_server((HOST, 0))) for _ in range(4)]
            return cls(*(server.getsockname()[1] for server in servers))


class Project:
    """A copy of sample_app in a folder of its own: a stack that runs in the repository is not disturbed."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        """`settings` is the text of its pyproject.toml."""
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "sample_app", folder / "sample_app", ignore=ignored)
        (folder / "pyproject.toml").write_text(settings)

    def environ(self, ports: Ports) -> dict[str, str]:
        """For devkit: the app's broker does not answer, wherever Redis runs on this machine, so devkit embeds one."""
        return {
            **clean_environ(),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "CELERY_BROKER_URL": f"redis://{HOST}:{ports.closed}/0",
            "CELERY_RESULT_BACKEND": f"redis://{HOST}:{ports.closed}/1",
            "DEVKIT_PYTHON": sys.executable,
            "DEVKIT_REDIS_PORT": str(ports.redis),
            "DEVKIT_API_PORT": str(ports.api),
            "DEVKIT_FLOWER_PORT": str(ports.flower),
        }

    def devkit(
        self, *arguments: str, stdout: int | IO[bytes] = subprocess.PIPE, stderr: int = subprocess.STDOUT
    ) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        """A devkit command that runs in this project, with ports that are free."""
        return process([DEVKIT, *arguments], self.folder, self.environ(Ports.free()), stdout=stdout, stderr=stderr)


def clean_environ() -> dict[str, str]:
    """This environment without what would change the programs that are measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is removed at the end, also when the benchmark is asked to stop."""

    def stop(_signum: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(143)

    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="devkit-benchmark-") as name:
        yield Path(name)


@contextmanager
def process(
    argv: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    *,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is gone on leaving, with all that it started.

    Its session is its own, so that a Ctrl-C reaches the benchmark alone, which then ends everything in order.
    """
    with subprocess.Popen(
        argv, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
    ) as started:
        try:
            yield started
        finally:
            end(started)


def end(started: "subprocess.Popen[bytes]", grace_s: float = 5.0) -> None:
    """SIGTERM, then SIGKILL, for a process and all its descendants, each by its id."""
    if started.poll() is not None:
        return
    # Asked before the first signal: orphans cannot be traced back to it.
    family = psutil.Process(started.pid).children(recursive=True)
    started.terminate()
    with suppress(subprocess.TimeoutExpired):
        started.wait(grace_s)
    started.kill()
    started.wait()
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=grace_s)


class Lines:
    """Reads a pipe to its end, so that its writer is never held up, and notes when each line came."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._read: list[str] = []
        self._arrived: queue.SimpleQueue[tuple[float, str]] = queue.SimpleQueue()
        Thread(target=self._follow, daemon=True).start()

    def first(self, start: str, timeout_s: float = TIMEOUT_S) -> tuple[float, str]:
        """When the next line came that starts so, indented or not, and the line. Raises LookupError without one."""
        deadline = time.perf_counter() + timeout_s
        with suppress(queue.Empty):
            while True:
                at, line = self._arrived.get(timeout=max(0.0, deadline - time.perf_counter()))
                if line.lstrip().startswith(start):
                    return at, line
                if not line:
                    break
        raise LookupError(f"no line starts with {start!r} in:\n{''.join(self._read[-30:])}")

    def _follow(self) -> None:
        with suppress(ValueError):  # closed while it was read
            for line in self._pipe:
                self._read.append(line.decode(errors="replace"))
                self._arrived.put((time.perf_counter(), self._read[-1]))
        self._arrived.put((time.perf_counter(), ""))


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


def interrupt(started: "subprocess.Popen[bytes]") -> float:
    """Ctrl-C, and wait until the stack has stopped as it should; returns the seconds it took."""
    began = time.perf_counter()
    started.send_signal(signal.SIGINT)
    try:
        code: int | None = started.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        code = None
    assert code == 0, f"Ctrl-C: exit code {code}" if code else f"no exit within {TIMEOUT_S:g} s of Ctrl-C"
    return time.perf_counter() - began


def interleaved(sides: Mapping[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """Each side's results: A B A B …, so that all see the same machine, after a first round that does not count."""
    results: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-1, runs):
        for name, measure in sides.items():
            progress(f"{name}: " + (f"run {number + 1} of {runs}" if number >= 0 else "warm-up"))
            value = measure()
            if number >= 0:
                results[name].append(value)
    progress("")
    return results


def progress(text: str) -> None:
    """What goes on, on a terminal only, in one line that is overwritten."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def spread(values: Sequence[float], unit: str = "s", digits: int = 2) -> str:
    """The median, and how far the runs lie apart."""
    median, least, most = (f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{median} {unit} ({least}-{most})"


@dataclass(frozen=True)
class Row:
    """One line of the table; without a promise (`kept` is None) it is there to compare."""

    what: str
    devkit: str
    peer: str = ""
    ratio: str = ""
    promise: str = ""
    kept: bool | None = None


def report(rows: Sequence[Row]) -> int:
    """Print the table; the exit code says whether all promises are kept."""
    words = {True: "yes", False: "NO", None: ""}
    cells = [("what", "devkit", "peer / floor", "ratio", "promise", "kept")]
    cells += [(row.what, row.devkit, row.peer, row.ratio, row.promise, words[row.kept]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return int(any(row.kept is False for row in rows))


def asked_runs(description: str | None, default: int) -> int:
    """The command line: --runs N."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=default, metavar="N", help=f"repetitions of each ({default})")
    runs: int = parser.parse_args().runs
    if runs < 1:
        parser.error("--runs has to be at least 1")
    return runs
