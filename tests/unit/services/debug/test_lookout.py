"""Looking around in containers: which there are, what is paused in them, what is gone."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from devkit.containers.docker import Container, DockerError
from devkit.containers.execs import Exec, InContainer
from devkit.containers.watch import Inside, Waiting
from devkit.errors import DevkitError, UsageError
from devkit.model.session import Session
from devkit.services.debug import lookout as containers
from devkit.services.debug.containers import Elsewhere, Only
from devkit.services.debug.lookout import Lookout, Named, OfProject, Pod, named, state_of
from tests.unit.waiting import wait_for

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
SESSION = Session(
    id="a", task="tasks.divide", task_id="a", args="1, 2", file="/app/tasks.py", line=3, function="divide",
    host="111111111111", container=ONE, pid=7, pid_started=70.0, main_pid=1, thread="", port=6900, token="",
    since=1000.0, state="paused", paused_s=0.0, why="breakpoint",
)  # fmt: skip


def container(id_: str, **fields: Any) -> Container:
    number = int(id_[0])
    known = Container(
        id=id_, name=f"shop-worker-{number}", project="shop", service="worker", number=number, folder="/srv/shop",
        config_files=(), image="", hostname=id_[:12], aliases=frozenset(), environ={}, mounts=(), ports=(),
        state="running", health="", pid=1, restarts=0, exit_code=0, started_at="", health_log=(),
    )  # fmt: skip
    return replace(known, **fields)


class Engine:
    """A docker, as the lookout asks it."""

    def __init__(self, *all_: Container) -> None:
        self.all = list(all_)
        self.inspected: list[str] = []
        self.problem = ""

    def running(self, docker: str) -> list[str]:
        if self.problem:
            raise DockerError(self.problem)
        return [one.id for one in self.all if one.running]

    def inspect(self, docker: str, names: list[str]) -> list[Container]:
        self.inspected += names
        return [one for one in self.all if one.id in names or one.name in names]

    def containers_of(self, docker: str, root: Path) -> list[Container]:
        if self.problem:
            raise DockerError(self.problem)
        return [one for one in self.all if one.is_near(root) and one.running]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine(container(ONE), container(TWO, service="api", name="shop-api-1"), container(THREE, folder="/other"))
    for name in ("running", "inspect", "containers_of"):
        monkeypatch.setattr(containers, name, getattr(engine, name))
    monkeypatch.setattr(containers, "has_compose_file", lambda _: True)
    return engine


class FakeWatch:
    """Tells what a test says."""

    all: "list[FakeWatch]"

    def __init__(self, exec_: Exec, changed: Any) -> None:
        self.exec, self._changed = exec_, changed
        self.inside: Inside | None = None
        self.problem: Exception | None = None
        self.lacks_python = False
        self.closed = False
        FakeWatch.all.append(self)

    def tell(
        self, *sessions: Session, plain: tuple[Waiting, ...] = (), alive: Mapping[int, float] | None = None
    ) -> None:
        self.inside = Inside(plain, sessions, {7: 70.0} if alive is None else alive)
        self._changed()

    def fail(self, why: str, *, lacks_python: bool = False) -> None:
        self.inside, self.problem, self.lacks_python = None, OSError(why), lacks_python
        self._changed()

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def watches(monkeypatch: pytest.MonkeyPatch) -> list[FakeWatch]:
    FakeWatch.all = []
    monkeypatch.setattr(containers, "Watch", FakeWatch)
    monkeypatch.setattr(containers, "LIST_S", 0.005)
    return FakeWatch.all


@dataclass
class Fixed:
    """Always the same places, until a test changes them."""

    places: dict[str, Exec]
    name: str = "these"
    all_running: set[str] | None = None

    def running(self) -> Mapping[str, Exec]:
        return dict(self.places)


def fixed(*ids: str) -> Fixed:
    return Fixed({id_: InContainer(id_, f"shop-worker-{id_[0]}") for id_ in ids})


@contextmanager
def looking(places: containers.Places) -> Iterator[Lookout]:
    lookout = Lookout(places)
    try:
        wait_for(lambda: lookout._listed)
        yield lookout
    finally:
        lookout.close()


def names(lookout: Lookout) -> list[str]:
    return sorted(one.name for one in lookout.everywhere().values())


def test_what_is_told_comes_with_its_place(watches: list[FakeWatch]) -> None:
    with looking(fixed(ONE, TWO)) as lookout:
        waiting = Waiting(9, "127.0.0.1", 6899)
        watches[0].tell(SESSION)
        watches[1].tell(plain=(waiting,))

        assert lookout.sessions() == [(InContainer(ONE, "shop-worker-1"), SESSION)]
        assert lookout.plain() == [(InContainer(TWO, "shop-worker-2"), waiting)]
        assert lookout.find(ONE[:12]) == InContainer(ONE, "shop-worker-1")
        assert lookout.find("4") is None


def test_it_is_settled_when_each_place_has_told_or_cannot(watches: list[FakeWatch]) -> None:
    with looking(fixed(ONE, TWO)) as lookout:
        watches[0].tell()
        before = time.monotonic()
        lookout.settle(0.02)
        assert time.monotonic() - before >= 0.02
        watches[1].fail("there is no Python in shop-worker-2", lacks_python=True)
        before = time.monotonic()
        lookout.settle(10)
        assert time.monotonic() - before < 5


def test_containers_come_and_go(watches: list[FakeWatch]) -> None:
    places = fixed(ONE)
    with looking(places) as lookout:
        watches[0].tell(SESSION)
        places.places = fixed(TWO).places
        wait_for(lambda: names(lookout) == ["shop-worker-2"])

        assert lookout.sessions() == []
        assert [one.closed for one in watches] == [True, False]
    assert watches[1].closed


def test_one_that_could_not_be_looked_into_is_tried_again(
    watches: list[FakeWatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "AGAIN_S", 0.0)
    with looking(fixed(ONE, TWO)) as lookout:
        watches[0].fail("it restarts")
        watches[1].fail("no Python", lacks_python=True)
        wait_for(lambda: len(watches) == 3)
        watches[2].tell(SESSION)

        assert [one.exec.name for one in watches] == ["shop-worker-1", "shop-worker-2", "shop-worker-1"]
        assert [session for _, session in lookout.sessions()] == [SESSION]


def test_what_a_container_left_behind_is_gone(watches: list[FakeWatch]) -> None:
    places = fixed(ONE)
    with looking(places) as lookout:
        assert not lookout.is_gone(SESSION)  # nothing is known yet
        watches[0].tell()
        assert not lookout.is_gone(SESSION)
        assert lookout.is_gone(replace(SESSION, pid_started=69.0))
        assert not lookout.is_gone(replace(SESSION, pid_started=None))
        assert lookout.is_gone(replace(SESSION, pid=8))
        assert not lookout.is_gone(replace(SESSION, pid=8, since=time.time()))  # what is told may be older
        places.all_running = {ONE}
        assert lookout.is_gone(replace(SESSION, container=TWO))
        assert not lookout.is_gone(replace(SESSION, container="proj-worker"))  # no id of docker's


def test_the_projects_containers(engine: Engine) -> None:
    kept: set[str] = set()
    places = OfProject("docker", Path("/srv/shop"), lambda: kept)

    assert [one.name for one in places.running().values()] == ["shop-worker-1", "shop-api-1"]
    kept.add(THREE)  # started by whatever, but its sessions lie in the project's folder
    assert list(places.running()) == [ONE, TWO, THREE]
    assert engine.inspected == [ONE, TWO, THREE]  # each once
    assert places.all_running == {ONE, TWO, THREE}


def test_docker_is_not_asked_where_nothing_speaks_of_containers(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "has_compose_file", lambda _: False)
    engine.problem = "it was asked"

    assert OfProject("docker", Path("/srv/shop"), set).running() == {}


def test_docker_that_does_not_answer_changes_nothing(engine: Engine, watches: list[FakeWatch]) -> None:
    with looking(OfProject("docker", Path("/srv/shop"), set)) as lookout:
        watches[0].tell(SESSION)
        engine.problem = "Cannot connect to the Docker daemon"
        wait_for(lambda: lookout.problem)

        assert lookout.problem == "Cannot connect to the Docker daemon"
        assert [session for _, session in lookout.sessions()] == [SESSION]
        assert not lookout.is_gone(SESSION)


@pytest.mark.parametrize("name", ["worker", "worker-1", "shop-worker-1", ONE])
def test_a_container_by_its_names(engine: Engine, name: str) -> None:
    places = named("docker", name, Path("/srv/shop"))

    assert places.running() == {ONE: InContainer(ONE, "shop-worker-1")}
    assert places.name == "shop-worker-1"


def test_all_containers_of_a_service(engine: Engine) -> None:
    engine.all.append(container("4" * 64))

    assert len(named("docker", "worker", Path("/srv/shop")).running()) == 2
    assert list(named("docker", "worker-4", Path("/srv/shop")).running()) == ["4" * 64]


def test_a_container_that_there_is_not(engine: Engine) -> None:
    with pytest.raises(UsageError, match="there is no container 'shop-worker-2'; did you mean 'shop-worker-") as caught:
        named("docker", "shop-worker-2", Path("/srv/shop"))
    assert "what runs: shop-api-1, shop-worker-1, shop-worker-3" in caught.value.looked

    engine.problem = "Cannot connect to the Docker daemon at unix:///x"
    with pytest.raises(DevkitError, match="Cannot connect to the Docker daemon at unix:///x"):
        named("docker", "worker", Path("/srv/shop"))
    with pytest.raises(DevkitError, match="no docker on PATH"):
        named(None, "worker", Path("/srv/shop"))


def test_why_nothing_can_be_found_in_the_one_place(engine: Engine, watches: list[FakeWatch]) -> None:
    with looking(Named("docker", [engine.all[0]])) as lookout:
        assert lookout.trouble() == ""
        watches[0].fail("there is no Python in shop-worker-1", lacks_python=True)
        assert lookout.trouble() == "there is no Python in shop-worker-1"
        engine.all.clear()
        wait_for(lambda: not lookout.everywhere())
        assert lookout.trouble() == "shop-worker-1 has stopped"
        engine.problem = "docker is gone"
        wait_for(lambda: lookout.problem)
        assert lookout.trouble() == "docker is gone"


def test_a_pod(watches: list[FakeWatch]) -> None:
    with looking(Pod("worker-0", "staging")) as lookout:
        watches[0].fail('pods "worker-0" not found')
        assert lookout.places.name == "pod staging/worker-0"
        assert lookout.trouble() == 'pods "worker-0" not found'


def test_what_became_of_a_container(engine: Engine) -> None:
    there = InContainer(ONE, ONE[:12])
    assert (state_of(there).name, state_of(there).ended) == ("shop-worker-1", "")
    engine.all[0] = container(ONE, state="exited", exit_code=137)
    assert state_of(there).ended == "the container shop-worker-1 has stopped, exit code 137"
    engine.all.clear()
    assert state_of(there).ended == "the container 111111111111 is gone"


def elsewhere(*kept: Session, path: str = "", only: Only | None = None) -> Elsewhere:
    return Elsewhere(Path("/srv/shop"), path, only, lambda: list(kept))


def test_where_there_is_no_docker_nothing_is_looked_for() -> None:
    one = elsewhere(SESSION)
    one.look()

    assert (one.sessions(), one.plain(), one.looked(), one.is_gone(SESSION)) == ([], [], [], False)
    assert one.place(SESSION) == InContainer(ONE, ONE[:12])
    assert one.place(replace(SESSION, container="")) is None


def test_nothing_is_loaded_for_what_is_on_this_machine() -> None:
    """`devkit debug` without containers is no slower."""
    code = "import sys, devkit.services.debug.find; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "devkit.services.debug.find" in loaded
    assert [name for name in loaded if "containers." in name or "lookout" in name] == []


@pytest.mark.parametrize("only", [Only(container="worker"), Only(pod="worker-0")])
def test_what_asks_for_a_place_needs_its_program(only: Only) -> None:
    with pytest.raises(DevkitError, match=r"there is no (docker|kubectl) on PATH"):
        elsewhere(only=only).look()
