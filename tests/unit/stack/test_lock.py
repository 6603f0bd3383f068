"""One stack a project; and what a crashed one left."""

import errno
import fcntl
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.stack import lock, sessions
from devkit.stack.lock import StackLock, clean_up, forget, record
from devkit.stack.sessions import MARKER
from tests.unit.stack.programs import Programs, runs

HOLDER = """
from pathlib import Path
from devkit.stack.lock import StackLock
lock = StackLock(Path(sys.argv[1]))
tell(lock.acquire(Path(sys.argv[1]), Path("/run/x")))
sleep()
"""


PROJECT, RUNTIME = Path("/a/project"), Path("/run/somewhere")


def pid_of(folder: Path) -> int | None:
    holder = StackLock(folder).holder()
    return holder.pid if holder else None


def test_only_one_process_has_the_lock(programs: Programs, tmp_path: Path) -> None:
    first = programs.start(HOLDER, tmp_path)
    assert first.heard() == "True"
    second = StackLock(tmp_path)

    assert not second.acquire(PROJECT, RUNTIME)
    holder = second.holder()
    assert holder
    assert (holder.pid, holder.project, holder.runtime) == (first.pid, str(tmp_path), "/run/x")
    assert holder.serves(tmp_path)
    assert str(holder) == f"pid {first.pid}"


def test_the_lock_ends_with_its_holder(programs: Programs, tmp_path: Path) -> None:
    first = programs.start(HOLDER, tmp_path)
    first.heard()
    second = StackLock(tmp_path)

    first.kill()

    assert second.wait_until_free(10)
    assert second.holder() is None
    assert second.acquire(PROJECT, RUNTIME)
    assert pid_of(tmp_path) == os.getpid()
    second.release()


def test_the_pid_of_the_one_before_is_not_left_standing(tmp_path: Path) -> None:
    (tmp_path / lock.LOCK).write_text("12345678901234567890")
    mine = StackLock(tmp_path)

    assert mine.acquire(PROJECT, RUNTIME)

    assert pid_of(tmp_path) == os.getpid()
    mine.release()


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    mine, other = StackLock(tmp_path), StackLock(tmp_path)
    assert mine.acquire(PROJECT, RUNTIME)
    assert not other.acquire(PROJECT, RUNTIME)

    mine.release()
    mine.release()

    assert other.acquire(PROJECT, RUNTIME)
    other.release()


def test_nobody_has_a_lock_that_was_never_taken(tmp_path: Path) -> None:
    assert StackLock(tmp_path).holder() is None
    assert StackLock(tmp_path / "no folder").holder() is None


def test_a_lock_just_taken_has_a_holder_without_a_pid(tmp_path: Path) -> None:
    mine = StackLock(tmp_path)
    assert mine.acquire(PROJECT, RUNTIME)
    (tmp_path / lock.LOCK).write_text("")

    holder = StackLock(tmp_path).holder()

    assert holder
    assert (holder.pid, holder.runtime) == (0, "")
    assert holder.serves(tmp_path)  # as far as one knows
    mine.release()


@pytest.mark.parametrize("told", ["4711", "[]", "{}", '{"pid": 1}', "not json", '{"pid": null, "host": 1}',
    '{"pid": 1e999}', "[" * 100_000, f"{' ' * 100_000}{{}}",
])  # fmt: skip
def test_a_lock_that_tells_something_else_has_a_holder_all_the_same(tmp_path: Path, told: str) -> None:
    mine = StackLock(tmp_path)
    assert mine.acquire(PROJECT, RUNTIME)
    (tmp_path / lock.LOCK).write_text(told)

    assert pid_of(tmp_path) == 0
    mine.release()


def test_a_lock_that_is_no_file_is_nobodys_and_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / lock.LOCK)

    assert StackLock(tmp_path).holder() is None
    with pytest.raises(DevkitError, match=f"cannot lock {tmp_path / lock.LOCK}: "):
        StackLock(tmp_path).acquire(PROJECT, RUNTIME)


def test_a_project_that_was_moved_has_its_stack_all_the_same(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    mine = StackLock(before)
    assert mine.acquire(before, RUNTIME)

    before.rename(after)

    holder = StackLock(after).holder()
    assert holder
    assert holder.serves(after)
    mine.release()


def test_whose_stack_it_is(tmp_path: Path) -> None:
    one, link, other = tmp_path / "one", tmp_path / "link", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    link.symlink_to(one)
    mine = StackLock(tmp_path)
    assert mine.acquire(one, RUNTIME)
    holder = mine.holder()
    assert holder

    assert [holder.serves(path) for path in (one, link, other, tmp_path / "none")] == [True, True, False, False]
    assert not replace(holder, host="far-away").serves(one)
    assert not replace(holder, container="c0ffee").serves(one)
    assert str(replace(holder, host="far-away")) == f"pid {os.getpid()} on far-away"
    mine.release()


def test_where_there_are_no_locks_none_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none: that is not the same as one that is held."""
    monkeypatch.setattr(fcntl, "flock", no_locks)

    with pytest.raises(DevkitError, match=f"cannot lock {tmp_path / lock.LOCK}: No locks available"):
        StackLock(tmp_path).acquire(PROJECT, RUNTIME)
    assert StackLock(tmp_path).holder() is None


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_to_look_who_has_the_lock_does_not_take_it_from_anyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process looks at the very moment at which this one starts."""
    looking = os.open(tmp_path / lock.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    mine = StackLock(tmp_path)

    assert mine.acquire(PROJECT, RUNTIME)

    mine.release()
    os.close(looking)


def test_the_wait_for_a_lock_has_an_end(tmp_path: Path) -> None:
    mine = StackLock(tmp_path)
    mine.acquire(PROJECT, RUNTIME)

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


@pytest.mark.parametrize(
    "content", [None, "", "{", "[" * 100_000, '{"a": [99999999999999999999, 1], "b": [-1, 1], "c": [true, 1e400]}']
)
def test_a_record_that_says_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / lock.RECORD).write_text(content)

    assert clean_up(tmp_path, "no such stack") == []


def test_a_record_that_is_no_file_says_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / lock.RECORD)

    assert clean_up(tmp_path, "no such stack") == []


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a file away")
def test_a_record_of_another_user_says_nothing(programs: Programs, tmp_path: Path) -> None:
    """Root may start a stack in their folder, and would end whatever they name."""
    somebody = programs.sleeper()
    record(tmp_path, {"worker": somebody.pid})
    os.chown(tmp_path / lock.RECORD, 12345, 12345)

    assert clean_up(tmp_path, "no such stack") == []
    assert runs(somebody.pid)


def test_a_stack_that_stopped_left_nothing(programs: Programs, tmp_path: Path) -> None:
    worker = programs.sleeper()
    record(tmp_path, {"worker": worker.pid})

    forget(tmp_path)
    forget(tmp_path)

    assert clean_up(tmp_path, "no such stack") == []
    assert runs(worker.pid)
