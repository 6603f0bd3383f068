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
from devkit.agent.debugger.stream import Talk
from tests.unit.agent.debugger.far_end import FarEnd


@pytest.fixture
def talk() -> Iterator[Talk]:
    listener = Listener("t", 0, dict, lambda: None)
    yield Talk(listener, lambda text: (0, []))
    listener.close()


@pytest.fixture
def far(talk: Talk) -> Iterator[FarEnd]:
    """Somebody is attached."""
    with FarEnd(talk.listener.port) as far:
        far.tell("hello", token="t")  # noqa: S106 - it opens nothing
        far.heard("welcome")
        yield far


@contextmanager
def debugged(talk: Talk) -> Iterator[io.StringIO]:
    """This thread's task is debugged; yields where the worker's prints go."""
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        printed.route({threading.get_ident(): talk})
        try:
            yield log
        finally:
            printed.restore()
            assert sys.stdout is log


def in_a_thread(act: Callable[[], object]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def test_the_task_prints_to_whoever_is_attached(talk: Talk, far: FarEnd) -> None:
    with debugged(talk) as log:
        print("one", 2)
        sys.stdout.writelines(["three\n", "four\n"])
        assert sys.stdout.write("five\n") == 5

    assert far.read(b"five\r\n") == b"one 2\r\nthree\r\nfour\r\nfive\r\n"
    assert log.getvalue() == ""


def test_while_nobody_is_attached_it_goes_to_the_log(talk: Talk) -> None:
    with debugged(talk) as log:
        assert sys.stdout.write("five\n") == 5
        print("six", flush=True)
        sys.stdout.writelines(["seven\n"])

    assert log.getvalue() == "five\nsix\nseven\n"


def test_other_threads_print_where_they_always_did(talk: Talk, far: FarEnd) -> None:
    with debugged(talk) as log:
        in_a_thread(lambda: print("from a thread"))
        print("mine")

    assert far.read(b"\n") == b"mine\r\n"
    assert log.getvalue() == "from a thread\n"


@pytest.mark.usefixtures("far")
def test_whom_nobody_debugs_any_more_prints_to_the_log(talk: Talk) -> None:
    log, talks = io.StringIO(), {threading.get_ident(): talk}
    routed = Routed(log, talks)
    talks.clear()
    routed.write("x")

    assert log.getvalue() == "x"


@pytest.mark.usefixtures("far")
def test_all_else_is_the_streams_own(talk: Talk) -> None:
    with debugged(talk) as log:
        stream: Any = sys.stdout
        assert stream is not log
        assert stream.getvalue() == ""
        assert stream.writable()
        assert not stream.isatty()
        with pytest.raises(AttributeError, match="nothing"):
            _ = stream.nothing
        with pytest.raises(io.UnsupportedOperation):
            stream.fileno()


def test_it_is_put_in_place_once_and_taken_away(talk: Talk) -> None:
    before = sys.stdout
    printed.restore()
    assert sys.stdout is before
    with debugged(talk):
        first = sys.stdout
        printed.route({})
        assert sys.stdout is first
    assert sys.stdout is before


def test_a_task_may_redirect_what_it_prints(talk: Talk, far: FarEnd) -> None:
    own = io.StringIO()
    with debugged(talk) as log:
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
def test_a_client_that_is_gone_does_not_swallow_the_log(talk: Talk, begun: str) -> None:
    with debugged(talk) as log:
        print(begun, end="")
        assert talk.client
        talk.listener.detach(talk.client)
        print("a line")

    assert log.getvalue() == f"{begun}a line\n"
