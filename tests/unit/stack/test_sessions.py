"""Ending processes together with all that they started: real ones, in all the ways in which they move away."""

import os
import signal
import uuid

import pytest

from devkit.stack.sessions import MARKER, kill, kill_strays, members, strays
from tests.unit.stack.programs import Programs, runs
from tests.unit.waiting import wait_for

SLEEPER = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']"


@pytest.fixture
def stack() -> str:
    """The mark of a stack that nobody else has."""
    return uuid.uuid4().hex


def test_a_session_has_its_leader_and_what_that_started(programs: Programs) -> None:
    alone = programs.sleeper()
    parent = programs.start(f"tell({SLEEPER}).pid); sleep()")
    child = programs.child_of(parent)

    assert members(alone.pid) == [alone.pid]
    assert sorted(members(parent.pid)) == sorted([parent.pid, child])


def test_a_session_outlives_its_leader(programs: Programs) -> None:
    parent = programs.start(f"tell({SLEEPER}).pid)")
    child = programs.child_of(parent)
    parent.ended()

    assert members(parent.pid) == [child]


def test_what_ended_and_waits_for_its_parent_does_not_count(programs: Programs) -> None:
    parent = programs.start(
        """
        child = os.fork()
        if not child: os._exit(0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # ended, and still there
        tell(child)
        sleep()
    """.replace("\n        ", "\n")
    )
    child = programs.child_of(parent)

    assert os.getsid(child) == parent.pid
    assert members(parent.pid) == [parent.pid]


def test_a_name_that_looks_like_a_state_does_not_deceive(programs: Programs) -> None:
    program = programs.start("open('/proc/self/comm', 'w').write(') Z 1 ('); tell('up'); sleep()")
    program.heard()

    assert members(program.pid) == [program.pid]


def test_a_session_is_killed_whatever_process_groups_it_has(programs: Programs) -> None:
    parent = programs.start(
        f"signal.signal(signal.SIGTERM, signal.SIG_IGN); tell({SLEEPER}, process_group=0).pid); sleep()"
    )
    child = programs.child_of(parent)
    assert os.getpgid(child) == child

    kill(parent.pid)

    assert parent.ended() == -signal.SIGKILL
    wait_for(lambda: not runs(child))
    assert members(parent.pid) == []


def test_to_kill_a_session_that_is_gone_is_no_error_and_ends_nobody_else(programs: Programs) -> None:
    other = programs.sleeper()
    program = programs.start("raise SystemExit(3)")
    wait_for(lambda: not runs(program.pid))  # nobody has asked for its exit code yet

    kill(program.pid)
    assert program.ended() == 3
    kill(program.pid)

    os.kill(other.pid, signal.SIGTERM)
    assert other.ended() == -signal.SIGTERM


def test_strays_are_found_by_the_mark_in_their_environment(programs: Programs, stack: str) -> None:
    marked = programs.sleeper({MARKER: stack})
    programs.sleeper({MARKER: stack + "x"})
    programs.sleeper({"OTHER": f"{MARKER}={stack}"})
    parent = programs.start(f"tell({SLEEPER}, start_new_session=True).pid)", env={MARKER: stack})
    escaped = programs.child_of(parent)
    parent.ended()

    assert members(parent.pid) == []
    assert sorted(strays(stack)) == sorted([marked.pid, escaped])


def test_strays_of_one_run_or_of_all_runs(programs: Programs, stack: str) -> None:
    first, second = (programs.sleeper({MARKER: f"{stack}.{run}"}).pid for run in ("1", "12"))
    programs.sleeper({MARKER: f"{stack}x.1"})

    assert strays(f"{stack}.1") == [first]
    assert sorted(strays(stack)) == sorted([first, second])


def test_strays_are_killed(programs: Programs, stack: str) -> None:
    marked, other = programs.sleeper({MARKER: stack}), programs.sleeper()

    assert kill_strays(stack) == [marked.pid]
    assert marked.ended() == -signal.SIGKILL
    assert runs(other.pid)
    assert kill_strays(stack) == []


def test_who_asks_is_no_stray(programs: Programs, stack: str) -> None:
    code = "from devkit.stack.sessions import kill_strays; tell(kill_strays(sys.argv[1]))"
    program = programs.start(code, stack, env={MARKER: stack})

    assert program.heard() == "[]"


def test_without_proc_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_folder(_: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(os, "listdir", no_such_folder)

    assert members(os.getsid(0)) == strays("any") == []
