"""Real processes: their output to the end, their exit, and what they are told and tell."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

import pytest

from devkit.errors import DevkitError
from devkit.model.wire import NOTIFY_FD
from devkit.stack import process as process_module
from devkit.stack.process import Process
from tests.unit.stack.programs import runs
from tests.unit.waiting import wait_for


class Followed:
    """A process that is followed: what it printed, and its exit code once that is known."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.output = b""
        self._code: SimpleQueue[int] = SimpleQueue()
        process.follow(self._read, self._code.put)

    def _read(self, chunk: bytes) -> None:
        self.output += chunk

    def code(self) -> int:
        """Wait for its end."""
        return self._code.get(timeout=10)

    def says(self, text: bytes) -> None:
        """Wait until it has printed this."""
        wait_for(lambda: text in self.output)


class Starter:
    """Starts processes for a test and ends them with it."""

    def __init__(self, cwd: Path, end: ExitStack) -> None:
        self.cwd = cwd
        self._end = end

    def __call__(
        self, *argv: str, env: Mapping[str, str] | None = None, talks: bool = False, stdin_open: bool = False
    ) -> Followed:
        environ = {**os.environ, **(env or {})}
        process = Process(argv, cwd=self.cwd, env=environ, talks=talks, stdin_open=stdin_open)
        self._end.callback(process.wait)
        self._end.callback(process.signal, signal.SIGKILL)
        return Followed(process)

    def python(self, code: str, *, talks: bool = False, env: Mapping[str, str] | None = None) -> Followed:
        return self(sys.executable, "-u", "-c", "import os, signal, sys, time\n" + code, talks=talks, env=env)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    with ExitStack() as end:
        yield Starter(tmp_path, end)


# --- output and exit ---


def test_all_output_is_there_before_the_exit_is_told(start: Starter) -> None:
    program = start.python("os.write(1, b'x' * 1_000_000); os.write(2, b'error'); os.write(1, b'\\xff last')")

    assert program.code() == 0
    assert program.output == b"x" * 1_000_000 + b"error" + b"\xff last"


def test_the_exit_waits_for_a_reader_that_is_slow(start: Starter) -> None:
    exited = Event()
    too_early: list[bool] = []
    process = Process(("/bin/sh", "-c", "echo last words"), cwd=start.cwd, env={})

    process.follow(lambda _: too_early.append(exited.wait(0.1)), lambda _: exited.set())

    assert exited.wait(10)
    assert too_early == [False]


def test_output_is_told_as_it_comes(start: Starter) -> None:
    program = start.python("os.write(1, b'no newline'); time.sleep(600)")

    program.says(b"no newline")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", -15), ("kill -9 $$", -9)])
def test_exit_codes(start: Starter, script: str, code: int) -> None:
    assert start("/bin/sh", "-c", script).code() == code


def test_it_runs_in_its_folder_with_its_environment_and_without_input(start: Starter) -> None:
    code = "print(os.getcwd(), os.environ['MARK'], repr(sys.stdin.read()), os.getsid(0) == os.getpid())"

    program = start.python(code, env={"MARK": "x"})

    assert program.code() == 0
    assert program.output.decode() == f"{start.cwd} x '' True\n"


def test_its_time_of_birth_is_known(start: Starter) -> None:
    before = time.monotonic()

    born = start("/bin/sh", "-c", "").process.started_at

    assert before <= born <= time.monotonic()


def test_a_missing_program(start: Starter) -> None:
    with pytest.raises(DevkitError, match="cannot run no-such-program: no-such-program: No such file or directory"):
        start("no-such-program", talks=True)


def test_a_program_that_may_not_run(start: Starter) -> None:
    (start.cwd / "data").touch(0o644)

    with pytest.raises(DevkitError, match=r"cannot run \./data: \./data: Permission denied"):
        start("./data")


def test_a_missing_folder(start: Starter) -> None:
    start.cwd /= "gone"

    with pytest.raises(DevkitError, match=f"cannot run /bin/sh: {start.cwd}: No such file or directory"):
        start("/bin/sh", "-c", "")


# --- its session ---

GRANDCHILD = "import subprocess; child = subprocess.Popen(['sleep', '600']{}); print(child.pid)\n"


def test_what_it_started_ends_with_it(start: Starter) -> None:
    program = start.python(GRANDCHILD.format(", process_group=0"))

    assert program.code() == 0
    wait_for(lambda: not runs(int(program.output)))


def test_a_grandchild_that_keeps_the_pipe_open_does_not_hold_up_the_exit(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "AFTERMATH_S", 0.1)
    program = start.python(GRANDCHILD.format(", start_new_session=True"))
    program.says(b"\n")

    code = program.code()

    escaped = int(program.output)
    assert runs(escaped)
    os.kill(escaped, signal.SIGKILL)
    assert code == 0


