"""The sample application as its users run it: a real Redis, worker and API, each a process of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import Celery

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0  # generous: only a broken application ever waits that long
POLL_S = 0.02

Json = dict[str, Any]


class NotReadyError(Exception):
    """A process ended, or ran out of time, before it said that it was ready."""


@contextmanager
def running(command: list[str], log: Path, ready: str, **env: str) -> Iterator[re.Match[str]]:
    """Run a command while the block lasts; enter it once the log matches `ready`, and yield that match."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | env | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that its children can be ended with it
        )
    try:
        give_up = time.monotonic() + DEADLINE_S
        while (match := re.search(ready, log.read_text())) is None:
            if process.poll() is not None or time.monotonic() > give_up:
                raise NotReadyError(f"{command}\n{log.read_text()}")
            time.sleep(POLL_S)
        yield match
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk; yield its URL."""
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if server is None:
        pytest.skip("needs redis-server or valkey-server on PATH; on Debian: apt install redis-server")
    with ExitStack() as stack:
        for attempt in range(5):
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
            log = folder / f"redis-{attempt}.log"
            try:
                stack.enter_context(running([server, *options], log, "Ready to accept connections"))
            except NotReadyError as error:
                if "Address already in use" not in str(error):
                    raise
            else:
                yield f"redis://127.0.0.1:{port}"
                return
    raise NotReadyError("each free port was taken by others before Redis could use it")


def addresses(broker: str, backend: str) -> dict[str, str]:
    return {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": backend}


@contextmanager
def running_api(folder: Path, **env: str) -> Iterator[httpx.Client]:
    command = [sys.executable, "-m", "uvicorn", "sample_app.main:app", "--port", "0"]
    with (
        running(command, folder / "api.log", r"running on (http://[\d.]+:\d+)", **env) as ready,
        httpx.Client(base_url=ready[1], timeout=DEADLINE_S, trust_env=False) as client,  # through no proxy
    ):
        yield client


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The API, with a worker behind it."""
    folder = tmp_path_factory.mktemp("sample_app")
    env = addresses(broker=f"{redis_url}/0", backend=f"{redis_url}/1")
    options = ["--concurrency", "2", "--loglevel", "INFO"]
    options += ["--without-mingle", "--without-gossip"]  # starts a second sooner
    command = [sys.executable, "-m", "celery", "-A", "sample_app.celery_app", "worker", *options]
    with (
        running(command, folder / "worker.log", r"@\S+ ready\.", **env),
        running_api(folder, **env) as client,
    ):
        yield client


def send(api: httpx.Client, path: str, **body: object) -> str:
    """Send a task; return where its status is."""
    response = api.post(path, json=body)
    assert response.status_code == 202, response.text
    accepted = response.json()
    assert accepted["status_url"] == f"/tasks/{accepted['task_id']}"
    return str(accepted["status_url"])


def watch(api: httpx.Client, status_url: str) -> list[Json]:
    """Poll a task's status until the task is done; return each different status seen on the way."""
    seen: list[Json] = []
    give_up = time.monotonic() + DEADLINE_S
    while time.monotonic() < give_up:
        status = api.get(status_url).raise_for_status().json()
        if status not in seen[-1:]:
            seen.append(status)
        if status["state"] in {"SUCCESS", "FAILURE"}:
            return seen
        time.sleep(POLL_S)
    pytest.fail(f"{status_url} was not done after {DEADLINE_S} s: {seen}")


def final(api: httpx.Client, status_url: str) -> Json:
    status = watch(api, status_url)[-1]
    return {key: value for key, value in status.items() if key != "task_id"}


def success(result: object) -> Json:
    return {"state": "SUCCESS", "result": result, "error": None, "progress": None}


def failure(error: str) -> Json:
    return {"state": "FAILURE", "result": None, "error": error, "progress": None}


def test_a_task_returns_its_result(api: httpx.Client) -> None:
    assert final(api, send(api, "/divide", x=10, y=4)) == success(2.5)


def test_a_failed_task_shows_its_exception_and_no_result(api: httpx.Client) -> None:
    assert final(api, send(api, "/divide", x=10, y=0)) == failure("ZeroDivisionError: division by zero")


