"""What may come to the port of a paused task: noise, browsers, clients that vanish or never read, other users.

After each the task ends as if nobody had come, and later breakpoints still work.
"""

import http.client
import json
import os
import random
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest
from celery.result import AsyncResult

from tests.acceptance.debugging import GMCP, IAC, INTERRUPT, PROGRAM, SB, SE, Debugging, Person, debugging
from tests.acceptance.dialogues import Terminal
from tests.acceptance.harness import DEADLINE_S, Json, Project, wait_until

POOLS = [pytest.param(["-c", "2"], id="prefork"), pytest.param(["-P", "threads", "-c", "2"], id="threads")]
# Where the pool makes no difference: what only the listening thread has to do with.
one_pool = pytest.mark.parametrize("worker", POOLS[:1], indirect=True)
SEQUENCES = 5_000  # for each of the pools
HOST = "127.0.0.1"
MEGABYTE = 1 << 20

# What is attacked; the last lines are for output while nobody reads.
ATTACKED = (
    PROGRAM
    + """

@app.task
def speaks(megabytes):
    breakpoint()
    for _ in range(megabytes):
        print("x" * (1 << 20))
    return "said"
"""
)


class Target:
    """A task that is paused, `divide(10, 4)`, and how one sees that it took no harm."""

    def __init__(self, worker: Debugging) -> None:
        self.worker = worker
        self.result: AsyncResult[Any] = worker.send("divide", 10, 4)
        self.session = worker.paused(self.result)
        self.port: int = self.session["port"]
        self.token: str = self.session["token"]

    def attach(self) -> Person:
        """As soon as whoever was there is known to be gone."""
        return attached(self.worker, self.session)

    def ends_unharmed(self) -> None:
        """The prompt answers, the task ends with its result, and a task after it pauses as ever."""
        person = self.attach()
        assert person.says("p x, y") == "(10, 4)\n"
        assert self.result.state == "STARTED"
        person.says("c")
        assert person.told("ended")["result"] == "2.5"
        assert self.result.get(timeout=DEADLINE_S) == 2.5
        later = self.worker.send("twice", 1)
        person = attached(self.worker, self.worker.paused(later))
        person.says("c")
        assert person.says("p x") == "2\n"
        person.says("c")
        assert later.get(timeout=DEADLINE_S) == 3


def attached(worker: Debugging, session: Json) -> Person:
    """Attach as devkit's client, as soon as whoever was there is known to be gone."""

    def alone() -> Person | None:
        person = worker.attach(session)
        return None if person.over else person

    return wait_until(alone, why=lambda: "refused again and again")


@pytest.fixture(params=POOLS)
def worker(
    request: pytest.FixtureRequest,
    empty: Project,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Debugging]:
    sent: list[AsyncResult[Any]] = []
    with debugging(empty, tmp_path_factory.mktemp("redis")) as made:
        send = made.send

        def send_and_keep(task: str, *args: object, **options: Any) -> AsyncResult[Any]:
            sent.append(send(task, *args, **options))
            return sent[-1]

        monkeypatch.setattr(made, "send", send_and_keep)
        made.project.write({"tasks.py": ATTACKED})
        made.start(*request.param)
        yield made
        for result in sent:  # a failed test keeps it, and at its end it would look for a Redis that is gone
            result.backend = None


@pytest.fixture
def target(worker: Debugging) -> Target:
    return Target(worker)


# Noise


