"""What a debugger reads and writes while clients come and go."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devkit.agent.debugger import listener as listening
from devkit.agent.debugger import stream as module
from devkit.agent.debugger.listener import Listener
from devkit.agent.debugger.stream import DebuggerStream, Released
from tests.unit.agent.debugger.far_end import DEADLINE_S, FarEnd
from tests.unit.waiting import wait_for

HERE = {"file": "/shop.py", "line": 3, "function": "total", "event": "line", "detail": "", "source": [[3, "x = 1"]]}
HERE_TEXT = "> /shop.py(3)total()\n-> x = 1"
PROMPT = "(Pdb) "


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[DebuggerStream]:
    """Of a task that nobody is attached to yet; whoever is silent is never taken for a human."""
    monkeypatch.setattr(listening, "SILENCE_S", 3600.0)
    monkeypatch.setattr(module, "POLL_S", 0.01)
    listener = Listener("t", 0, dict, lambda: None)
    yield DebuggerStream(listener, lambda text: (len(text) - 1, [f"{text}1", f"{text}2"]))
    listener.close()


@pytest.fixture
def by_hand(stream: DebuggerStream, monkeypatch: pytest.MonkeyPatch) -> Iterator[FarEnd]:
    """A human with telnet."""
    monkeypatch.setattr(listening, "SILENCE_S", 0.0)
    with FarEnd(stream.listener.port) as far:
        wait_for(lambda: stream.client)
        yield far


@pytest.fixture
def far(stream: DebuggerStream) -> Iterator[FarEnd]:
    """devkit's client."""
    with come_in(stream) as far:
        yield far


def come_in(stream: DebuggerStream) -> FarEnd:
    far = FarEnd(stream.listener.port)
    far.tell("hello", token="t")  # noqa: S106 - it opens nothing
    assert far.heard("welcome") == {"session": {}}
    return far


class Reading:
    """Somebody who waits for a line in another thread, as the task does."""

    def __init__(self, stream: DebuggerStream, read: Callable[[], str] | None = None) -> None:
        self.got: Any = None
        self._read = read or stream.readline
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        wait_for(lambda: stream.waiting or not self._thread.is_alive())

    def _run(self) -> None:
        try:
            self.got = self._read()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.got = error

    def result(self) -> Any:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "nothing was read"
        return self.got


def stop(stream: DebuggerStream, prompt: str = PROMPT) -> Reading:
    """The debugger stops and asks."""
    stream.stopped(HERE, HERE_TEXT)
    stream.write(prompt)
    return Reading(stream)


def test_it_waits_for_somebody_and_then_for_a_line(stream: DebuggerStream) -> None:
    reading = stop(stream)
    with come_in(stream) as far:
        assert far.heard("stopped") == HERE
        assert far.heard("prompt") == {"text": PROMPT}
        far.tell("command", text="p 'ü'\n!x = 1")
        assert reading.result() == "p 'ü'\n!x = 1\n"
    assert not stream.waiting


def test_the_next_line_of_the_same_stop_has_a_prompt_only(stream: DebuggerStream) -> None:
    reading = stop(stream)
    with come_in(stream) as far:
        far.heard("stopped")
        far.heard("prompt")
        far.tell("command", text="p x")
        assert reading.result() == "p x\n"

        stream.write("7\n")
        stream.write("(Pdb)")
        stream.write(" ")
        reading = Reading(stream)
        assert far.read(b"\n") == b"7\r\n"
        assert far.heard("prompt") == {"text": PROMPT}
        far.tell("command")
        assert reading.result() == "\n"


def test_who_attached_while_it_ran_is_told_once(stream: DebuggerStream, far: FarEnd) -> None:
    """A second prompt would be taken for the answer to the first command."""
    reading = stop(stream)
    far.heard("stopped")
    far.heard("prompt")
    far.tell("complete", id=1, text="x")
    assert far.heard("completions")
    far.tell("command", text="c")
    assert reading.result() == "c\n"


def test_by_hand_all_is_text(stream: DebuggerStream, by_hand: FarEnd) -> None:
    reading = stop(stream)
    assert by_hand.read(b"(Pdb) ") == b"> /shop.py(3)total()\r\n-> x = 1\r\n(Pdb) "
    by_hand.send(b"p x\r\n")
    assert reading.result() == "p x\n"
    stream.write("1\n")
    stream.running()
    stream.ended("SUCCESS", "2.5", None)
    assert by_hand.rest().endswith(b"1\r\n-- the task ended: SUCCESS 2.5\r\n")


def test_who_comes_later_is_told_where_it_is(stream: DebuggerStream) -> None:
    reading = stop(stream)
    for _ in range(3):
        with come_in(stream) as far:
            assert far.heard("stopped") == HERE
            assert far.heard("prompt") == {"text": PROMPT}
        wait_for(lambda: stream.client is None)
    with come_in(stream) as far:
        far.tell("command", text="p x")
        assert reading.result() == "p x\n"


def test_what_somebody_said_who_is_gone_is_not_done(stream: DebuggerStream) -> None:
    with come_in(stream) as far:
        far.tell("command", text="q")
        wait_for(lambda: stream.listener.items.qsize() == 2)
    wait_for(lambda: stream.client is None)
    reading = stop(stream)
    with come_in(stream) as far:
        far.heard("stopped")
        far.tell("command", text="p x")
        assert reading.result() == "p x\n"


