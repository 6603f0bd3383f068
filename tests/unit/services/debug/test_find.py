"""The paused tasks of a project: of its own sessions, and of what its containers tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from devkit.cli.debug.lists import paused_table
from devkit.containers.execs import InContainer
from devkit.model.session import Waiting
from devkit.services.debug.find import PausedTasks
from devkit.store.sessions import Sessions
from tests.unit.services.debug.pauses import (
    CONTAINER,
    THERE,
    TOKEN,
    ToldContainers,
    ToldTasks,
    in_container,
    paths_in,
    session,
)


@pytest.fixture
def tasks(tmp_path: Path) -> PausedTasks:
    return ToldTasks(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Sessions:
    return Sessions(str(paths_in(tmp_path).sessions))


def test_paused_ones_only_the_oldest_first(tasks: PausedTasks, store: Sessions) -> None:
    store.put(session(id="b", since=2.0))
    store.put(session(id="a", since=1.0))
    store.put(session(id="c", state="running"))

    assert [one.session.id for one in tasks.ours()] == ["a", "b"]


def test_an_address_finds_its_session(tasks: PausedTasks, store: Sessions) -> None:
    store.put(session())

    assert tasks.at_address("127.0.0.1", 6899).session.token == TOKEN
    assert tasks.at_address("127.0.0.1", 6900).plain
    assert tasks.at_address("10.0.0.1", 6899).plain


def test_sessions_of_containers(tasks: PausedTasks, store: Sessions, tmp_path: Path) -> None:
    """In the shared folder, or told of by the container alone; what is told of twice is one."""
    (tmp_path / "tasks.py").touch()
    kept, told = in_container(id="a", token="1"), in_container(id="b", token="2", since=2000.0)  # noqa: S106
    store.put(kept)
    running = in_container(id="c", token="3", state="running")  # noqa: S106
    tasks.containers = ToldContainers(tmp_path, kept, told, running)

    found = tasks.ours()

    assert [(one.session.id, one.there) for one in found] == [("a", InContainer(CONTAINER, "1" * 12)), ("b", THERE)]
    assert {one.session.file for one in found} == {str(tmp_path / "tasks.py")}
    assert found[1].place == found[1].to_json()["container"] == "shop-worker-2"
    assert "shop-worker-2" in paused_table(found)


def test_what_a_container_left_behind_is_cleared_away(tasks: PausedTasks, store: Sessions, tmp_path: Path) -> None:
    store.put(in_container(id="a"))
    store.put(in_container(id="b"))
    tasks.containers = ToldContainers(tmp_path, gone="a")

    assert [one.session.id for one in tasks.ours()] == ["b"]
    assert store.of_task("a") == []


def test_plain_ones_in_several_places_are_several(tasks: PausedTasks, tmp_path: Path) -> None:
    tasks.containers = ToldContainers(tmp_path, plain=[Waiting(7, "127.0.0.1", 6899)])

    (one,) = tasks.plain_in_containers()

    assert (one.place, one.host, one.session.port, one.plain) == ("shop-worker-2", "127.0.0.1", 6899, True)
    assert one.key != replace(one, there=InContainer("2" * 64, "shop-worker-3")).key
    assert one.key != replace(one, there=None).key
