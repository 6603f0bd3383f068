"""Which paused task is meant, what is a task at all, what lists show."""

import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devkit.cli.debug.lists import breakpoint_line, breakpoints_json, paused_json, paused_table, short_id
from devkit.cli.text import ago
from devkit.containers.execs import Exec, InContainer
from devkit.errors import DevkitError, UsageError
from devkit.model.breakpoint import Breakpoint
from devkit.model.container import container_id
from devkit.model.session import Session, Waiting
from devkit.services.debug.containers import ProjectContainers
from devkit.services.debug.find import Debugging
from devkit.services.debug.paused import Paused, matching
from devkit.services.debug.sending import Sending
from devkit.settings.load import load
from devkit.settings.paths import paths_for
from devkit.store.sessions import Sessions

TOKEN = "secret"  # noqa: S105 - of nothing
ID = "4f1c22aa-0d3e-4b6c-9a63-0a4b4a4a5d5e"


def session(**fields: Any) -> Session:
    known: dict[str, Any] = {
        "id": ID, "task": "shop.tasks.divide", "task_id": ID, "args": "x=10, y=0", "file": "/shop/tasks.py", "line": 8,
        "function": "divide", "host": socket.gethostname(), "container": container_id(), "pid": os.getpid(),
        "pid_started": None, "main_pid": os.getpid(), "thread": "MainThread", "port": 6899, "token": TOKEN,
        "since": 1000.0, "state": "paused", "paused_s": 0.0, "why": "breakpoint",
    }  # fmt: skip
    task_id = fields.get("id", known["id"])
    return Session(**{**known, "task_id": task_id, **fields})


def paused(**fields: Any) -> Paused:
    return Paused(session(**fields))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Debugging:
    (tmp_path / "tasks.py").write_text("from celery import Celery\napp = Celery()\n\n@app.task\ndef f():\n    pass\n")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    settings = load(tmp_path, {}, os.environ)
    return Debugging(settings, paths_for(settings.root, settings.options.data_dir, os.environ))


@pytest.mark.parametrize("word", ["divide", "tasks.divide", "shop.tasks.divide", "4f1c", ID])
def test_a_task_is_meant_by_its_name_or_its_id(word: str) -> None:
    one = paused()

    assert matching([paused(id="99", task="shop.tasks.add"), one], word) == [one]


@pytest.mark.parametrize("word", ["ivide", "shop", "4f1", "tasks"])
def test_others_are_not_meant(word: str) -> None:
    assert matching([paused()], word) == []


def test_the_beginning_of_several_ids_is_refused_with_their_names() -> None:
    with pytest.raises(UsageError) as caught:
        matching([paused(id="4f1c1"), paused(id="4f1c2")], "4f1c")

    assert caught.value.looked == ("4f1c1", "4f1c2")


def test_a_whole_id_is_nobody_elses_beginning() -> None:
    one, thread = paused(), paused(id=f"{ID}-2", task_id=ID)

    assert matching([one, thread], ID) == [one]
    assert matching([one, thread], "4f1c") == [one, thread]


def test_paused_ones_only_the_oldest_first(project: Debugging) -> None:
    store = Sessions(str(project.sessions_folder))
    store.put(session(id="b", since=2.0))
    store.put(session(id="a", since=1.0))
    store.put(session(id="c", state="running"))

    assert [one.session.id for one in project.paused()] == ["a", "b"]


def test_an_address_finds_its_session(project: Debugging) -> None:
    Sessions(str(project.sessions_folder)).put(session())

    assert project.at_address("127.0.0.1", 6899).session.token == TOKEN
    assert project.at_address("127.0.0.1", 6900).plain
    assert project.at_address("10.0.0.1", 6899).plain


CONTAINER = "1" * 64
THERE = InContainer(CONTAINER, "shop-worker-2")


class ToldContainers(ProjectContainers):
    """Containers that tell what a test says."""

    def __init__(self, project: Debugging, *told: Session, plain: Sequence[Waiting] = (), gone: str = "") -> None:
        super().__init__(project.root, None, None, list)
        self._told, self._waiting, self._gone = told, plain, gone

    def sessions(self) -> list[tuple[Exec, Session]]:
        return [(THERE, one) for one in self._told]

    def plain(self) -> list[tuple[Exec, Waiting]]:
        return [(THERE, one) for one in self._waiting]

    def is_gone(self, session: Session) -> bool:
        return session.id == self._gone


def in_container(**fields: Any) -> Session:
    return session(host=CONTAINER[:12], container=CONTAINER, file="/app/tasks.py", **fields)


def test_sessions_of_containers(project: Debugging) -> None:
    """In the shared folder, or told of by the container alone; what is told of twice is one."""
    kept, told = in_container(id="a", token="1"), in_container(id="b", token="2", since=2000.0)  # noqa: S106
    Sessions(str(project.sessions_folder)).put(kept)
    project.containers = ToldContainers(project, kept, told, in_container(id="c", token="3", state="running"))  # noqa: S106

    found = project.paused()

    assert [(one.session.id, one.there) for one in found] == [("a", InContainer(CONTAINER, "1" * 12)), ("b", THERE)]
    assert {one.session.file for one in found} == {str(project.root / "tasks.py")}
    assert found[1].place == found[1].to_json()["container"] == "shop-worker-2"
    assert "shop-worker-2" in paused_table(found)


