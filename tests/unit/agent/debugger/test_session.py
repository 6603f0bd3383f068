"""What others see of a thread that is paused, and when."""

import sys
from pathlib import Path

import pytest

from devkit.agent.debugger.session import KeptSession
from devkit.store.sessions import Sessions


def kept(folder: Path) -> KeptSession:
    return KeptSession(Sessions(str(folder)), "pid-1", 1, "nobody sees it")


def test_nobody_sees_it_before_it_is_paused_nor_once_it_is_removed(tmp_path: Path) -> None:
    session, store = kept(tmp_path), Sessions(str(tmp_path))
    session.change(port=6900)
    assert store.all() == []
    session.paused(sys._getframe(), 7, "breakpoint")
    (seen,) = store.all()
    assert (seen.id, seen.port, seen.file, seen.line, seen.state) == ("pid-1", 6900, __file__, 7, "paused")
    session.remove()
    session.put(why="attached")  # another thread had still something to say
    assert store.all() == []


def test_pauses_add_up(tmp_path: Path) -> None:
    session, store = kept(tmp_path), Sessions(str(tmp_path))
    for _ in range(2):
        session.paused(sys._getframe(), 7, "breakpoint")
        session.change(since=session.now.since - 100.0)
        session.resumed()
    (seen,) = store.all()
    assert seen.state == "running"
    assert 200.0 <= seen.paused_s < 300.0


def test_the_task_does_not_suffer_where_it_cannot_be_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    kept(tmp_path / "file").paused(sys._getframe(), 7, "breakpoint")
    assert capfd.readouterr().err == f"devkit: {tmp_path}/file: Not a directory: nobody sees it\n"
