"""Failures on their way to their store, which may be slow, down or full."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.agent.recorder import writer as module
from devkit.agent.recorder.writer import Writer
from devkit.model.failure import Failure
from devkit.store.failures import open_store
from devkit.store.records import Limits, StoreError
from tests.unit.waiting import wait_for

BODY = b"[[1], {}, {}]"


def failure(task_id: str = "3f2a", **changes: object) -> Failure:
    made = Failure(
        id=task_id, task="tasks.total", state="FAILURE", retries=0, exception="ValueError", message="one\n  two",
        traceback="", frames=(), call="", names=(), headers={}, properties={}, delivery_info={}, content_type="",
        content_encoding="", failed_at=time.time(), started_at=None, worker="", revision="", body=BODY,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


class Store:
    """One that may be held up, or be down."""

    where = "somewhere"
    unreadable = 0

    def __init__(self) -> None:
        self.kept: list[Failure] = []
        self.errors: list[Exception] = []
        self.open = threading.Event()
        self.open.set()

    def add(self, failures: Sequence[Failure]) -> None:
        self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.kept += failures


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr(module, "say", texts.append)
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    return texts


Make = Callable[..., tuple[Writer, Store]]


@pytest.fixture
def make(said: list[str], tmp_path: Path) -> Make:
    def made(limits: Limits | None = None) -> tuple[Writer, Store]:
        store = Store()
        return Writer("", store, limits or Limits(), str(tmp_path)), store  # type: ignore[arg-type]

    return made


def put(writer: Writer, *failures: Failure, size: int = 1) -> None:
    for one in failures:
        writer.put(lambda one=one: one, size)  # type: ignore[misc]


def test_what_is_put_is_kept_in_order_and_a_flush_waits_for_it(make: Make) -> None:
    writer, store = make()
    put(writer, *(failure(str(n)) for n in range(120)))
    writer.flush()

    assert [one.id for one in store.kept] == [str(n) for n in range(120)]


def test_without_a_failure_there_is_no_thread(make: Make) -> None:
    before = threading.active_count()
    writer, _ = make()
    writer.flush()
    assert threading.active_count() == before
    put(writer, failure())
    assert threading.active_count() == before + 1


def test_a_flush_gives_up_on_a_store_that_hangs(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.05)
    writer, store = make()
    store.open.clear()
    put(writer, failure())
    began = time.monotonic()
    writer.flush()

    assert 0.05 <= time.monotonic() - began < 2
    assert not store.kept
    store.open.set()


def test_a_store_that_is_back_in_a_moment_loses_nothing(make: Make, said: list[str]) -> None:
    writer, store = make()
    store.errors = [StoreError("down")]
    put(writer, failure())
    writer.flush()

    assert len(store.kept) == 1
    assert said == []


def test_a_store_that_is_down_is_told_of_once_a_minute(
    make: Make, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, store = make()
    store.errors = [StoreError("down")] * 6
    for n in range(3):
        put(writer, failure(str(n)))
        writer.flush()
    assert said == ["devkit: 1 failure could not be kept in somewhere: down"]

    monkeypatch.setattr(module, "COMPLAIN_S", 0.0)
    store.errors = [OSError("full")]  # whatever else it raises
    put(writer, failure())
    writer.flush()
    assert said[1:] == ["devkit: 3 failures could not be kept in somewhere: full"]
    put(writer, failure("last"))
    writer.flush()
    assert [one.id for one in store.kept] == ["last"]


def test_what_cannot_be_made_a_record_is_told_of_and_the_others_are_kept(make: Make, said: list[str]) -> None:
    writer, store = make()

    def fails() -> Failure:
        raise TypeError("None is not str")

    writer.put(fails, 1)
    put(writer, failure())
    writer.flush()

    assert len(store.kept) == 1
    assert said == ["devkit: 1 failure could not be kept in somewhere: None is not str"]


@pytest.mark.parametrize(("size", "waiting"), [(1, 1000), (40, 3), (500, 1)])
def test_what_waits_is_limited_in_number_and_in_size(make: Make, said: list[str], size: int, waiting: int) -> None:
    writer, store = make(Limits(size=100 if size > 1 else 10**6))
    store.open.clear()
    put(writer, failure("first"), size=0)
    wait_for(writer._waiting.empty)
    put(writer, *(failure(str(n)) for n in range(1100)), size=size)
    store.open.set()
    writer.flush()

    # Some of a thousand may have been taken before the store hung.
    assert waiting <= len(store.kept) - 1 <= waiting + 50
    assert len(said) == 1
    assert "could not be kept in somewhere: too many at once" in said[0]
    put(writer, failure("later"), size=size)
    writer.flush()
    assert store.kept[-1].id == "later"


def test_a_body_of_more_than_half_of_all_is_left_out(make: Make) -> None:
    writer, store = make(Limits(size=2**20))
    put(writer, failure("large", body=b"x" * (2**19 + 1)), failure("small", body=b"x" * 2**19))
    writer.flush()
    large, small = store.kept

    assert (large.body, small.missing) == (None, "")
    assert large.missing == "the arguments are 0.5 MB, more than the 0.5 MB (half of failures_mb) that are kept"
    assert small.body


def test_the_log_has_the_command_to_type_for_what_counts_and_is_kept(make: Make, said: list[str]) -> None:
    writer, _ = make()
    writer.hints = True
    uuid = "0f8b6ac2-3c5e-4b57-a8a5-c5b1a1c6ee11"
    put(writer, failure(uuid), failure("my id; rm"), failure("r", state="RETRY"), failure("l", message="x" * 999))
    writer.flush()

    assert said[:2] == [
        "devkit: tasks.total failed, ValueError: one two · devkit replay 0f8b6ac2",
        "devkit: tasks.total failed, ValueError: one two · devkit replay 'my id; rm'",
    ]
    assert len(said) == 3
    assert said[2].endswith("x… · devkit replay l")
    assert len(said[2]) < 300


def test_the_revision_is_that_of_the_projects_git(make: Make, tmp_path: Path) -> None:
    def git(*command: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=b")
        done = subprocess.run(["git", *who, *command], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def revision() -> str:
        writer, store = make()
        put(writer, failure())
        writer.flush()
        return store.kept[0].revision

    assert revision() == ""
    git("init", "-q")
    (tmp_path / "tasks.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "one")
    git("tag", "-am", "v1", "v1")
    head = git("rev-parse", "HEAD")
    assert revision() == head
    (tmp_path / "tasks.py").write_text("2")
    assert revision() == f"{head}-dirty"


def test_the_folder_takes_what_the_writer_gives(said: list[str], tmp_path: Path) -> None:
    folder = str(tmp_path / "failures")
    writer = Writer(folder, open_store(folder), Limits(), str(tmp_path))
    put(writer, failure("a"))
    writer.flush()

    assert [one.body for one in open_store(folder).newest(bodies=True)] == [BODY]
