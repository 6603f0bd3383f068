"""The debugger's port: who gets in, what is taken from whom, and that nothing else happens."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from devkit.agent.debugger import listener as module
from devkit.agent.debugger.listener import Item, Listener
from devkit.agent.debugger.telnet import LONGEST_LINE
from tests.unit.agent.debugger.far_end import DEADLINE_S, FarEnd, message
from tests.unit.waiting import wait_for

TOKEN = "0123"  # noqa: S105 - of a session that ends with the test
REFUSED = "this is another session's token; devkit debug --list"
Make = Callable[[], Listener]


@pytest.fixture
def interrupts() -> list[str]:
    """The names of the threads in which a Ctrl-C was told."""
    return []


@pytest.fixture
def make(interrupts: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes listeners; silence lasts for ever unless the test says otherwise."""
    monkeypatch.setattr(module, "SILENCE_S", 3600.0)
    with ExitStack() as stack:

        def make() -> Listener:
            made = Listener(
                TOKEN, 0, lambda: {"id": "a-task"}, lambda: interrupts.append(threading.current_thread().name)
            )
            stack.callback(made.forget)  # in case that its thread has failed
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def listener(make: Make) -> Listener:
    return make()


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    """It is over at once: whoever connects is a human with telnet."""
    monkeypatch.setattr(module, "SILENCE_S", 0.0)


def next_item(listener: Listener) -> tuple[str, Any]:
    item = listener.items.get(timeout=DEADLINE_S)
    return item.kind, item.data


def none_left(listener: Listener) -> bool:
    try:
        item: Item = listener.items.get_nowait()
    except Empty:
        return True
    raise AssertionError(item)


def come_in(listener: Listener, **more: Any) -> FarEnd:
    """devkit's client, attached."""
    far = FarEnd(listener.port)
    far.tell("hello", token=TOKEN, **more)
    assert far.heard("welcome") == {"session": {"id": "a-task"}}
    assert next_item(listener) == ("attached", None)
    return far


def by_hand(listener: Listener) -> FarEnd:
    """A human with telnet, attached."""
    far = FarEnd(listener.port)
    assert next_item(listener) == ("attached", None)
    return far


def test_it_listens_on_loopback_only(listener: Listener) -> None:
    assert listener._server.getsockname() == ("127.0.0.1", listener.port)


def test_it_takes_the_next_port_that_is_free(make: Make) -> None:
    first = make()
    other = Listener(TOKEN, first.port, dict, lambda: None)
    other.close()

    assert first.port < other.port < first.port + module.PORTS_TRIED


