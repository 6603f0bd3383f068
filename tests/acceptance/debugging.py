"""Tasks with breakpoints, and people who attach to them: by hand over telnet, and as devkit's client does."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery
from celery.result import AsyncResult
from redis import Redis

from tests.acceptance.harness import DEADLINE_S, Foreground, Json, Project, running_redis, wait_until

IAC, SB, SE, GMCP, INTERRUPT = 255, 250, 240, 201, 244
PROMPT = "(Pdb) "

# The lines count: the dialogues name them.
PROGRAM = """
import os, sys, threading, time
from celery import Celery
from celery.contrib import rdb
from celery.exceptions import SoftTimeLimitExceeded

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(task_track_started=True, worker_prefetch_multiplier=1)


@app.task
def divide(x, y):
    rdb.set_trace()
    result = x / y
    print("divided", result)
    return result


@app.task
def twice(x):
    breakpoint()
    x += 1
    breakpoint()
    x += 1
    return x


@app.task
def descend(depth):
    rdb.set_trace()
    if depth:
        return descend(depth - 1) + 1
    return 0


@app.task
def in_a_thread():
    found = []

    def work():
        breakpoint()
        found.append(threading.current_thread().name)

    thread = threading.Thread(target=work, name="helper")
    thread.start()
    thread.join()
    return found


@app.task(soft_time_limit=1, time_limit=3)
def limited():
    rdb.set_trace()
    return "in time"


@app.task(soft_time_limit=1)
def slow_after_all():
    rdb.set_trace()
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        return "out of time"


@app.task(autoretry_for=(Exception,), max_retries=3, retry_backoff=False, default_retry_delay=0)
def tries_again():
    rdb.set_trace()
    return "done"


@app.task
def sleeps(seconds):
    breakpoint()
    time.sleep(seconds)
    return "awake"


@app.task
def secret(name, password):
    breakpoint()
    return name
"""
# Tasks that know nothing of any debugger.
PLAIN = """
import os, time
from celery import Celery

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.task_track_started = True


@app.task
def counts(until):
    total = 0
    for n in range(until):
        total += n
        time.sleep(0.001)
    return total


def helper(y):
    y += 10
    return y / (y - 10)


@app.task
def fails(x):
    return helper(x)


@app.task(bind=True, autoretry_for=(OSError,), max_retries=2, default_retry_delay=0)
def flaky(self):
    raise OSError("not this time")
