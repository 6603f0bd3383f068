"""The guard against what no code can catch, with real processes that are really killed."""

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest

from devkit.stack.guard import Guard
from devkit.stack.sessions import MARKER, members
from tests.unit.stack.programs import Programs, runs
from tests.unit.waiting import wait_for

# devkit with two services, one of which does not end by itself, and something that escaped from one of them.
DEVKIT = """
from devkit.stack.guard import Guard
guard = Guard(sys.argv[1])

def run(code, **mark):
    command = [sys.executable, "-c", "import signal, sys, time\\n" + code, sys.argv[2]]
    environ = {**os.environ, **mark}
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, env=environ)
    process.stdout.readline()
    tell(process.pid)
    return process.pid

POLITE = "try: print('up', flush=True); time.sleep(600)\\nexcept KeyboardInterrupt: open(sys.argv[1], 'w').close()"
STUBBORN = "[signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; print('up', flush=True); time.sleep(600)"
guard.started(run(POLITE))
guard.started(run(STUBBORN))
run(STUBBORN, **{sys.argv[3]: sys.argv[1]})
sleep()
"""


@pytest.fixture
def stack() -> str:
    """The mark of a stack that nobody else has."""
    return uuid.uuid4().hex


@pytest.fixture
def guard(stack: str) -> Iterator[Guard]:
    with closing(Guard(stack)) as guard:
        yield guard


def guards(stack: str) -> list[int]:
    """The guard processes that this process has started for the stack."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it ends just now
            if child.status() != psutil.STATUS_ZOMBIE and stack in child.cmdline():
                found.append(child.pid)
    return found


def guard_of(stack: str, *, besides: int = 0) -> int:
    """The pid of the stack's guard, which may have begun just now; `besides` is that of one that was killed."""
    wait_for(lambda: guards(stack) not in ([], [besides]))
    (pid,) = guards(stack)
    return pid


def replaced(stack: str) -> int:
    """Kill the guard's process; returns the pid of the one that takes its place."""
    killed = guard_of(stack)
    os.kill(killed, signal.SIGKILL)
    return guard_of(stack, besides=killed)


def test_the_services_end_when_devkit_is_killed(programs: Programs, stack: str, tmp_path: Path) -> None:
    goodbye = tmp_path / "goodbye"
    devkit = programs.start(DEVKIT, stack, goodbye, MARKER)
    services = [programs.child_of(devkit) for _ in range(3)]
    assert all(map(runs, services))

    devkit.kill()

    wait_for(lambda: not any(map(runs, services)))
    assert goodbye.exists()


def test_the_guard_ends_itself_when_all_is_done(stack: str) -> None:
    guard = Guard(stack)
    guard_of(stack)

    guard.close()

    assert guards(stack) == []


def test_the_guard_leads_a_session_of_its_own(guard: Guard, stack: str) -> None:
    """What is typed or sent to devkit's terminal or process group does not reach it."""
    pid = guard_of(stack)

    assert members(pid) == [pid]
    assert os.getpgid(pid) != os.getpgid(0)


def test_a_service_that_ended_is_forgotten(programs: Programs, stack: str) -> None:
    """Its pid may belong to somebody else by now."""
    service = programs.sleeper()
    guard = Guard(stack)
    guard.started(service.pid)

    guard.ended(service.pid)
    guard.close()

    assert runs(service.pid)


def test_a_guard_that_was_killed_is_replaced(programs: Programs, stack: str) -> None:
    first, second = programs.sleeper(), programs.sleeper()
    guard = Guard(stack)
    guard.started(first.pid)

    replacement = replaced(stack)
    guard.started(second.pid)

    assert guards(stack) == [replacement]
    guard.close()  # with services left: as if devkit had gone
    assert (first.ended(), second.ended()) == (-signal.SIGINT, -signal.SIGINT)


def test_the_replacement_is_guarded_too(guard: Guard, stack: str) -> None:
    assert replaced(stack) != replaced(stack)


def test_what_is_said_before_there_is_a_replacement_is_not_lost(programs: Programs, stack: str) -> None:
    ended, running = programs.sleeper(), programs.sleeper()
    guard = Guard(stack)
    guard.started(ended.pid)
    killed = guard_of(stack)
    os.kill(killed, signal.SIGKILL)

    guard.ended(ended.pid)
    guard.started(running.pid)
    guard_of(stack, besides=killed)
    guard.close()

    assert running.ended() == -signal.SIGINT
    assert runs(ended.pid)


def test_a_guard_that_was_killed_does_not_disturb_the_end(stack: str) -> None:
    guard = Guard(stack)
    killed = guard_of(stack)
    os.kill(killed, signal.SIGKILL)

    guard.close()

    assert guards(stack) == []


def test_an_end_just_when_a_killed_guard_is_to_be_replaced(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the end must not wait for a guard that nobody hangs up on."""
    ends: list[Thread] = []

    class EndsMeanwhile(Event):
        def wait(self, timeout: float | None = None) -> bool:
            end = Thread(target=ending.close, daemon=True)
            end.start()
            ends.append(end)
            wait_for(self.is_set)
            return False

    monkeypatch.setattr("devkit.stack.guard.Event", EndsMeanwhile)
    ending = Guard(stack)
    os.kill(guard_of(stack), signal.SIGKILL)
    wait_for(lambda: ends)

    ends[0].join(3)

    assert not ends[0].is_alive()
    assert guards(stack) == []


def test_the_projects_modules_are_not_the_guards(
    programs: Programs, stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some are called like those of the standard library."""
    service = programs.sleeper()
    (tmp_path / "signal.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    guard = Guard(stack)
    guard.started(service.pid)
    guard.close()

    assert service.ended() == -signal.SIGINT
