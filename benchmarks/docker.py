"""The stack in containers against docker itself, and against the same without containers.

    prompt  from `devkit debug` to its prompt inside a container     docker exec -i WORKER python -c pass
    reload  from a save to the first result of the new code           the same worker without a container
    up      `devkit up --docker -d` with the image built              docker compose up -d --wait

Needs a docker engine with Compose v2. Everything runs in a copy of the repository, under a project name of its own.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import redis
from celery import Celery

from benchmarks._common import (
    DEVKIT,
    HOST,
    REPOSITORY,
    TIMEOUT_S,
    Ports,
    Row,
    clean_environ,
    interleaved,
    process,
    progress,
    report,
    spread,
    temporary_folder,
)
from benchmarks._debugging import Screen

COPIED = ("devkit", "sample_app", "pyproject.toml", "README.md", "LICENSE", "docker-compose.dev.yml", "Dockerfile.dev")
PROMISED_PROMPT = 2.0
PROMISED_RELOAD_S = 0.1
PROMISED_UP = 1.15
BUILD_S = 600.0
POLL_S = 0.002
RESEND_S = 0.05
# `pauses` tells when it came to its breakpoint; `version` which code it is.
MODULE = """
import time

from celery.contrib import rdb

from sample_app.celery_app import celery_app


@celery_app.task
def version():
    return {version}


@celery_app.task
def pauses(file):
    with open(file, "w") as at:
        at.write(repr(time.time()))
    rdb.set_trace()
    return "done"
"""


class Copy:
    """A copy of the repository with a module to reload, and a client of its tasks.

    In a container and beside it, the worker has the same Redis, whose port on this machine is `ports.redis`.
    """

    def __init__(self, folder: Path, ports: Ports, database: int) -> None:
        self.folder = folder
        self.version = 0
        folder.mkdir()
        for name in COPIED:
            source, ignored = REPOSITORY / name, shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy(source, folder / name)
        self.module = folder / "sample_app" / "measured.py"
        included = '"sample_app.tasks"'
        app = folder / "sample_app" / "celery_app.py"
        app.write_text(app.read_text().replace(included, f'{included}, "sample_app.measured"'))
        self.save()
        self.addresses = [f"redis://{HOST}:{ports.redis}/{number}" for number in (database, database + 1)]
        self.client = Celery(broker=self.addresses[0])
        self.results = redis.Redis.from_url(self.addresses[1])

    def save(self) -> float:
        """Write the next version; returns when."""
        self.version += 1
        self.module.write_text(MODULE.format(version=self.version) + "#" * (self.version % 50) + "\n")
        return time.monotonic()

    def reload(self) -> float:
        """Seconds from a save to the first result of the new code."""
        time.sleep(1)  # what was replaced is to be gone
        began = self.save()
        self.wait_for_version()
        return time.monotonic() - began

    def wait_for_version(self) -> None:
        """Send tasks until one tells the version saved last."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            key = f"celery-task-meta-{self.client.send_task('sample_app.measured.version').id}"
            until = time.monotonic() + RESEND_S
            while time.monotonic() < until:
                if found := self.results.get(key):
                    if json.loads(found)["result"] == self.version:
                        return
                    break
                time.sleep(POLL_S)
        raise TimeoutError("no result of the new code")

    def pause(self) -> str:
        """Have a task pause; returns the file in which it says when."""
        name = f".devkit/{uuid.uuid4().hex}.at"  # a folder in which the container's user may write
        self.client.send_task("sample_app.measured.pauses", [name])
        return name


