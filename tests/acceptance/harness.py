"""devkit as its users run it: in a project's folder, as a process of its own, on a pipe or on a terminal."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import termios
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import httpx
import psutil
import pytest

import devkit

T = TypeVar("T")
Json = dict[str, Any]

REPOSITORY = Path(__file__).parents[2]
PYTHON = sys.executable
DEVKIT = str(Path(PYTHON).with_name("devkit"))
DEADLINE_S = 30.0  # generous: only what is broken ever waits that long
POLL_S = 0.02
SHOWN = 4000  # characters of output that a failed test shows
# Nobody listens there, so that an app's own broker does not answer and devkit embeds a Redis; at an address at which it
# does not embed one.
DEAD_REDIS = "redis://127.0.0.2:1"
# Of the environment of whoever runs the tests, only what devkit cannot do without.
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR")
# A frame of devkit's own code in what it shows: a user's mistake must never end in one.
OWN_FRAME = f'File "{Path(devkit.__file__).parent}'


def wait_until(condition: Callable[[], T | None], timeout: float = DEADLINE_S, why: Callable[[], object] = str) -> T:
    """Ask until the answer is true, and return it; `why` tells more about the wait that was in vain."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not so within {timeout:g} s\n{str(why())[-SHOWN:]}")
        time.sleep(POLL_S)
    return answer


@dataclass(frozen=True)
class Done:
    """What a command that ended left."""

    code: int
    out: str
    err: str

    def expect(self, code: int) -> "Done":
        """The same, if it ended with this exit code."""
        assert self.code == code, f"exit code {self.code}, not {code}\n{self.out[-SHOWN:]}\n{self.err[-SHOWN:]}"
        return self

    def json(self) -> Any:
        return json.loads(self.out)


