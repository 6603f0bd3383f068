"""One stack a project; and what a crashed one left."""

import fcntl
import json
import os
import time
from pathlib import Path

import pytest

from devkit.stack import lock, sessions
from devkit.stack.lock import StackLock, clean_up, forget, record
from devkit.stack.sessions import MARKER
from tests.unit.stack.programs import Programs, runs

HOLDER = """
from pathlib import Path
from devkit.stack.lock import StackLock
lock = StackLock(Path(sys.argv[1]))
tell(lock.acquire())
sleep()
"""


def test_only_one_process_has_the_lock(programs: Programs, tmp_path: Path) -> None:
    first = programs.start(HOLDER, tmp_path)
    assert first.heard() == "True"
    second = StackLock(tmp_path)

    assert not second.acquire()
    assert second.holder() == first.pid


def test_the_lock_ends_with_its_holder(programs: Programs, tmp_path: Path) -> None:
    first = programs.start(HOLDER, tmp_path)
    first.heard()
    second = StackLock(tmp_path)

    first.kill()

    assert second.wait_until_free(10)
    assert second.holder() is None
    assert second.acquire()
    assert StackLock(tmp_path).holder() == os.getpid()
    second.release()


def test_the_pid_of_the_one_before_is_not_left_standing(tmp_path: Path) -> None:
    (tmp_path / lock.LOCK).write_text("12345678901234567890")
    mine = StackLock(tmp_path)

    assert mine.acquire()

    assert StackLock(tmp_path).holder() == os.getpid()
    mine.release()


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    mine, other = StackLock(tmp_path), StackLock(tmp_path)
    assert mine.acquire()
    assert not other.acquire()

    mine.release()
    mine.release()

    assert other.acquire()
    other.release()


def test_nobody_has_a_lock_that_was_never_taken(tmp_path: Path) -> None:
    assert StackLock(tmp_path).holder() is None
    assert StackLock(tmp_path / "no folder").holder() is None


def test_a_lock_just_taken_has_a_holder_without_a_pid(tmp_path: Path) -> None:
    mine = StackLock(tmp_path)
    assert mine.acquire()
    (tmp_path / lock.LOCK).write_text("")

    assert StackLock(tmp_path).holder() == 0
    mine.release()


def test_to_look_who_has_the_lock_does_not_take_it_from_anyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process looks at the very moment at which this one starts."""
    looking = os.open(tmp_path / lock.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    mine = StackLock(tmp_path)

    assert mine.acquire()

    mine.release()
    os.close(looking)


def test_the_wait_for_a_lock_has_an_end(tmp_path: Path) -> None:
    mine = StackLock(tmp_path)
    mine.acquire()

    assert not StackLock(tmp_path).wait_until_free(0.01)
    mine.release()


# --- what a crashed stack left ---


def test_what_was_recorded_is_ended(programs: Programs, tmp_path: Path) -> None:
    worker, api = programs.sleeper(), programs.sleeper()
    record(tmp_path, {"worker": worker.pid, "api": api.pid})

    ended = clean_up(tmp_path, "no such stack")

    assert ended == [f"worker (pid {worker.pid})", f"api (pid {api.pid})"]
    assert (worker.ended(), api.ended()) == (-9, -9)
    assert not (tmp_path / lock.RECORD).exists()


def test_another_process_that_has_the_pid_now_is_left_alone(programs: Programs, tmp_path: Path) -> None:
    somebody = programs.sleeper()
    record(tmp_path, {"worker": somebody.pid})
    ((name, (pid, born)),) = json.loads((tmp_path / lock.RECORD).read_text()).items()
    (tmp_path / lock.RECORD).write_text(json.dumps({name: [pid, born - 60]}))

    assert clean_up(tmp_path, "no such stack") == []
    assert runs(somebody.pid)


def test_what_has_ended_by_itself_is_not_named(programs: Programs, tmp_path: Path) -> None:
    worker = programs.sleeper()
    record(tmp_path, {"worker": worker.pid})
    worker.kill()
    worker.ended()

    assert clean_up(tmp_path, "no such stack") == []


def test_what_escaped_is_found_by_its_mark(programs: Programs, tmp_path: Path) -> None:
    escaped = programs.sleeper({MARKER: tmp_path.name})

    assert clean_up(tmp_path, tmp_path.name) == [f"pid {escaped.pid}"]


def test_what_takes_its_time_to_die_is_named_once(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, escaped = programs.sleeper(), programs.sleeper()
    record(tmp_path, {"worker": worker.pid})
    monkeypatch.setattr(sessions, "strays", lambda _: [worker.pid, escaped.pid])

    assert clean_up(tmp_path, "any") == [f"worker (pid {worker.pid})", f"pid {escaped.pid}"]


def test_a_process_that_is_gone_is_not_recorded(programs: Programs, tmp_path: Path) -> None:
    gone, there = programs.start(""), programs.sleeper()
    gone.ended()

    record(tmp_path, {"gone": gone.pid, "there": there.pid})

    assert list(json.loads((tmp_path / lock.RECORD).read_text())) == ["there"]


@pytest.mark.parametrize("content", [None, "", "{"])
def test_a_record_that_says_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / lock.RECORD).write_text(content)

    assert clean_up(tmp_path, "no such stack") == []


def test_a_stack_that_stopped_left_nothing(programs: Programs, tmp_path: Path) -> None:
    worker = programs.sleeper()
    record(tmp_path, {"worker": worker.pid})

    forget(tmp_path)
    forget(tmp_path)

    assert clean_up(tmp_path, "no such stack") == []
    assert runs(worker.pid)