def test_what_a_container_left_behind_is_cleared_away(project: Debugging) -> None:
    store = Sessions(str(project.sessions_folder))
    store.put(in_container(id="a"))
    store.put(in_container(id="b"))
    project.containers = ToldContainers(project, gone="a")

    assert [one.session.id for one in project.paused()] == ["b"]
    assert store.of_task("a") == []


def test_plain_ones_in_several_places_are_several(project: Debugging) -> None:
    project.containers = ToldContainers(project, plain=[Waiting(7, "127.0.0.1", 6899)])

    (one,) = project.plain_elsewhere()

    assert (one.place, one.host, one.session.port, one.plain) == ("shop-worker-2", "127.0.0.1", 6899, True)
    assert one.key != replace(one, there=InContainer("2" * 64, "shop-worker-3")).key
    assert one.key != replace(one, there=None).key


@pytest.mark.parametrize("word", ["divide", "shop.divide", "4f1c", "pid-17"])
def test_what_may_be_waited_for(project: Debugging, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setattr(project, "tasks", lambda: ("shop.divide", "shop.add"))
    project.check(word)


def test_without_a_stack_every_name_may_be_a_task(project: Debugging) -> None:
    project.check("divid")


@pytest.mark.parametrize(
    ("word", "message"), [("divid", "did you mean 'divide'"), ("add", "several tasks end in 'add'")]
)
def test_what_cannot_be_waited_for(
    project: Debugging, monkeypatch: pytest.MonkeyPatch, word: str, message: str
) -> None:
    monkeypatch.setattr(project, "tasks", lambda: ("shop.divide", "shop.add", "cart.add"))

    with pytest.raises(UsageError, match=message):
        project.check(word)


def test_breakpoints_are_set_listed_and_cleared(project: Debugging) -> None:
    project.prepare()
    project.set_breakpoint("tasks.py:6", "x > 1", project.root)
    project.set_breakpoint("f", "", project.root)
    project.set_on_failure("f", retries=True)
    (project.root / "tasks.py").write_text("\n" + (project.root / "tasks.py").read_text())

    assert [breakpoint_line(one, now) for one, now in project.breakpoints()] == [
        "breakpoint 1: tasks.py:7 if x > 1",
        "breakpoint 2: first line of f",
        "breakpoint 3: failures of f, also those that are tried again",
    ]
    assert project.clear((), "f", project.root) == 2
    assert project.clear((), None, project.root) == 1
    assert project.breakpoints() == []


def test_a_breakpoint_may_be_cleared_by_its_place(project: Debugging) -> None:
    project.prepare()
    project.set_breakpoint("tasks.py:6", "", project.root)
    project.set_breakpoint("f", "", project.root)

    assert project.clear(["tasks.py:6"], None, project.root) == 1
    assert [one.kind for one, _ in project.breakpoints()] == ["task"]


@pytest.mark.parametrize("place", ["nowhere.py:3", "tasks.py:60"])
def test_a_place_that_is_none_is_wrong_usage(project: Debugging, place: str) -> None:
    with pytest.raises(UsageError, match=f"no breakpoint at {place}"):
        project.set_breakpoint(place, "", project.root)


def test_lists_never_show_the_token() -> None:
    one = paused()

    assert "secret" not in paused_json([one]) + paused_table([one])
    (document,) = json.loads(paused_json([one]))
    assert document["id"] == ID
    assert document["line"] == 8


def test_the_table() -> None:
    text = paused_table([paused(since=time.time() - 130), Paused(session(id="pid-7", task_id="", token=""), "::1")])

    assert "4f1c22aa" in text
    assert "shop.tasks.divide(x=10, y=0)" in text
    assert "/shop/tasks.py:8 in divide" in text
    assert "2 min" in text
    assert "Celery's own rdb" in text


def test_short_ids() -> None:
    assert short_id(paused()) == "4f1c22aa"
    assert short_id(paused(id=f"{ID}-2", task_id=ID)) == "4f1c22aa-2"
    assert short_id(paused(id="pid-12345678", task_id="")) == "pid-12345678"


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (12.7, "12 s"), (190, "3 min"), (7300, "2 h")])
def test_since(seconds: float, text: str) -> None:
    assert ago(seconds) == text


def test_breakpoints_as_json() -> None:
    line = Breakpoint(1, "line", file="tasks.py", line=6, context=("pass",))

    (document,) = json.loads(breakpoints_json([(line, None)]))
    assert (document["file"], document["line"]) == ("tasks.py", None)
    assert "context" not in document


def test_what_goes_wrong_with_sending_is_told_to_who_waits() -> None:
    def news() -> Any:
        yield {"sent": "4f1c"}
        raise DevkitError("no broker")

    sending = Sending(news())
    heard: list[object] = []

    def hear() -> None:
        while True:
            heard.extend(sending.news(5.0))

    with pytest.raises(DevkitError, match="no broker"):
        hear()
    assert heard == [{"sent": "4f1c"}]