class Output:
    """All that comes out of a file descriptor, gathered by a thread until its end."""

    def __init__(self, fd: int) -> None:
        self.data = bytearray()
        self._fd = fd
        self._thread = Thread(target=self._gather, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")

    def at_end(self, timeout: float = 0.0) -> bool:
        """Whether all is gathered: the end comes when every process that may write has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        self.at_end(DEADLINE_S)
        os.close(self._fd)

    def _gather(self) -> None:
        with suppress(OSError):  # EIO: a terminal's other side is gone
            while chunk := os.read(self._fd, 1 << 16):
                self.data += chunk


class Foreground:
    """A command that goes on running, its output on pipes, or all of it on a terminal of its own."""

    def __init__(self, argv: list[str], *, cwd: Path, env: Mapping[str, str], terminal: bool) -> None:
        self._keyboard: int | None = None
        if terminal:
            screen, side = os.openpty()
            termios.tcsetwinsize(side, (50, 250))
            self._keyboard = os.dup(screen)
            self._outputs = [Output(screen)]
            sides = (side, side, side)
            argv = ["setsid", "--ctty", *argv]  # the terminal's Ctrl-C is to reach the command
        else:
            (out, out_side), (err, err_side) = os.pipe(), os.pipe()
            self._outputs = [Output(out), Output(err)]
            sides = (os.open(os.devnull, os.O_RDONLY), out_side, err_side)
        self._process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=sides[0], stdout=sides[1], stderr=sides[2])
        for fd in set(sides):
            os.close(fd)
        self.pid = self._process.pid

    @property
    def out(self) -> str:
        return self._outputs[0].text

    @property
    def err(self) -> str:
        """What was written to standard error; on a terminal the two are one."""
        return self._outputs[-1].text

    def ends_with(self, text: str) -> bool:
        """Whether its standard output does; quicker than `out`, which may be long."""
        return self._outputs[0].data.endswith(text.encode())

    @property
    def shown(self) -> str:
        """The end of both, for the message of a test that fails."""
        return "\n".join(output.text[-SHOWN:] for output in self._outputs)

    def wait_for(self, pattern: str, timeout: float = DEADLINE_S) -> re.Match[str]:
        """Wait until its output, of either kind, matches."""

        def found() -> re.Match[str] | None:
            ended = all(output.at_end() for output in self._outputs)  # asked first, so that no last words are missed
            matches = (re.search(pattern, output.text, re.MULTILINE) for output in self._outputs)
            match = next(filter(None, matches), None)
            if match is None and ended:
                pytest.fail(f"ended without {pattern!r}\n{self.shown}")
            return match

        return wait_until(found, timeout, lambda: f"no {pattern!r}\n{self.shown}")

    def wait_for_all_ready(self) -> "Foreground":
        self.wait_for("all is ready")
        return self

    def press_ctrl_c(self) -> None:
        """As typed on its terminal; without one, the signal that a terminal would send."""
        if self._keyboard is None:
            self.signal(signal.SIGINT)
        else:
            os.write(self._keyboard, b"\x03")

    def signal(self, signum: int) -> None:
        self._process.send_signal(signum)

    def end(self, timeout: float = DEADLINE_S) -> int:
        """Wait for its end; returns the exit code."""
        try:
            code = self._process.wait(timeout)
            for output in self._outputs:
                output.at_end(timeout=2.0)
            return code
        except subprocess.TimeoutExpired:
            pytest.fail(f"still runs after {timeout:g} s\n{self.shown}")

    def close(self) -> None:
        """End it, in whatever way."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def release(self) -> None:
        """Close its pipes or its terminal; every process that may write there has to be gone."""
        for output in self._outputs:
            output.close()
        if self._keyboard is not None:
            os.close(self._keyboard)


class Project:
    """A project in a folder inside `folder`, whose name has a space, and with a runtime folder of its own."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self.root = folder / "a project"
        self.root.mkdir(parents=True)
        self.write(files)
        # Not under `folder`: a socket's path has at most 108 bytes.
        self._runtime = tempfile.mkdtemp(prefix="dk-", dir="/tmp")
        self.environ = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | {
            "XDG_RUNTIME_DIR": self._runtime,
            "CELERY_BROKER_URL": f"{DEAD_REDIS}/0",
            "CELERY_RESULT_BACKEND": f"{DEAD_REDIS}/1",
        }
        self._started: list[Foreground] = []

    def ask_for_ports(self) -> None:
        """Ports of its own, for a test in which one is free for a moment and no other stack may take it."""
        for service in ("REDIS", "API", "FLOWER"):
            self.environ[f"DEVKIT_{service}_PORT"] = str(free_port())

    def write(self, files: Mapping[str, str]) -> None:
        """Write files, each under its path in the project."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def devkit(self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] = {}) -> Done:
        """Run a command to its end; nothing that it shows may be a traceback of devkit's own."""
        done = self.run(DEVKIT, *arguments, cwd=cwd, env=env)
        assert OWN_FRAME not in done.out + done.err, done
        assert "devkit itself failed" not in done.err, done
        return done

    def run(self, *command: str, cwd: Path | None = None, env: Mapping[str, str] = {}) -> Done:
        """Run any command to its end, in the project's folder and environment."""
        ended = subprocess.run(
            command,
            cwd=cwd or self.root,
            env={**self.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Done(ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))

    def start(self, *arguments: str, terminal: bool = False, env: Mapping[str, str] = {}) -> Foreground:
        """Start a command that goes on running."""
        argv = [DEVKIT, *arguments]
        started = Foreground(argv, cwd=self.root, env={**self.environ, **env}, terminal=terminal)
        self._started.append(started)
        return started

    def started(self) -> list[Foreground]:
        """What `start` has started."""
        return self._started

    def up(self, *arguments: str) -> Done:
        """Start the stack in the background."""
        return self.devkit("up", "-d", *arguments).expect(0)

    def status(self) -> Json:
        """What `devkit status --json` prints, with or without a stack."""
        status: Json = self.devkit("status", "--json").json()
        return status

    def services(self) -> dict[str, Json]:
        """The running stack's services by name."""
        return {service["name"]: service for service in self.status()["services"]}

    def pids(self) -> dict[str, int]:
        return {name: service["pid"] for name, service in self.services().items()}

    def url(self, service: str) -> str:
        url = self.services()[service]["url"]
        assert isinstance(url, str)
        return url

    def wait_for_state(self, service: str, state: str) -> Json:
        """Wait until a service is in that state; returns its status."""

        def found() -> Json | None:
            current = self.services().get(service, {})
            return current if current.get("state") == state else None

        return wait_until(found, why=lambda: f"{service} not {state}: {self.status()}")

    def log(self, service: str) -> str:
        """What a service has printed so far, in the file that devkit keeps, without its time stamps."""
        path = self.root / ".devkit" / "logs" / f"{service}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return re.sub(r"^\S+Z ", "", text, flags=re.MULTILINE)

    def wait_for_log(self, service: str, pattern: str) -> None:
        wait_until(lambda: re.search(pattern, self.log(service)), why=lambda: f"{pattern!r}: {self.log(service)}")

    def processes(self) -> dict[int, str]:
        """Every process of this project: devkit's, the services', and what they started."""
        found = {}
        for process in psutil.process_iter(["environ", "cwd", "cmdline"]):
            environ, folder = process.info["environ"] or {}, process.info["cwd"] or ""
            # Redis writes its title over its environment, but works in its own folder.
            if environ.get("XDG_RUNTIME_DIR") == self.environ["XDG_RUNTIME_DIR"] or self._is_ours(folder):
                found[process.pid] = " ".join(process.info["cmdline"] or [])
        return found

    def wait_until_gone(self, timeout: float = 5.0) -> None:
        """Nothing is left of it; devkit itself ends a moment after `down` says so."""
        wait_until(lambda: not self.processes(), timeout, self.processes)

    def close(self) -> None:
        """Stop what runs, and fail when anything outlives that."""
        for started in self._started:
            started.close()
        try:
            if self.processes():
                self.devkit("down").expect(0)
            self.wait_until_gone()
        finally:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for started in self._started:
                started.release()
            shutil.rmtree(self._runtime)

    def _is_ours(self, folder: str) -> bool:
        return f"{folder}/".startswith(f"{self._folder}/")


def environment(folder: Path, *packages: str) -> Path:
    """A virtual environment in `folder`, in which those folders of packages can be imported; its interpreter."""
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (site / "packages.pth").write_text("".join(f"{path}\n" for path in packages))
    return folder / "bin" / "python"


def copy_of_sample_app() -> dict[str, str]:
    """The sample app's files, for a `Project`."""
    return {f"sample_app/{path.name}": path.read_text() for path in (REPOSITORY / "sample_app").glob("*.py")}


# The smallest project that devkit can run: a Celery app and no API.
SMALL_APP = {
    "tasks.py": """
import time

from celery import Celery

app = Celery("small")


@app.task
def add(x, y):
    return x + y


@app.task
def rest(seconds):
    time.sleep(seconds)
    return "rested"
"""
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """A Redis that is none of devkit's; yields its URL."""
    port = free_port()
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    assert server
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: not is_free(port))
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def fetch(method: str, url: str, body: object = None) -> httpx.Response:
    """One request, through no proxy."""
    with httpx.Client(trust_env=False, timeout=DEADLINE_S) as client:
        return client.request(method, url, json=body).raise_for_status()


def task_through_api(api: str, path: str, **body: object) -> Json:
    """Send a task through the sample app's API; returns its status once it is done."""
    status_url = fetch("POST", api + path, body).json()["status_url"]

    def done() -> Json | None:
        status: Json = fetch("GET", api + status_url).json()
        return status if status["state"] in {"SUCCESS", "FAILURE"} else None

    return wait_until(done, why=lambda: fetch("GET", api + status_url).text)


def tasks_in_flower(flower: str) -> dict[str, Json]:
    """The rows of Flower's page /tasks by task id, from where that page itself gets them."""
    query = "draw=1&start=0&length=100&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name&search[value]="
    rows = fetch("GET", f"{flower}/tasks/datatable?{query}").json()["data"]
    return {row["uuid"]: row for row in rows}