"""
LINE = {text.strip(): number for number, text in enumerate(PROGRAM.splitlines(), start=1)}


class Person:
    """Somebody attached to a paused task; `says` types a line and returns what is shown up to the next prompt."""

    def __init__(self, port: int, token: str = "", *, wait: bool = True) -> None:
        """With a token as devkit's client does, otherwise as `telnet` does."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._by_hand = not token
        self._data = b""
        self.messages: list[Json] = []
        self.over = False
        if token:
            self.tell("hello", token=token, columns=100)
        self.greeting = self.read() if wait else ""

    def tell(self, kind: str, **fields: Any) -> None:
        payload = f"devkit.{kind} {json.dumps(fields)}".encode()
        self._socket.sendall(bytes((IAC, SB, GMCP)) + payload + bytes((IAC, SE)))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def says(self, command: str) -> str:
        """Type a command; returns the text up to the next prompt, or the end."""
        if self._by_hand:
            self.send(command.encode() + b"\r\n")
        else:
            self.tell("command", text=command)
        return self.read()

    def interrupts(self) -> str:
        """Press Ctrl-C."""
        self.send(bytes((IAC, INTERRUPT)))
        return self.read()

    def position(self) -> tuple[int, str]:
        """The line and the function where the task stands, as last told."""
        last = next(message for message in reversed(self.messages) if message["kind"] == "stopped")
        return last["line"], last["function"]

    def told(self, kind: str) -> Json:
        """The last message of a kind."""
        return next(message for message in reversed(self.messages) if message["kind"] == kind)

    def hears(self, kind: str) -> Json:
        """Wait for a message of this kind."""
        while True:
            for message in self._take()[1]:
                if message["kind"] == kind:
                    return message
            assert self._more(), f"ended without {kind}"

    def read(self) -> str:
        """All text up to the next prompt, or the end."""
        text = ""
        while True:
            piece, messages = self._take()
            text += piece
            if any(message["kind"] == "prompt" for message in messages) or (self._by_hand and text.endswith(PROMPT)):
                return text.removesuffix(PROMPT)
            if not self._more():
                self.over = True
                return text

    def _more(self) -> bool:
        piece = self._socket.recv(65536)
        self._data += piece
        return bool(piece)

    def _take(self) -> tuple[str, list[Json]]:
        """What has arrived: its text, and its messages."""
        messages = []

        def kept(match: re.Match[bytes]) -> bytes:
            kind, _, fields = match[1].decode().partition(" ")
            messages.append({"kind": kind, **json.loads(fields)})
            return b""

        pattern = bytes((IAC, SB, GMCP)) + rb"devkit\.(.*?)" + bytes((IAC, SE))
        data = re.sub(pattern, kept, self._data, flags=re.DOTALL)
        whole, begun, rest = data.partition(bytes((IAC, SB)))
        self._data = begun + rest
        self.messages += messages
        return whole.decode().replace("\r\n", "\n"), messages

    def leaves(self) -> None:
        """Close the connection, as a client that is killed does."""
        self._socket.close()


class Debugging:
    """A project with a worker whose tasks pause (`PROGRAM`), and a client that sends them."""

    def __init__(self, project: Project, url: str) -> None:
        self.project = project
        project.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        project.write({"tasks.py": PROGRAM})
        self._client = Celery("client", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False)
        self._people: list[Person] = []
        self._sent: list[AsyncResult[Any]] = []
        self.broker = Redis.from_url(f"{url}/0")

    def start(self, *options: str) -> Foreground:
        """Start `devkit worker`, and wait until it is live."""
        worker = self.project.start("worker", *options)
        worker.wait_for("generation 1 is live")
        return worker

    def send(self, task: str, *args: object, **options: Any) -> "AsyncResult[Any]":
        result: AsyncResult[Any] = self._client.send_task(f"tasks.{task}", args, **options)
        self._sent.append(result)
        return result

    def sessions(self) -> list[Json]:
        """What is paused, from the files that the worker writes; the longest paused first."""
        folder = self.project.root / ".devkit" / "debug" / "sessions"
        found = []
        for path in folder.glob("*.json"):
            try:
                found.append(json.loads(path.read_text()))
            except FileNotFoundError:
                continue
        return sorted((one for one in found if one["state"] == "paused"), key=lambda one: one["since"])

    def paused(self, result: "AsyncResult[Any]", thread: str = "") -> Json:
        """Wait until the task is paused; returns its session."""

        def found() -> Json | None:
            one = [one for one in self.sessions() if one["task_id"] == result.id and one["thread"].startswith(thread)]
            return one[0] if one else None

        return wait_until(found, why=lambda: f"{result.id} not paused: {self.sessions()}")

    def attach(self, session: Json, *, by_hand: bool = False) -> Person:
        """Attach to a paused task."""
        person = Person(session["port"], "" if by_hand else session["token"])
        self._people.append(person)
        return person

    def close(self) -> None:
        for person in self._people:
            person.leaves()
        for result in self._sent:
            result.backend = None  # it would ask a Redis that is gone, whenever it is collected
        self._client.close()
        self.broker.close()


@contextmanager
def debugging(project: Project, folder: Path) -> Iterator[Debugging]:
    """The project with a Redis that runs as long."""
    with running_redis(folder) as url:
        made = Debugging(project, url)
        try:
            yield made
        finally:
            for started in project.started():
                started.close()
            made.close()
