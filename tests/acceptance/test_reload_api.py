"""An API that reloads: no connection is refused or reset."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.acceptance.harness import Foreground, Project, fetch, free_port, wait_until
from tests.acceptance.reloading import generations, wait_for_one_generation

API = """
import asyncio
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

app = FastAPI()
VERSION = 1


@app.get("/")
async def version() -> int:
    return VERSION


@app.get("/slow")
async def slow(seconds: float) -> int:
    await asyncio.sleep(seconds)
    return VERSION


@app.get("/stream")
async def stream(lines: int) -> StreamingResponse:
    async def produce():
        for number in range(lines):
            yield f"{VERSION} {number}\\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(produce())


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"{VERSION} {text}")
"""


class Api:
    """A project with an API, served by `devkit api`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        project.write({"main.py": API})

    def start(self, *options: str) -> Foreground:
        api = self.project.start("--debug", "api", "--port", str(self.port), *options)
        api.wait_for("generation 1 is live")
        api.wait_for("watching")
        return api

    def save(self, version: int) -> None:
        self.project.write({"main.py": API.replace("VERSION = 1", f"VERSION = {version}")})

    def version(self) -> int:
        return int(fetch("GET", self.url).text)

    def wait_for_version(self, version: int) -> None:
        wait_until(lambda: self.version() == version)


@pytest.fixture
def api(empty: Project) -> Api:
    return Api(empty)


def test_no_request_fails_while_it_reloads_again_and_again(api: Api) -> None:
    runner = api.start()
    over = threading.Event()
    answers: list[int] = []

    def ask(kept_alive: bool) -> None:
        client = httpx.Client(trust_env=False, timeout=10)
        while not over.is_set():
            answers.append(client.get(api.url).raise_for_status().json())
            if not kept_alive:
                client.close()
                client = httpx.Client(trust_env=False, timeout=10)
        client.close()

    with ThreadPoolExecutor() as threads:
        asking = [threads.submit(ask, kept_alive) for kept_alive in (True, True, False, False)]
        for version in range(2, 17):
            api.save(version)
            runner.wait_for(f"generation {version} is live")
        over.set()
        for each in asking:
            each.result()

    assert len(answers) > 100
    assert api.version() == 16
    wait_for_one_generation(runner.pid)
    runner.press_ctrl_c()
    assert runner.end() == 0


def test_what_was_asked_before_is_answered_by_the_code_of_then(api: Api) -> None:
    runner = api.start()
    with ThreadPoolExecutor() as threads, httpx.Client(trust_env=False) as client:
        slow = threads.submit(client.get, f"{api.url}/slow?seconds=2")
        wait_until(lambda: "GET" not in runner.out and api.version() == 1)

        api.save(2)
        runner.wait_for("generation 1 finishes 1 connection")
        assert api.version() == 2

        response = slow.result()
    assert (response.json(), response.headers["connection"]) == (1, "close")
    runner.wait_for("generation 1 is done")


def test_a_stream_goes_on_to_its_end(api: Api) -> None:
    api.start()
    with (
        httpx.Client(trust_env=False, timeout=10) as client,
        client.stream("GET", f"{api.url}/stream?lines=20") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == "1 0"
        api.save(2)
        api.wait_for_version(2)
        assert list(lines)[-1] == "1 19"


def test_a_stream_without_an_end_gets_a_limited_time(api: Api) -> None:
    api.project.environ["DEVKIT_API_DRAIN_TIMEOUT"] = "1"
    runner = api.start()
    with (
        httpx.Client(trust_env=False, timeout=20) as client,
        client.stream("GET", f"{api.url}/stream?lines=100000") as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        api.save(2)
        api.wait_for_version(2)
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)
    wait_for_one_generation(runner.pid)
    assert "generation 1 has not finished in 1 s; abandoned: 1 connection" in runner.err


def test_a_websocket_stays_open_for_a_limited_time(api: Api) -> None:
    websockets = pytest.importorskip("websockets.sync.client")
    api.project.environ["DEVKIT_API_DRAIN_TIMEOUT"] = "2"
    runner = api.start()
    with websockets.connect(f"ws://127.0.0.1:{api.port}/echo", proxy=None) as websocket:
        websocket.send("a")
        assert websocket.recv() == "1 a"
        api.save(2)
        runner.wait_for("generation 1 finishes 1 connection")
        websocket.send("b")
        assert websocket.recv() == "1 b"
        with pytest.raises(Exception, match="1012"):  # "service restart": browsers' clients connect again
            websocket.recv(timeout=15)
    wait_for_one_generation(runner.pid)


def test_code_that_does_not_import_changes_nothing(api: Api) -> None:
    runner = api.start()

    api.project.write({"main.py": API.replace("FastAPI()", "FastAPI(")})
    runner.wait_for("generation 1 stays live; the next save tries again")
    assert api.version() == 1

    api.save(2)
    api.wait_for_version(2)


def test_requests_wait_while_a_killed_generation_is_replaced(api: Api) -> None:
    runner = api.start()
    (first,) = generations(runner.pid)

    first.kill()

    assert api.version() == 1


def test_a_lifespan_that_fails_keeps_the_old_code(api: Api) -> None:
    runner = api.start()

    broken = "async def lifespan(app):\n    raise RuntimeError('no database')\n    yield\n\n"
    api.project.write({"main.py": API.replace("app = FastAPI()", f"{broken}app = FastAPI(lifespan=lifespan)")})

    runner.wait_for("before it was live")
    assert "no database" in runner.err + runner.out
    assert api.version() == 1


def test_a_port_that_is_taken_is_named_with_its_holder(api: Api) -> None:
    with socket.create_server(("127.0.0.1", api.port)):
        done = api.project.devkit("api", "--port", str(api.port))
    assert done.code == 1
    assert f"port {api.port}" in done.err
    assert "pid" in done.err


def test_the_socket_is_there_before_the_first_answer(api: Api) -> None:
    """Whoever is started together with it need not try again and again."""
    api.project.write({"main.py": "import time\ntime.sleep(1)\n" + API})
    started = api.project.start("api", "main:app", "--port", str(api.port), "--host", "127.0.0.1")
    started.wait_for(f"main:app on {api.url}")

    assert api.version() == 1