def test_a_signal_is_for_the_process_alone_or_for_its_group(start: Starter) -> None:
    code = """
child = os.fork()
def end(*_):
    os.write(1, b"parent\\n" if child else b"child\\n")
    if child: os.wait()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
os.write(1, b"up\\n")
while True: signal.pause()
"""
    group = start.python(code)
    wait_for(lambda: group.output.count(b"up") == 2)
    group.process.signal(signal.SIGTERM, group=True)
    assert group.code() == 0
    assert sorted(group.output.split()) == [b"child", b"parent", b"up", b"up"]

    alone = start.python(code)
    wait_for(lambda: alone.output.count(b"up") == 2)
    alone.process.signal(signal.SIGTERM)
    alone.says(b"parent")
    alone.process.signal(signal.SIGKILL)
    assert alone.code() == -signal.SIGKILL
    assert b"child" not in alone.output


def test_a_kill_reaches_the_whole_session(start: Starter) -> None:
    program = start.python(GRANDCHILD.format(", process_group=0") + "time.sleep(600)")
    program.says(b"\n")

    program.process.signal(signal.SIGKILL)

    assert program.code() == -9
    wait_for(lambda: not runs(int(program.output)))


def test_a_signal_for_what_is_gone_is_no_error_and_reaches_nobody_else(start: Starter) -> None:
    other = start.python("print('up', flush=True); time.sleep(600)")
    other.says(b"up\n")
    program = start("/bin/sh", "-c", "exit 3")
    assert program.code() == 3

    for signum in (signal.SIGINT, signal.SIGKILL):
        program.process.signal(signum)
        program.process.signal(signum, group=True)

    assert program.process.wait() == 3
    other.process.signal(signal.SIGTERM)
    assert (other.code(), other.output) == (-signal.SIGTERM, b"up\n")


def test_standard_input_may_stay_open_as_long_as_devkit_lives(start: Starter) -> None:
    program = start("/bin/sh", "-c", "cat; echo end of input", stdin_open=True)
    program.process.say(b"up\n")
    program.says(b"up\n")

    program.process.end_orders()

    assert program.code() == 0
    assert program.output == b"up\nend of input\n"


# --- orders and answers ---

TELL = f"tell = os.fdopen(int(os.environ['{NOTIFY_FD}']), 'w', buffering=1).write\n"


def test_an_order_is_answered(start: Starter) -> None:
    program = start.python(TELL + "for line in sys.stdin: tell('{\"tasks\": ' + line.strip() + '}\\n')", talks=True)
    process = program.process

    process.say(b'["1"]\n')
    assert process.answer(10) == {"tasks": ["1"]}
    process.say(b'["2"]\n')
    assert process.answer(10) == {"tasks": ["2"]}
    process.end_orders()

    assert program.code() == 0
    assert process.answer(10) is None


def test_answers_told_at_once_are_heard_one_by_one(start: Starter) -> None:
    process = start.python(TELL + 'tell(\'{"n": 1}\\n{"n": 2}\\n\'); time.sleep(600)', talks=True).process

    assert process.answer(10) == {"n": 1}
    assert process.answer(0.5) == {"n": 2}


def test_an_answer_told_just_before_the_end_is_heard_after_it(start: Starter) -> None:
    program = start.python(TELL + 'tell(\'{"n": 1}\\n{"n": 2}\\n\')', talks=True)
    program.code()

    assert program.process.answer(10) == {"n": 1}
    assert program.process.answer(10) == {"n": 2}
    assert program.process.answer(10) is None


def test_an_answer_larger_than_a_pipe(start: Starter) -> None:
    process = start.python(
        TELL + "tell('{\"x\": \"' + 'x' * 1_000_000 + '\"}\\n'); time.sleep(600)", talks=True
    ).process

    assert process.answer(10) == {"x": "x" * 1_000_000}


def test_an_order_larger_than_a_pipe(start: Starter) -> None:
    process = start.python(
        TELL + "tell('{\"size\": %d}\\n' % len(sys.stdin.readline())); time.sleep(600)", talks=True
    ).process
    order = json.dumps("x" * 1_000_000).encode() + b"\n"

    speaking = Thread(target=process.say, args=(order,), daemon=True)
    speaking.start()

    assert process.answer(10) == {"size": len(order)}
    speaking.join()


def test_an_answer_is_waited_for_no_longer_than_asked(start: Starter) -> None:
    process = start.python("time.sleep(600)", talks=True).process

    assert process.answer(0.01) is None


def test_a_process_that_ended_answers_and_hears_nothing(start: Starter) -> None:
    program = start.python("", talks=True)
    program.code()

    program.process.say(b"{}\n")
    program.process.end_orders()

    assert program.process.answer() is None


def test_a_process_that_does_not_talk_answers_nothing(start: Starter) -> None:
    program = start("/bin/sh", "-c", f"echo ${NOTIFY_FD}")

    assert program.process.answer(10) is None
    program.code()
    assert program.output == b"\n"


def test_a_process_that_ended_keeps_no_file_open(start: Starter) -> None:
    """A stack may run for days, and its services restart at each save."""
    start("/bin/sh", "-c", "", talks=True).code()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    programs = [start("/bin/sh", "-c", "", talks=True) for _ in range(3)]
    for program in programs:
        program.code()
        assert program.process.answer() is None

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