def test_ctrl_d_detaches_and_leaves_it_waiting(stream: DebuggerStream) -> None:
    reading = stop(stream)
    with come_in(stream) as far:
        far.heard("stopped")
        far.heard("prompt")
        far.tell("eof")
        assert far.heard("goodbye") == {"why": "detached"}
        assert far.rest() == b""
    assert stream.waiting
    with come_in(stream) as far:
        assert far.heard("stopped") == HERE
        far.tell("command", text="c")
        assert reading.result() == "c\n"


def test_ctrl_d_by_hand(stream: DebuggerStream, by_hand: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = stop(stream)
    by_hand.read(b"(Pdb) ")
    by_hand.send(b"\x04")
    assert by_hand.rest().endswith(b"-- detached: the task stays paused\r\n")
    assert stream.waiting
    stream.while_waiting = release
    assert isinstance(stopped.result(), Released)


def test_ctrl_d_is_an_end_where_one_is_asked_for(stream: DebuggerStream, far: FarEnd) -> None:
    stream.ends_at_eof = True
    reading = stop(stream, ">>> ")
    far.tell("eof")
    assert reading.result() == ""
    assert stream.client


def release() -> None:
    raise Released


@pytest.mark.usefixtures("far")
def test_nobody_waits_when_the_worker_ends(stream: DebuggerStream) -> None:
    stream.while_waiting = release
    assert isinstance(stop(stream).result(), Released)
    assert not stream.waiting


def test_completions(stream: DebuggerStream, far: FarEnd) -> None:
    reading = stop(stream)
    far.heard("stopped")
    for asked in ({"id": 7, "text": "p xy"}, {"id": "a", "text": ""}, {"text": None}, {}):
        far.tell("complete", **asked)
    far.tell("command", text="c")
    assert reading.result() == "c\n"
    stream.write("end\n")
    told = far.read(b"end\r\n")
    assert b'devkit.completions {"id": 7, "start": 3, "matches": ["p xy1", "p xy2"]}\xff\xf0' in told
    assert b'devkit.completions {"id": "a", "start": -1, "matches": ["1", "2"]}\xff\xf0' in told
    assert told.count(b"devkit.completions ") == 4


def test_a_line_that_is_too_long_ends_the_connection(stream: DebuggerStream, by_hand: FarEnd) -> None:
    reading = stop(stream)
    by_hand.read(b"(Pdb) ")
    by_hand.send(b"x" * 100_000)
    assert by_hand.rest() == b"*** a line of more than 65536 bytes\r\n"
    assert stream.waiting
    stream.while_waiting = release
    assert isinstance(reading.result(), Released)


# --- what the task prints ---


def test_whole_lines_are_sent_and_the_rest_waits(stream: DebuggerStream, far: FarEnd) -> None:
    assert [stream.write(text) for text in ("one\ntw", "o\n", "", "three\r", "\n", "zwei ü €")] == [6, 2, 0, 6, 1, 8]
    stream.flush()
    assert far.read(b"three\r\n") == b"one\r\ntwo\r\nthree\r\n"
    stream.running()
    assert far.read(b"\xff\xf0") == "zwei ü €\r\n".encode() + b"\xff\xfa\xc9devkit.running {}\xff\xf0"


def test_what_nobody_hears_is_not_kept(stream: DebuggerStream) -> None:
    stream.write("one\ntwo\n")
    with come_in(stream) as far:
        stream.write("three\n")
        assert far.read(b"\n") == b"three\r\n"


def test_other_streams_can_be_asked_what_it_is(stream: DebuggerStream) -> None:
    assert not stream.isatty()
    assert stream.encoding == "utf-8"
    print("x", file=stream, flush=True)


# --- how it ends ---


@pytest.mark.parametrize(
    ("state", "result", "exception", "text"),
    [
        ("SUCCESS", "2.5", None, b"-- the task ended: SUCCESS 2.5\r\n"),
        ("FAILURE", None, "ValueError: ü", "-- the task ended: FAILURE ValueError: ü\r\n".encode()),
        ("", None, None, b"-- the task ended:\r\n"),
    ],
)
def test_the_end_by_hand(
    stream: DebuggerStream, by_hand: FarEnd, state: str, result: str | None, exception: str | None, text: bytes
) -> None:
    stream.ended(state, result, exception)
    assert by_hand.rest() == text


def test_the_end(stream: DebuggerStream, far: FarEnd) -> None:
    stream.write("no line")
    stream.ended("FAILURE", None, "ValueError: \ud800")
    assert far.read(b"\n") == b"no line\r\n"
    assert far.heard("ended") == {"state": "FAILURE", "result": None, "exception": "ValueError: \ud800"}
    assert far.rest() == b""
    assert stream.client is None
    stream.ended("SUCCESS", None, None)
    stream.detach()


def test_the_worker_ends(stream: DebuggerStream, far: FarEnd) -> None:
    stream.detach("the worker stops: the task runs on")
    assert far.heard("goodbye") == {"why": "the worker stops: the task runs on"}
    assert far.rest() == b""
