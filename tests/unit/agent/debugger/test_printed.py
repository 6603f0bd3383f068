"""Whose prints go where."""
# ruff: noqa: T201

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from devkit.agent.debugger import printed
from devkit.agent.debugger.listener import Listener
from devkit.agent.debugger.printed import Routed
from devkit.agent.debugger.stream import DebuggerStream
from tests.unit.agent.debugger.far_end import FarEnd


@pytest.fixture
def stream() -> Iterator[DebuggerStream]:
    listener = Listener("t", 0, dict, lambda: None)
    yield DebuggerStream(listener, lambda text: (0, []))
    listener.close()


@pytest.fixture
def far(stream: DebuggerStream) -> Iterator[FarEnd]:
    """Somebody is attached."""
    with FarEnd(stream.listener.port) as far:
        far.tell("hello", token="t")  # noqa: S106 - it opens nothing
        far.heard("welcome")
        yield far


@contextmanager
def debugged(stream: DebuggerStream) -> Iterator[io.StringIO]:
    """This thread's task is debugged; yields where the worker's prints go."""
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        printed.route({threading.get_ident(): stream})
        try:
            yield log
        finally:
            printed.restore()
            assert sys.stdout is log


def in_a_thread(act: Callable[[], object]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def test_the_task_prints_to_whoever_is_attached(stream: DebuggerStream, far: FarEnd) -> None:
    with debugged(stream) as log:
        print("one", 2)
        sys.stdout.writelines(["three\n", "four\n"])
        assert sys.stdout.write("five\n") == 5

    assert far.read(b"five\r\n") == b"one 2\r\nthree\r\nfour\r\nfive\r\n"
    assert log.getvalue() == ""


def test_while_nobody_is_attached_it_goes_to_the_log(stream: DebuggerStream) -> None:
    with debugged(stream) as log:
        assert sys.stdout.write("five\n") == 5
        print("six", flush=True)
        sys.stdout.writelines(["seven\n"])

    assert log.getvalue() == "five\nsix\nseven\n"


def test_other_threads_print_where_they_always_did(stream: DebuggerStream, far: FarEnd) -> None:
    with debugged(stream) as log:
        in_a_thread(lambda: print("from a thread"))
        print("mine")

    assert far.read(b"\n") == b"mine\r\n"
    assert log.getvalue() == "from a thread\n"


@pytest.mark.usefixtures("far")
def test_whom_nobody_debugs_any_more_prints_to_the_log(stream: DebuggerStream) -> None:
    log, streams = io.StringIO(), {threading.get_ident(): stream}
    routed = Routed(log, streams)
    streams.clear()
    routed.write("x")

    assert log.getvalue() == "x"


@pytest.mark.usefixtures("far")
def test_all_else_is_the_streams_own(stream: DebuggerStream) -> None:
    with debugged(stream) as log:
        stdout: Any = sys.stdout
        assert stdout is not log
        assert stdout.getvalue() == ""
        assert stdout.writable()
        assert not stdout.isatty()
        with pytest.raises(AttributeError, match="nothing"):
            _ = stdout.nothing
        with pytest.raises(io.UnsupportedOperation):
            stdout.fileno()


def test_it_is_put_in_place_once_and_taken_away(stream: DebuggerStream) -> None:
    before = sys.stdout
    printed.restore()
    assert sys.stdout is before
    with debugged(stream):
        first = sys.stdout
        printed.route({})
        assert sys.stdout is first
    assert sys.stdout is before


def test_a_task_may_redirect_what_it_prints(stream: DebuggerStream, far: FarEnd) -> None:
    own = io.StringIO()
    with debugged(stream) as log:
        with contextlib.redirect_stdout(own):
            print("redirected")
            printed.restore()  # is not to take away what is somebody else's
            assert sys.stdout is own
        print("mine")

    assert own.getvalue() == "redirected\n"
    assert far.read(b"\n") == b"mine\r\n"
    assert log.getvalue() == ""


@pytest.mark.parametrize("begun", ["", "half "])
@pytest.mark.usefixtures("far")
def test_a_client_that_is_gone_does_not_swallow_the_log(stream: DebuggerStream, begun: str) -> None:
    with debugged(stream) as log:
        print(begun, end="")
        assert stream.client
        stream.listener.detach(stream.client)
        print("a line")

    assert log.getvalue() == f"{begun}a line\n"