class Noise:
    """Random sequences of bytes, the same in each run. Their text is comments for whoever executes it."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secrets
        self._kinds = [self._bytes, self._telnet, self._cut_message, self._broken_utf8, self._message]

    def sequence(self, *, http: bool = False) -> bytes:
        """A few pieces of any kind; what looks like HTTP ends the connection."""
        pieces = b"".join(self._random.choice(self._kinds)() for _ in range(self._random.randint(1, 4)))
        pieces += self._http() if http else b""
        # The end of a line is the beginning of the next command, whatever telnet takes out of the line.
        return pieces.replace(b"\r", b" ").replace(b"\n", b"\n#")

    def often(self, percent: float) -> bool:
        return self._random.random() * 100 < percent

    def _bytes(self) -> bytes:
        return self._random.randbytes(self._random.randint(1, 60))

    def _telnet(self) -> bytes:
        # Without 236, the end of the input, which ends the conversation.
        commands = [0, 239, 240, *range(237, 236 + 14), 244, 244]
        return b"".join(
            bytes((IAC, self._random.choice(commands), self._random.randrange(256)))
            for _ in range(self._random.randint(1, 8))
        )

    def _cut_message(self) -> bytes:
        whole = self._message()
        return whole[: self._random.randrange(len(whole))] + self._random.choice([b"", b"\n", bytes((IAC, SE))])

    def _broken_utf8(self) -> bytes:
        return (
            self._random.choice([b"\xc3(", b"\xe2\x82", b"\xf0\x9f", b"\xc0\x80", b"\0\0\0", b"\xed\xa0\x80"]) + b"\n"
        )

    def _http(self) -> bytes:
        return self._random.choice(
            [
                b"GET / HTTP/1.1\n\n",
                b"POST /q HTTP/1.1\nHost: x\n\nc\nq\n",
                b"\x16\x03\x01\x02\0",
                b"PRI * HTTP/2.0\n\nSM",
            ]
        )

    def _message(self) -> bytes:
        wrong: list[Any] = [
            None,
            True,
            -1,
            1.5,
            10**400,
            "",
            "\ud800",
            "\0",
            "x" * 3000,
            [],
            ["c"],
            {},
            {"text": ["c"]},
            [[[]]] * 9,
        ]
        kind = self._random.choice(
            [
                "hello",
                "complete",
                "columns",
                "command",
                "stopped",
                "text",
                "reply",
                "interrupt",
                "attached",
                "",
                "x" * 99,
            ]
        )
        # A command is a string, or made one: what is in a list, or is no name of a command, continues nothing.
        fields = {
            name: self._random.choice(wrong)
            for name in ("token", "columns", "text", "id", "start", "session")
            if self.often(60)
        }
        if self.often(20):
            return raw_message(kind, json.dumps(self._random.choice(wrong)))
        return message(kind, **fields)


def message(kind: str, **fields: Any) -> bytes:
    """One of the client's messages."""
    return raw_message(kind, json.dumps(fields))


def raw_message(kind: str, payload: str) -> bytes:
    """One whose content may be anything."""
    return bytes((IAC, SB, GMCP)) + f"devkit.{kind} {payload}".encode() + bytes((IAC, SE))


# Ends whatever was begun: an option, a message, a line; then asks for something.
SYNC = b"\0" + bytes((IAC, SE)) + b"\n"


