"""The files of paused tasks: what is in them, who can read them, whose are cleared away."""

import json
import os
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.model.container import container_id
from devkit.model.session import Session
from devkit.store.sessions import GONE, Sessions, process_started
from tests.unit.waiting import wait_for

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def store(tmp_path: Path) -> Sessions:
    return Sessions(str(tmp_path / ".devkit" / "debug" / "sessions"))


def session(session_id: str = "a", **changes: object) -> Session:
    """One of this process."""
    made = Session(
        id=session_id, task="shop.total", task_id=session_id, args="x=10, name='ü'", file="/shop.py", line=3,
        function="total", host=socket.gethostname(), container=container_id(), pid=os.getpid(),
        pid_started=process_started(os.getpid()), main_pid=os.getppid(), thread="", port=6899, token="t",  # noqa: S106 - it opens nothing
        since=1000.5, state="paused", paused_s=0.0, why="breakpoint",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def names(store: Sessions) -> list[str]:
    return sorted(path.name for path in Path(store.folder).iterdir())


def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_was_put_is_there_until_it_is_removed(store: Sessions) -> None:
    first = session("a", since=2.0)
    other = session("b", since=1.0, state="running", pid_started=None)
    store.put(first)
    store.put(other)

    assert Sessions(store.folder).all() == [other, first], "the longest paused one comes first"

    later = replace(first, since=0.5, line=4)
    store.put(later)
    assert store.all() == [later, other]

    store.remove("a")
    store.remove("a")
    assert store.all() == [other]
    assert names(store) == ["b.json"]


def test_without_a_folder_there_is_none(store: Sessions) -> None:
    assert store.all() == []
    assert store.of_task("a") == []
    store.remove("a")

    assert not Path(store.folder).exists()


def test_only_the_user_can_read_them(store: Sessions) -> None:
    before = os.umask(0)
    try:
        store.put(session())
    finally:
        os.umask(before)

    folder = Path(store.folder)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700] * 2
    assert stat.S_IMODE((folder / "a.json").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written(store: Sessions) -> None:
    """Root may write everywhere, but not where a file is in the way."""
    Path(store.folder).parent.mkdir(parents=True, exist_ok=True)
    Path(store.folder).write_text("")
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        store.put(session("b"))
    store.remove("a")

    assert store.all() == []


@pytest.mark.parametrize(
    "session_id",
    ["a/b", "../../up", "/etc/passwd", "..", ".", ".hidden", "ü x", "a.json", "~", "a\0b", "\ud800", "50%2F"],
)
def test_any_id_is_one_file_in_the_folder(store: Sessions, session_id: str) -> None:
    store.put(session(session_id))

    assert store.of_task(session_id) == [session(session_id)]
    assert store.all() == [session(session_id)]
    assert len(names(store)) == 1
    assert names(store)[0].endswith(".json")
    assert [path.name for path in Path(store.folder).parent.iterdir()] == ["sessions"]
    store.remove(session_id)
    assert names(store) == []


def test_an_id_that_no_file_can_have_is_an_error_of_the_system(store: Sessions) -> None:
    """Which whoever puts it is prepared for: the task goes on."""
    with pytest.raises(OSError):  # noqa: PT011 - the words are the system's
        store.put(session("x" * 300))


def test_ids_are_not_mixed_up(store: Sessions) -> None:
    store.put(session("a/b"))
    store.put(session("a_b"))

    assert store.of_task("a/b") == [session("a/b")]


GOOD = json.dumps(session().to_wire())


@pytest.mark.parametrize(
    "junk",
    [
        *(GOOD[:end].encode() for end in (0, 1, 50, len(GOOD) - 1)),
        b"\xff\xfe", b"null", b"7", b"[]", b"{}", b'"text"', b"\0" * 100,
        b"[" * 100_000,
        pytest.param(GOOD.replace(f'"pid": {os.getpid()}', '"pid": "1"').encode(), id="no number"),
        pytest.param(GOOD.replace(f'"pid": {os.getpid()}', f'"pid": {2**70}').encode(), id="too large"),
        pytest.param(GOOD.replace("1000.5", '"now"').encode(), id="no time"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_session_is_passed_over(store: Sessions, junk: bytes) -> None:
    store.put(session("b"))
    (Path(store.folder) / "a.json").write_bytes(junk)

    assert [found for found in store.all() if found.id != "a"] == [session("b")]
    assert store.of_task("b") == [session("b")]


def test_other_files_and_folders_are_passed_over(store: Sessions) -> None:
    store.put(session())
    (Path(store.folder) / ".x1y2").write_text(GOOD)  # one that is being written
    (Path(store.folder) / "folder.json").mkdir()
    (Path(store.folder) / "dangling.json").symlink_to("nothing")

    assert store.all() == [session()]
    assert names(store) == [".x1y2", "a.json", "dangling.json", "folder.json"]


def test_fields_that_a_later_devkit_adds_are_passed_over(store: Sessions) -> None:
    store.put(session())
    (Path(store.folder) / "a.json").write_text(json.dumps(session().to_wire() | {"more": 1}))

    assert store.all() == [session()]


# --- the living and the dead ---


def test_what_a_dead_process_left_is_cleared_away(store: Sessions) -> None:
    store.put(session("a", pid=dead()))
    store.put(session("b"))
    assert store.of_task("a"), "asked for by its task it is still told"

    assert store.all() == [session("b")]
    assert names(store) == ["b.json"]


@needs_linux
def test_a_later_process_with_the_same_number_is_another_one(store: Sessions) -> None:
    started = process_started(os.getpid())
    assert started
    store.put(session("a", pid_started=started - 1))
    store.put(session("b", pid_started=started))

    assert [found.id for found in store.all()] == ["b"]
    assert names(store) == ["b.json"]


def test_where_the_system_does_not_tell_when_a_process_started_it_is_taken_for_the_same(store: Sessions) -> None:
    store.put(session("a", pid_started=None))

    assert store.all() == [session("a", pid_started=None)]


def test_a_process_of_another_user_is_alive(store: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    store.put(session())

    assert store.all() == [session()]


def test_of_other_hosts_and_containers_nothing_is_cleared_away(store: Sessions) -> None:
    other = session(host="another", container="another", pid=dead())
    store.put(other)

    assert store.all() == [other]


@needs_linux
def test_a_process_that_ended_and_was_not_waited_for_is_dead(store: Sessions) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    try:
        store.put(session(pid=process.pid))
        wait_for(lambda: process_started(process.pid) == GONE)
        assert store.all() == []
    finally:
        process.communicate()


@needs_linux
def test_when_a_process_started(tmp_path: Path) -> None:
    """Its name is part of the line, and may look like the rest of it."""
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"x")
        process.stdin.flush()
        process.stdout.read(1)  # it runs under its own name now
        mine, its = process_started(os.getpid()), process_started(process.pid)
        assert mine
        assert its
        ticks = os.sysconf("SC_CLK_TCK")
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        assert mine <= its <= (uptime + 1) * ticks
        process.stdin.close()

    assert process_started(process.pid) == GONE


# --- of one task ---


def test_all_sessions_of_a_task(store: Sessions) -> None:
    for session_id, task_id in (("a1", "a1"), ("a1-2", "a1"), ("b1", "b1"), ("pid-7", "")):
        store.put(session(session_id, task_id=task_id))
    store.put(session("a1-3", task_id="a1", pid=dead()))

    assert sorted(found.id for found in store.of_task("a1")) == ["a1", "a1-2", "a1-3"]
    assert store.of_task("c1") == []


def test_a_task_whose_id_begins_another_one(store: Sessions) -> None:
    store.put(session("order-1"))
    store.put(session("order-10"))
    store.put(session("order-1-2", task_id="order-1"))

    assert sorted(found.id for found in store.of_task("order-1")) == ["order-1", "order-1-2"]


def test_a_task_whose_id_has_a_slash(store: Sessions) -> None:
    store.put(session("shop/1"))

    assert store.of_task("shop/1") == [session("shop/1")]