def test_a_slow_task_shows_its_progress(api: httpx.Client) -> None:
    statuses = watch(api, send(api, "/reports", pages=20, seconds_per_page=0.1))

    progress = [status["progress"] for status in statuses if status["state"] == "PROGRESS"]
    done = [step["done"] for step in progress]
    assert len(done) >= 2
    assert done == sorted(done)
    assert {step["total"] for step in progress} == {20}
    assert all(status["result"] is None for status in statuses[:-1])
    assert statuses[-1]["result"] == {"pages": 20}


def test_a_flaky_task_may_succeed(api: httpx.Client) -> None:
    quote = final(api, send(api, "/quotes", symbol="ACME", failure_chance=0))["result"]
    assert quote["symbol"] == "ACME"
    assert quote["price"] > 0


def test_a_flaky_task_retries_before_it_fails(api: httpx.Client, redis_url: str) -> None:
    status_url = send(api, "/quotes", symbol="ACME", failure_chance=1)

    assert final(api, status_url) == failure("QuoteUnavailableError: no answer for ACME")
    # The API does not tell how often it was tried, and the RETRY state may be too short to be seen.
    stored = Celery(backend=f"{redis_url}/1").AsyncResult(status_url.removeprefix("/tasks/"))
    assert stored.retries == 3


@pytest.mark.parametrize(
    ("numbers", "description"),
    [
        pytest.param([1, 2, 3], "1² + 2² + 3² = 14", id="several"),
        pytest.param([3], "3² = 9", id="a chord of one"),
    ],
)
def test_a_workflow_adds_up_the_squares(api: httpx.Client, numbers: list[int], description: str) -> None:
    assert final(api, send(api, "/workflows", numbers=numbers)) == success(description)


def test_a_failed_step_fails_the_workflow(api: httpx.Client) -> None:
    status = final(api, send(api, "/workflows", numbers=[1e200, 2]))
    assert status["state"] == "FAILURE"
    assert "OverflowError" in status["error"]


def test_an_unknown_task_is_pending(api: httpx.Client) -> None:
    assert api.get("/tasks/no-such-task").json()["state"] == "PENDING"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/divide", {"x": 1}),
        ("/divide", {"x": 1, "y": "many"}),
        ("/reports", {"pages": 0}),
        ("/quotes", {"symbol": "ACME", "failure_chance": 1.1}),
        ("/workflows", {"numbers": []}),
    ],
)
def test_invalid_input_is_refused(api: httpx.Client, path: str, body: Json) -> None:
    assert api.post(path, json=body).status_code == 422


def test_the_index_names_every_endpoint(api: httpx.Client) -> None:
    documented = {
        f"{method.upper()} {path}"
        for path, methods in api.get("/openapi.json").json()["paths"].items()
        for method in methods
    }
    assert documented - {"GET /"} <= api.get("/").json().keys()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that nobody listens on; held, so that nobody else comes to listen on it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.parametrize("dead_port", [refusing_port, silent_port])
def test_a_dead_broker_is_reported_soon(
    redis_url: str, tmp_path: Path, dead_port: Callable[[], AbstractContextManager[int]]
) -> None:
    with dead_port() as port:
        env = addresses(broker=f"redis://127.0.0.1:{port}/0", backend=f"{redis_url}/1")
        with running_api(tmp_path, **env) as api:
            for path, body in [("/divide", {"x": 10, "y": 4}), ("/workflows", {"numbers": [1, 2]})]:
                response = api.post(path, json=body, timeout=15)
                assert response.status_code == 503
                assert response.json()["detail"].startswith("Task not sent, Redis does not answer: ")


def test_a_dead_redis_is_reported_soon(tmp_path: Path) -> None:
    """Broker and result backend are one Redis for most, and celery asks the backend first."""
    with refusing_port() as port:
        env = addresses(broker=f"redis://127.0.0.1:{port}/0", backend=f"redis://127.0.0.1:{port}/1")
        with running_api(tmp_path, **env) as api:
            sent = api.post("/divide", json={"x": 10, "y": 4}, timeout=15)
            status = api.get("/tasks/any", timeout=15)
    assert (sent.status_code, status.status_code) == (503, 503)
    assert "Redis does not answer" in sent.json()["detail"]
    assert "result backend does not answer" in status.json()["detail"]