class Attacker:
    """A connection that sends as much as it likes, and reads meanwhile."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=DEADLINE_S)
        self._socket.setblocking(False)
        # Closed at once, so that thousands of them leave nothing in the system's tables.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.heard = b""

    def exchange(self, data: bytes, until: bytes) -> bool:
        """Send it, and read until that was said; False if the other side has ended it before."""
        unsent = memoryview(data)
        with selectors.DefaultSelector() as selector:
            while until not in self.heard:
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0)
                selector.register(self._socket, wanted)
                ready = selector.select(DEADLINE_S)
                selector.unregister(self._socket)
                assert ready, f"no answer, the last that was said: {self.heard[-200:]!r}"
                try:
                    if ready[0][1] & selectors.EVENT_READ:
                        if not (piece := self._socket.recv(1 << 16)):
                            return False
                        self.heard = self.heard[-1000:] + piece
                    elif unsent:
                        unsent = unsent[self._socket.send(unsent) :]
                except BlockingIOError:
                    continue
                except ConnectionError:
                    return False
        return True

    def close(self) -> None:
        self._socket.close()


def test_ten_thousand_sequences_of_bytes(target: Target, request: pytest.FixtureRequest) -> None:
    """A fortieth of them before anybody is let in, then by telnet, then by a client with the right token."""
    noise = Noise(seed=request.node.name)
    sent = bursts = answered = 0
    while sent < SEQUENCES // 40:
        with closing(Attacker(target.port)) as stranger:
            sent += 1
            assert not stranger.exchange(noise.sequence(http=noise.often(30)) + SYNC + b"x\n", until=b"welcome")
            assert b"Pdb" not in stranger.heard
    while sent < SEQUENCES:
        with closing(Attacker(target.port)) as attacker:
            if noise.often(5):  # after some silence it passes for telnet by hand
                hello = b""
                assert attacker.exchange(b"", until=b"(Pdb) ") or b"somebody is attached" in attacker.heard
            else:
                hello = message("hello", token=target.token)
            burst = [b"#" + noise.sequence() for _ in range(50)]
            sent += len(burst)
            end = SYNC + message("complete", id="the end", text="di")
            answered += attacker.exchange(hello + b"\n".join(burst) + end, until=b'"id": "the end"')
            bursts += 1
    assert answered > bursts / 2  # it was not cut off at once

    target.ends_unharmed()


WRONG = {
    "a token that is no text": raw_message("hello", r'{"token": "\ud800"}'),
    "kinds that only devkit knows": b"".join(
        message(kind, data=1) for kind in ("reply", "text", "interrupt", "line", "attached", "notice")
    ),
    "a very large message": message("hello", token="x" * 3 * MEGABYTE),
    "deep nesting": raw_message("hello", '{"token":' + "[" * 200_000),
    "a command that negotiates for ever": bytes((IAC, 253, 6)) * 1000,
}


@one_pool
@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("welcome", [False, True], ids=["stranger", "client"])
def test_a_wrong_message(target: Target, data: bytes, welcome: bool) -> None:
    with closing(Attacker(target.port)) as attacker:
        hello = message("hello", token=target.token) if welcome else b""
        attacker.exchange(hello + data + SYNC + message("complete", id="the end", text="di"), until=b'"id": "the end"')

    target.ends_unharmed()


def test_a_completion_of_a_very_long_line(target: Target) -> None:
    """Pasted by mistake, say: neither this task nor others of the process may wait for it."""
    person = target.attach()
    for text in ("a" * 500_000 + " !", "a." * 100_000 + "!", "p " + "(" * 100_000):
        person.tell("complete", id=len(text), text=text)
        assert person.hears("completions")["id"] == len(text)
    person.leaves()

    target.ends_unharmed()


def test_ctrl_c_again_and_again(worker: Debugging) -> None:
    """At the prompt, while something is evaluated, and on the way from one to the other."""
    result = worker.send("divide", 10, 4)
    session = worker.paused(result)
    with closing(Attacker(session["port"])) as attacker:
        burst = b"".join(
            message("command", text=f"sum(range({number}))") + bytes((IAC, INTERRUPT)) * (number % 4)
            for number in range(1000)
        )
        end = message("complete", id="the end", text="di")
        attacker.exchange(message("hello", token=session["token"]) + burst + end, until=b'"id": "the end"')

    person = attached(worker, session)
    assert person.says("p x, y") == "(10, 4)\n"
    person.says("c")
    assert person.over, f"it stopped once more: {person.told('stopped')}"
    assert result.get(timeout=DEADLINE_S) == 2.5


# Browsers, and what speaks HTTP


def test_http_clients(target: Target) -> None:
    body = b"x = 0\nc\nq\n" * (MEGABYTE // 10)
    for method in ("POST", "PUT", "GET", "OPTIONS"):
        connection = http.client.HTTPConnection(HOST, target.port, timeout=DEADLINE_S)
        with closing(connection):
            with suppress(OSError):  # it may be cut off before all is sent
                connection.request(method, "/", body)
            with pytest.raises((http.client.HTTPException, OSError)):
                connection.getresponse()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises((urllib.error.URLError, http.client.HTTPException, OSError)):
        opener.open(f"http://{HOST}:{target.port}/?q", body, timeout=DEADLINE_S)

    target.ends_unharmed()


REQUESTS = {
    "POST": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    # What a page may choose, if its name was made to lead here.
    "a method that is a command": b"c / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address longer than a line may be": b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n",
}


@one_pool
@pytest.mark.parametrize("request_head", REQUESTS.values(), ids=REQUESTS)
def test_a_browser_that_connected_ahead(target: Target, request_head: bytes) -> None:
    """It was silent, as it is when it only expects to need the connection, and so passed for telnet by hand."""
    browser = target.worker.attach(target.session, by_hand=True)
    with suppress(ConnectionError):
        browser.send(request_head + b"x = 0\r\nc\r\nq\r\n")
        while browser.read():
            pass

    target.ends_unharmed()


PAGE = """<!doctype html><script>
const there = "http://127.0.0.1:%d/", text = "x = 0\\nc\\nq\\n".repeat(1000)
const post = (path) => fetch(there + path, {method: "POST", mode: "no-cors", body: text}).then(() => "", String)
const ahead = document.createElement("link")
ahead.rel = "preconnect"
ahead.href = there
document.head.append(ahead)
setTimeout(async () => {
  const failures = [await post("late"), await post("a".repeat(70000)), await post("at-once")]
  await fetch("/done", {method: "POST", body: JSON.stringify(failures)})
}, 1000)
</script>"""


@contextmanager
def page(text: str) -> Iterator[tuple[str, "SimpleQueue[Any]"]]:
    """Serves the page; yields its address, and what it posts to /done."""
    done: SimpleQueue[Any] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(text.encode())

        def do_POST(self) -> None:
            done.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def log_message(self, *_: object) -> None:
            """Nobody wants to read it."""

        def _answer(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/", done
        finally:
            server.shutdown()
            thread.join()


def test_a_page_in_a_browser(target: Target, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("needs a browser; on Debian: apt install chromium")
    with page(PAGE % target.port) as (address, done):
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", f"--user-data-dir={tmp_path}"]
        started = subprocess.Popen(
            [browser, *options, "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            failures = done.get(timeout=DEADLINE_S)
        finally:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    assert failures == ["TypeError: Failed to fetch"] * 3

    target.ends_unharmed()


# Clients that vanish


def connects(_: Person) -> None:
    """And is gone."""


def half_a_hello(person: Person) -> None:
    person.send(message("hello", token="x" * 32)[:20])


def says_hello(token: str) -> Callable[[Person], None]:
    return lambda person: person.tell("hello", token=token)


def test_a_client_that_vanishes_at_any_step_of_coming_in(target: Target) -> None:
    steps = [connects, half_a_hello, says_hello("0" * 32), says_hello(target.token)]
    for step in steps * 10:
        person = Person(target.port, wait=False)
        step(person)
        person.leaves()

    target.ends_unharmed()


COMMANDS = {
    "before its command is done": "sum(range(5_000_000))",
    "while it is asked": "input('name? ')",
    "amid output that it does not read": "p 'x' * 10_000_000",
    "amid lines of output": "for n in range(100_000): print(n)",
    "in a shell of its own": "interact",
    "after half of a command": "",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_client_that_vanishes(target: Target, command: str) -> None:
    person = target.attach()
    if command:
        person.tell("command", text=command)
    else:
        person.send(message("command", text="x = 0")[:-5])
    person.leaves()
    if command in ("interact", COMMANDS["while it is asked"]):  # the next one finds it as it is
        person = target.attach()
        person.tell("eof") if command == "interact" else person.tell("command", text="ann")
        person.read()
        person.leaves()

    target.ends_unharmed()


def test_a_client_that_vanishes_while_a_line_runs(worker: Debugging) -> None:
    result = worker.send("sleeps", 0.5)
    session = worker.paused(result)
    person = attached(worker, session)
    person.tell("command", text="n")
    person.hears("running")
    person.leaves()

    wait_until(lambda: worker.paused(result)["line"] == session["line"] + 1)
    person = attached(worker, worker.paused(result))
    assert person.says("p seconds") == "0.5\n"
    person.says("c")
    assert result.get(timeout=DEADLINE_S) == "awake"


def test_the_command_that_is_killed(target: Target) -> None:
    """kill -9, at its prompt, and amid what it shows."""
    for typed in ("", "[print(n, 'and on') for n in range(300_000)] and None"):
        terminal = Terminal(target.worker.project, "debug")
        terminal.expect(r"\(Pdb\)")
        if typed:
            terminal.type(typed)
            terminal.expect("9 and on")
        os.kill(child_of(terminal.pid), signal.SIGKILL)
        terminal.end()

    target.ends_unharmed()


def child_of(pid: int) -> int:
    """The command itself; setsid may have started it as its child, or become it."""
    import psutil

    return next((child.pid for child in psutil.Process(pid).children()), pid)


# Clients that are one too many, read nothing, or are somebody else's


def test_the_second_client_is_refused(target: Target) -> None:
    first = target.attach()
    second = target.worker.attach(target.session)
    by_hand = target.worker.attach(target.session, by_hand=True)

    assert second.over
    assert "somebody is attached already" in second.told("refused")["why"]
    assert "somebody is attached already" in by_hand.greeting
    assert first.says("p x / y") == "2.5\n"
    first.leaves()
    target.ends_unharmed()


def test_a_client_that_never_reads_is_let_go(target: Target) -> None:
    person = target.attach()
    person.tell("command", text="p 'x' * 50_000_000")

    target.ends_unharmed()  # while the connection is still there
    person.leaves()


def test_a_task_does_not_wait_for_a_client_that_never_reads(worker: Debugging) -> None:
    result = worker.send("speaks", 50)
    person = attached(worker, worker.paused(result))
    person.tell("command", text="c")

    assert result.get(timeout=DEADLINE_S) == "said"
    person.leaves()
    Target(worker).ends_unharmed()


def test_many_silent_connections_leave_room(target: Target) -> None:
    silent = [socket.create_connection((HOST, target.port), timeout=DEADLINE_S) for _ in range(40)]
    for connection in silent:
        connection.close()

    target.ends_unharmed()


STRANGER = """
import encodings.idna, os, socket, sys
os.setuid(int(sys.argv[1]))
connection = socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=20)
try:
    connection.sendall(bytes.fromhex(sys.argv[3]))
    print(connection.recv(100))
except ConnectionError:
    print(b"")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")
def test_another_user_is_refused(target: Target) -> None:
    """Even one who knows the token."""

    def heard(uid: int) -> str:
        greeting = message("hello", token=target.token).hex()
        stranger = subprocess.run(
            [sys.executable, "-c", STRANGER, str(uid), str(target.port), greeting],
            capture_output=True, text=True, timeout=DEADLINE_S, check=True,
        )  # fmt: skip
        return stranger.stdout

    assert heard(65534) == "b''\n"
    assert "devkit.welcome" in heard(0)
    target.ends_unharmed()