@pytest.mark.parametrize("port", [65535, 65536, 70000])
def test_where_no_port_is_free(port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(OSError):  # noqa: PT011 - the words are the system's
            Listener(TOKEN, port, dict, lambda: None)


def test_a_hello_with_the_token_is_welcome(listener: Listener) -> None:
    with come_in(listener, columns=120):
        assert listener.client
        assert (listener.client.by_hand, listener.client.columns) == (False, 120)


def test_a_hello_may_come_byte_by_byte(listener: Listener) -> None:
    with FarEnd(listener.port) as far:
        far.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in message("hello", token=TOKEN):
            far.send(bytes((byte,)))
        assert far.heard("welcome") == {"session": {"id": "a-task"}}


def test_options_may_be_agreed_on_before(listener: Listener) -> None:
    with FarEnd(listener.port) as far:
        far.send(b"\xff\xfd\xc9" + b"\xff\xfd\x01" + message("hello", token=TOKEN))
        assert far.read(b"\x01") == b"\xff\xfb\xc9\xff\xfc\x01"
        assert far.heard("welcome")


@pytest.mark.parametrize("token", ["", "012", "01234", 123, None, [], {}, True, "ÿ", "\0"])
def test_other_tokens_are_refused(listener: Listener, token: object) -> None:
    with FarEnd(listener.port) as far:
        far.tell("hello", token=token)
        assert far.heard("refused") == {"why": REFUSED}
        assert far.rest() == b""

    with FarEnd(listener.port) as far:
        far.tell("hello")
        assert far.heard("refused") == {"why": REFUSED}
    assert none_left(listener)
    come_in(listener).socket.close()


@pytest.mark.parametrize(
    "said",
    [
        b"p x\r\n",
        b"x",
        b"\n",
        b"\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nimport os",
        b"POST / HTTP/1.1\r\n\r\n" + message("hello", token=TOKEN) + message("command", text="import os"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\xff\xf4",
        b"\xff\xec",
        message("command", text="import os"),
        message("eof") + message("hello", token=TOKEN),
        message("hello", token="") + message("hello", token=TOKEN),
    ],
)
def test_whoever_says_something_else_first_is_cut_off(listener: Listener, interrupts: list[str], said: bytes) -> None:
    with FarEnd(listener.port) as far:
        far.send(said)
        rest = far.rest()

    assert rest.startswith(b"\xff\xfa\xc9devkit.refused ") if said.startswith(message("hello", token="")) else not rest
    assert none_left(listener)
    assert interrupts == []
    assert listener.client is None
    come_in(listener).socket.close()


@pytest.mark.parametrize(
    "said",
    [
        message("reply", x=1),
        b'\xff\xfa\xc9devkit.hello {"token": "\\ud800"}\xff\xf0',
        message("hello", token=TOKEN) + message("text", x=1),
    ],
)
def test_nothing_that_is_said_ends_the_listening(listener: Listener, said: bytes) -> None:
    with FarEnd(listener.port) as far, FarEnd(listener.port) as other:
        far.send(said)
        wait_for(lambda: len(listener._waiting) < 2 or not listener._thread.is_alive())
        other.socket.settimeout(2)
        other.tell("hello", token=TOKEN)
        assert other.read(b" ")


def test_what_devkits_client_wants(listener: Listener, interrupts: list[str]) -> None:
    with come_in(listener) as far:
        far.send(
            message("command", text="p 'ÿ'\nx = 1")
            + message("complete", id=7, text="p x")
            + message("columns", columns=100)
            + message("unknown", text="x")
            + message("hello", token=TOKEN)
            + message("command")
            + message("command", text=None)
            + b"\xff\xf4"
            + message("eof")
        )
        assert [next_item(listener) for _ in range(5)] == [
            ("line", "p 'ÿ'\nx = 1"),
            ("complete", {"id": 7, "text": "p x"}),
            ("line", ""),
            ("line", "None"),
            ("eof", {}),
        ]
        assert interrupts == [f"debugger on port {listener.port}"]
        assert listener.client
        assert listener.client.columns == 100


@pytest.mark.parametrize(
    ("columns", "taken"),
    [(120, 120), (-5, 20), (0, 20), (10**30, 1000), (None, 80), ("120", 80), (1.5, 80), ([], 80)],
)
def test_widths_that_make_no_sense(listener: Listener, columns: object, taken: int) -> None:
    with come_in(listener, columns=columns):
        assert listener.client
        assert listener.client.columns == taken


def test_only_one_is_let_in(listener: Listener) -> None:
    with come_in(listener) as first:
        for _ in range(2):
            with FarEnd(listener.port) as other:
                other.tell("hello", token=TOKEN)
                assert other.heard("refused")["why"].startswith("somebody is attached already, by devkit debug, for ")
                assert other.rest() == b""
        first.tell("command", text="p x")
        assert next_item(listener) == ("line", "p x")

    wait_for(lambda: listener.client is None)
    come_in(listener).socket.close()


def test_of_many_at_once_one_gets_in(listener: Listener) -> None:
    with ExitStack() as stack:
        many = [stack.enter_context(FarEnd(listener.port)) for _ in range(10)]
        for far in many:
            far.tell("hello", token=TOKEN)
        answers = [far.read(b" ") for far in many]

    assert sorted(answers) == [b"\xff\xfa\xc9devkit.refused "] * 9 + [b"\xff\xfa\xc9devkit.welcome "]


def test_only_so_many_may_wait(listener: Listener) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(FarEnd(listener.port)) for _ in range(module.MOST_WAITING)]
        wait_for(lambda: len(listener._waiting) == module.MOST_WAITING)
        with FarEnd(listener.port) as one_more:
            assert one_more.rest() == b""
        waiting[3].socket.close()
        wait_for(lambda: len(listener._waiting) == module.MOST_WAITING - 1)
        come_in(listener).socket.close()


# --- a human with telnet ---


@pytest.mark.usefixtures("silence")
def test_whoever_stays_silent_is_let_in(listener: Listener) -> None:
    with by_hand(listener) as far:
        assert listener.client
        assert listener.client.by_hand
        with FarEnd(listener.port) as other:
            assert other.rest().startswith(b"somebody is attached already, by telnet, for 0 s\r\n")
        far.send(b"p x\r\n")
        assert next_item(listener) == ("line", "p x")


LINES = [
    (b"p x\r\n", ["p x"]),
    (b"p x\n", ["p x"]),
    (b"p x\r\0", ["p x"]),
    (b"one\r\ntwo\r\0three\n\r\n", ["one", "two", "three", ""]),
    ("p 'zwei ü €'\r\n".encode(), ["p 'zwei ü €'"]),
    (b"a\xfe\x80b\r\n", ["a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"]),
    (b"a\0b\r\n", ["ab"]),
    (b"  indented  \r\n", ["  indented  "]),
    (b"x" * LONGEST_LINE + b"\n", ["x" * LONGEST_LINE]),
]


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("size", [1, 3, 1 << 16])
def test_lines_by_hand(listener: Listener, size: int) -> None:
    with by_hand(listener):
        assert listener.client
        for data, lines in LINES:
            if len(data) > 1000 * size:
                continue
            for start in range(0, len(data), size):  # as the socket would cut it, but for certain
                listener._take_text(listener.client, data[start : start + size])
            assert [next_item(listener) for _ in lines] == [("line", line) for line in lines]
            assert none_left(listener)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("end", [b"", b"\r\np x\r\n"])
def test_a_line_that_is_too_long_ends_the_connection(listener: Listener, end: bytes) -> None:
    with by_hand(listener) as far:
        far.send(b"x" * (LONGEST_LINE + 1) + end)
        assert far.rest() == f"*** a line of more than {LONGEST_LINE} bytes\r\n".encode()
        assert none_left(listener)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("data", [b"\x04", b"\x04\r\n", b"\xff\xec"])
def test_ctrl_d_by_hand(listener: Listener, data: bytes) -> None:
    with by_hand(listener) as far:
        far.send(data)
        assert next_item(listener) == ("eof", None)
        assert none_left(listener)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("data", [b"\x03", b"\xff\xf4", b"\xff\xf4\xff\xfd\x06", b"\xff\xf3"])
def test_ctrl_c_by_hand(listener: Listener, interrupts: list[str], data: bytes) -> None:
    with by_hand(listener) as far:
        far.send(b"p " + data + b"x\r\n")
        assert next_item(listener) == ("line", "p x")
        assert len(interrupts) == 1
        assert not data.endswith(b"\x06") or far.read(b"\x06") == b"\xff\xfb\x06"


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("data", [
    b"POST / HTTP/1.1\r\nimport os\r\n",
    b"\x16\x03\x01\0\n\nimport os\r\n",
])  # fmt: skip
def test_a_browser_that_waited_runs_nothing(listener: Listener, data: bytes) -> None:
    with by_hand(listener) as far:
        far.socket.settimeout(2)
        far.send(data)
        assert far.rest() == b""
        assert none_left(listener)


@pytest.mark.usefixtures("silence")
def test_a_human_may_write_about_http(listener: Listener) -> None:
    with by_hand(listener) as far:
        far.send(b"p head == 'GET / HTTP/1.1'\r\nend\r\n")
        wait_for(lambda: not listener.items.empty() or listener.client is None)
        assert listener.client
        assert next_item(listener) == ("line", "p head == 'GET / HTTP/1.1'")


# --- how it ends ---


def test_last_words_arrive_and_the_next_one_gets_in(listener: Listener) -> None:
    with come_in(listener) as far:
        client = listener.client
        assert client
        far.tell("command", text="p x")
        assert next_item(listener) == ("line", "p x")
        listener.detach(client, b"bye")
        assert far.rest() == b"bye"
        assert not client.send(b"too late")
    come_in(listener).socket.close()


def test_a_client_that_does_not_read_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_S", 0.2)
    listener = make()
    with come_in(listener):
        client = listener.client
        assert client
        sent = 0
        while client.send(b"x" * 1_000_000):
            sent += 1
            assert sent < 100
        wait_for(lambda: listener.client is None)
        assert not client.send(b"x")
    come_in(listener).socket.close()


def test_closing_ends_all_connections(listener: Listener) -> None:
    with come_in(listener) as attached, FarEnd(listener.port) as waiting:
        wait_for(lambda: listener._waiting)
        listener.close()
        assert attached.rest() == waiting.rest() == b""
        assert not listener._thread.is_alive()
        assert listener.client is None
        with pytest.raises(ConnectionRefusedError):
            FarEnd(listener.port)
    listener.close()


# Forks, and starts a program, while a client is attached and another one waits.
FORKS = """
import contextlib, os, subprocess, sys
from devkit.agent.debugger import listener as module
module.SILENCE_S = 3600
from tests.unit.agent.debugger.far_end import FarEnd

listener = module.Listener("t", 0, dict, lambda: None)
attached, waiting = FarEnd(listener.port), FarEnd(listener.port)
attached.tell("hello", token="t")
attached.heard("welcome")
while not listener._waiting:
    pass
ours = {attached.socket.fileno(), waiting.socket.fileno()}

def sockets():
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that listed the folder
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                yield int(name)

if (child := os.fork()) == 0:
    left = [fd for fd in sockets() if fd not in ours]
    os.write(1, f"left {left}\\nattached {listener.client}\\n".encode())
    try:
        listener.close()
    finally:
        os._exit(0)
os.waitpid(child, 0)
sys.stdout.flush()
program = "import os; print('program', [fd for fd in map(int, os.listdir('/proc/self/fd')) if 3 < fd in {sockets}])"
subprocess.run([sys.executable, "-c", program.replace("{sockets}", str([*sockets()]))], close_fds=False, check=True)
attached.tell("command", text="p x")
while (item := listener.items.get()).kind != "line":
    pass
print("still", item.data, flush=True)
waiting.tell("hello", token="t")
print("refused", waiting.heard("refused")["why"][:8], flush=True)
listener.close()
print("rest", attached.rest(), flush=True)
"""


@pytest.fixture(scope="module")
def forked() -> dict[str, str]:
    """What that tells, by each line's first word."""
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    root = Path(__file__).parents[4]
    told = subprocess.run(
        [sys.executable, "-c", FORKS],
        stdout=subprocess.PIPE, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
    ).stdout  # fmt: skip
    return dict(line.split(" ", 1) for line in told.splitlines())


def test_a_forked_child_has_nothing_of_it_and_disturbs_nobody(forked: dict[str, str]) -> None:
    assert forked["left"] == "[]"
    assert forked["program"] == "[]"
    assert forked["still"] == "p x"
    assert forked["refused"] == "somebody"
    assert forked["rest"] == "b''"


def test_in_a_forked_child_nobody_is_attached(forked: dict[str, str]) -> None:
    assert forked["attached"] == "None"