class Stack:
    """The copy's stack in containers."""

    def __init__(self, copy: Copy, ports: Ports) -> None:
        self.copy = copy
        self.environ = {
            **clean_environ(),
            "XDG_RUNTIME_DIR": str(copy.folder / ".run"),
            "COMPOSE_PROJECT_NAME": f"benchmark-{os.getpid()}",
            "DEVKIT_PYTHON": sys.executable,
            "DEVKIT_REDIS_PORT": str(ports.redis),
            "DEVKIT_API_PORT": str(ports.api),
            "DEVKIT_FLOWER_PORT": str(ports.flower),
        }
        self._compose = ["docker", "compose", "-f", "docker-compose.dev.yml"]

    def run(self, *argv: str, timeout: float = TIMEOUT_S) -> str:
        """The output of a command in the copy. Raises CalledProcessError."""
        done = subprocess.run(
            argv, cwd=self.copy.folder, env=self.environ, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def running(self) -> Iterator[str]:
        """Up and, at the end, down; yields the worker's container."""
        try:
            self.run(DEVKIT, "up", "--docker", "-d", timeout=BUILD_S)
            yield self.run(*self._compose, "ps", "-q", "worker").strip()
        finally:
            self.close()

    def up(self, *argv: str) -> float:
        """Seconds that a command takes to start everything; it is down again afterwards."""
        began = time.monotonic()
        self.run(*argv)
        took = time.monotonic() - began
        self.close()
        return took

    def by_hand(self) -> float:
        """`docker compose up`, with the user that devkit would set."""
        return self.up("env", *self._user(), *self._compose, "up", "-d", "--wait")

    def close(self) -> None:
        self.run(*self._compose, "down", "-v", "-t", "5")

    def _user(self) -> list[str]:
        uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (1000, 1000)
        return [f"DEVKIT_UID={uid}", f"DEVKIT_GID={gid}"]


def prompt(stack: Stack, runs: int) -> list[Row]:
    """From exec to the prompt, where a task is paused already; and where devkit waits for it."""
    folder, environ = stack.copy.folder, stack.environ

    def typed() -> float:
        with closing(Screen(folder, environ, "debug", "pauses")) as screen:
            took = screen.shows(b"(Pdb)") - screen.began
            screen.type("detach")
        return took

    def waited() -> float:
        with closing(Screen(folder, environ, "debug", "pauses")) as screen:
            screen.shows(b"waiting")
            time.sleep(1)  # it has imported by then what it will need
            told = folder / stack.copy.pause()
            shown = screen.shows(b"(Pdb)") - time.monotonic() + time.time()
            took = shown - float(told.read_text())
            screen.type("c")
        return took

    with stack.running() as worker:
        stack.copy.wait_for_version()
        bare = partial(timed, ["docker", "exec", "-i", worker, "python", "-c", "pass"])
        waits = interleaved({"waits": waited, "exec": bare}, runs)
        told = folder / stack.copy.pause()
        wait_for(lambda: told.exists() and "pauses" in stack.run(DEVKIT, "debug", "--list"))
        paused = interleaved({"typed": typed, "exec": bare}, runs)
    return [
        row(
            "breakpoint until the prompt of a devkit debug that waits; docker exec",
            waits,
            "waits",
            "exec",
            PROMISED_PROMPT,
        ),
        row("devkit debug at a paused task until its prompt; docker exec", paused, "typed", "exec", PROMISED_PROMPT),
    ]


def reload(stack: Stack, runs: int, beside: Copy) -> list[Row]:
    """The same worker in the container and beside it."""
    with ExitStack() as running:
        running.enter_context(stack.running())
        names = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
        environ = {**stack.environ, **dict(zip(names, beside.addresses, strict=True))}
        running.enter_context(process([DEVKIT, "worker"], beside.folder, environ))
        for copy in (stack.copy, beside):
            copy.wait_for_version()
        times = interleaved({"container": stack.copy.reload, "local": beside.reload}, runs)
    apart = statistics.median(times["container"]) - statistics.median(times["local"])
    return [
        Row(
            "save until new code answers, in a container; beside it",
            spread(times["container"], digits=3),
            spread(times["local"], digits=3),
            f"{apart:+.3f} s",
            f"<= +{PROMISED_RELOAD_S} s",
            apart <= PROMISED_RELOAD_S,
        )
    ]


def up(stack: Stack, runs: int) -> list[Row]:
    """Until all is healthy."""
    times = interleaved({"devkit": lambda: stack.up(DEVKIT, "up", "--docker", "-d"), "compose": stack.by_hand}, runs)
    return [row("up --docker -d; docker compose up -d --wait", times, "devkit", "compose", PROMISED_UP)]


def row(what: str, times: Mapping[str, list[float]], ours: str, theirs: str, promise: float) -> Row:
    ratio = statistics.median(times[ours]) / statistics.median(times[theirs])
    ours_, theirs_ = (spread(times[name], digits=3) for name in (ours, theirs))
    return Row(what, ours_, theirs_, f"{ratio:.2f} x", f"<= {promise:.2f} x", ratio <= promise)


def timed(argv: Sequence[str]) -> float:
    """Seconds that a command takes."""
    began = time.monotonic()
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=TIMEOUT_S)
    return time.monotonic() - began


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def main() -> int:
    """Measure what was asked for, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parts = ("prompt", "reload", "up")
    parser.add_argument("parts", nargs="*", choices=[*parts, []], metavar="PART", help=f"{', '.join(parts)}; all")
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="repetitions of each (7)")
    asked = parser.parse_args()
    chosen = asked.parts or parts
    rows: list[Row] = []
    with temporary_folder() as home:
        home.chmod(0o755)
        ports = Ports.free()
        stack = Stack(Copy(home / "copy", ports, 0), ports)
        progress("building the image")
        with stack.running():
            pass
        if "prompt" in chosen:
            rows += prompt(stack, asked.runs)
        if "reload" in chosen:
            rows += reload(stack, asked.runs, Copy(home / "beside", ports, 2))
        if "up" in chosen:
            rows += up(stack, asked.runs)
        stack.run("docker", "rmi", f"{stack.environ['COMPOSE_PROJECT_NAME']}-dev")
    return report(rows)


if __name__ == "__main__":
    sys.exit(main())
