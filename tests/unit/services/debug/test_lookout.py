"""Looking around in containers: which there are, what is paused in them, what is gone."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from devkit.containers.docker import LABEL
from devkit.containers.execs import Exec, InContainer
from devkit.containers.watch import ContainerWatch, Inside
from devkit.errors import DevkitError, UsageError
from devkit.model.session import Session, Waiting
from devkit.services.debug.containers import Only, ProjectContainers
from devkit.services.debug.lookout import AGAIN_S, ContainerSource, Lookout, OfProject, Pod, named, state_of
from devkit.store.files import replace as replace_file
from tests.unit.waiting import wait_for

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
SESSION = Session(
    id="a", task="tasks.divide", task_id="a", args="1, 2", file="/app/tasks.py", line=3, function="divide",
    host="111111111111", container=ONE, pid=7, pid_started=70.0, main_pid=1, thread="", port=6900, token="",
    since=1000.0, state="paused", paused_s=0.0, why="breakpoint",
)  # fmt: skip


# As much of docker as is asked here; what each container is lies in a file for each of its names.
DOCKER = """\
#!/bin/sh
cd "${0%/*}" || exit
if [ -s problem ]; then cat problem >&2; exit 1; fi
if [ "$1" = ps ]; then exec cat running; fi
shift 3
echo "$@" >> inspected
missing=0
for name; do
  if [ -e "$name.json" ]; then all="$all${all:+,}$(cat "$name.json")"
  else echo "Error: No such container: $name" >&2; missing=1; fi
done
echo "[$all]"
exit $missing
"""


def container(id_: str, folder: Path, **fields: Any) -> dict[str, Any]:
    """A worker of the compose file in that folder, in docker's words."""
    known = {"service": "worker", "name": f"shop-worker-{id_[0]}", "state": "running", "exit_code": 0, **fields}
    labels = {"service": known["service"], "container-number": id_[0], "project.working_dir": str(folder)}
    return {
        "Id": id_, "Name": f"/{known['name']}", "Image": "", "Path": "celery", "Args": [], "NetworkSettings": {},
        "Config": {"Labels": {f"{LABEL}{key}": value for key, value in labels.items()}},
        "State": {"Status": known["state"], "Pid": 1, "ExitCode": known["exit_code"], "StartedAt": ""},
    }  # fmt: skip


class Engine:
    """A docker command, and the project in whose folder two of its containers have their compose file."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "shop"
        self.root.mkdir()
        (self.root / "compose.yml").write_text("services: {}\n")
        self._folder = folder / "docker"
        self._folder.mkdir()
        self.docker = str(self._folder / "docker")
        Path(self.docker).write_text(DOCKER)
        Path(self.docker).chmod(0o700)

    def has(self, *containers: dict[str, Any]) -> None:
        """These are all that there are."""
        for file in self._folder.glob("*.json"):
            file.unlink()
        for one in containers:
            for name in (one["Id"], one["Name"][1:]):
                (self._folder / f"{name}.json").write_text(json.dumps(one))
        ids = [one["Id"] for one in containers if one["State"]["Status"] == "running"]
        replace_file(str(self._folder / "running"), "\n".join(ids))

    def fails(self, why: str) -> None:
        (self._folder / "problem").write_text(why)

    @property
    def inspected(self) -> list[str]:
        return (self._folder / "inspected").read_text().split()

    def place(self, id_: str, name: str) -> InContainer:
        return InContainer(id_, name, self.docker)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = Engine(tmp_path)
    engine.has(
        container(ONE, engine.root),
        container(TWO, engine.root, service="api", name="shop-api-1"),
        container(THREE, Path("/other")),
    )
    return engine


class FakeWatch:
    """Tells what a test says."""

    def __init__(self, exec_: Exec, changed: Callable[[], object]) -> None:
        self.exec, self._changed = exec_, changed
        self.inside: Inside | None = None
        self.problem: Exception | None = None
        self.lacks_python = False
        self.closed = False

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


class Watches(list[FakeWatch]):
    """Makes watches, and has those that were made."""

    def __call__(self, exec_: Exec, changed: Callable[[], object]) -> ContainerWatch:
        self.append(FakeWatch(exec_, changed))
        return cast("ContainerWatch", self[-1])


@pytest.fixture
def watches() -> Watches:
    return Watches()


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
def looking(places: ContainerSource, watches: Watches, again_s: float = AGAIN_S) -> Iterator[Lookout]:
    lookout = Lookout(places, watches, every_s=0.005, again_s=again_s)
    try:
        wait_for(lambda: lookout._listed)
        yield lookout
    finally:
        lookout.close()


def names(lookout: Lookout) -> list[str]:
    return sorted(one.name for one in lookout.everywhere().values())


def test_what_is_told_comes_with_its_place(watches: Watches) -> None:
    with looking(fixed(ONE, TWO), watches) as lookout:
        waiting = Waiting(9, "127.0.0.1", 6899)
        watches[0].tell(SESSION)
        watches[1].tell(plain=(waiting,))

        assert lookout.sessions() == [(InContainer(ONE, "shop-worker-1"), SESSION)]
        assert lookout.plain() == [(InContainer(TWO, "shop-worker-2"), waiting)]
        assert lookout.find(ONE[:12]) == InContainer(ONE, "shop-worker-1")
        assert lookout.find("4") is None


def test_it_is_settled_when_each_place_has_told_or_cannot(watches: Watches) -> None:
    with looking(fixed(ONE, TWO), watches) as lookout:
        watches[0].tell()
        before = time.monotonic()
        lookout.settle(0.02)
        assert time.monotonic() - before >= 0.02
        watches[1].fail("there is no Python in shop-worker-2", lacks_python=True)
        before = time.monotonic()
        lookout.settle(10)
        assert time.monotonic() - before < 5


def test_containers_come_and_go(watches: Watches) -> None:
    places = fixed(ONE)
    with looking(places, watches) as lookout:
        watches[0].tell(SESSION)
        places.places = fixed(TWO).places
        wait_for(lambda: names(lookout) == ["shop-worker-2"])

        assert lookout.sessions() == []
        assert [one.closed for one in watches] == [True, False]
    assert watches[1].closed


def test_one_that_could_not_be_looked_into_is_tried_again(watches: Watches) -> None:
    with looking(fixed(ONE, TWO), watches, again_s=0.0) as lookout:
        watches[0].fail("it restarts")
        watches[1].fail("no Python", lacks_python=True)
        wait_for(lambda: len(watches) == 3)
        watches[2].tell(SESSION)

        assert [one.exec.name for one in watches] == ["shop-worker-1", "shop-worker-2", "shop-worker-1"]
        assert [session for _, session in lookout.sessions()] == [SESSION]


def test_what_a_container_left_behind_is_gone(watches: Watches) -> None:
    places = fixed(ONE)
    with looking(places, watches) as lookout:
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
    places = OfProject(engine.docker, engine.root, lambda: kept)

    assert {one.name for one in places.running().values()} == {"shop-worker-1", "shop-api-1"}
    kept.add(THREE)  # started by whatever, but its sessions lie in the project's folder
    assert places.running().keys() == {ONE, TWO, THREE}
    assert engine.inspected == [ONE, TWO, THREE]  # each once
    assert places.all_running == {ONE, TWO, THREE}


def test_docker_is_not_asked_where_nothing_speaks_of_containers(engine: Engine) -> None:
    (engine.root / "compose.yml").unlink()
    engine.fails("it was asked")

    assert OfProject(engine.docker, engine.root, set).running() == {}


def test_docker_that_does_not_answer_changes_nothing(engine: Engine, watches: Watches) -> None:
    with looking(OfProject(engine.docker, engine.root, set), watches) as lookout:
        watches[0].tell(SESSION)
        engine.fails("Cannot connect to the Docker daemon")
        wait_for(lambda: lookout.problem)

        assert lookout.problem == "Cannot connect to the Docker daemon"
        assert [session for _, session in lookout.sessions()] == [SESSION]
        assert not lookout.is_gone(SESSION)


@pytest.mark.parametrize("name", ["worker", "worker-1", "shop-worker-1", ONE])
def test_a_container_by_its_names(engine: Engine, name: str) -> None:
    places = named(engine.docker, name, engine.root)

    assert places.running() == {ONE: engine.place(ONE, "shop-worker-1")}
    assert places.name == "shop-worker-1"


def test_all_containers_of_a_service(engine: Engine) -> None:
    engine.has(container(ONE, engine.root), container("4" * 64, engine.root))

    assert len(named(engine.docker, "worker", engine.root).running()) == 2
    assert list(named(engine.docker, "worker-4", engine.root).running()) == ["4" * 64]


def test_a_container_that_there_is_not(engine: Engine) -> None:
    with pytest.raises(UsageError, match="there is no container 'shop-worker-2'; did you mean 'shop-worker-") as caught:
        named(engine.docker, "shop-worker-2", engine.root)
    assert "what runs: shop-api-1, shop-worker-1, shop-worker-3" in caught.value.looked

    engine.fails("Cannot connect to the Docker daemon at unix:///x")
    with pytest.raises(DevkitError, match="Cannot connect to the Docker daemon at unix:///x"):
        named(engine.docker, "worker", engine.root)
    with pytest.raises(DevkitError, match="no docker on PATH"):
        named(None, "worker", engine.root)


def test_why_nothing_can_be_found_in_the_one_place(engine: Engine, watches: Watches) -> None:
    with looking(named(engine.docker, "worker", engine.root), watches) as lookout:
        assert lookout.trouble() == ""
        watches[0].fail("there is no Python in shop-worker-1", lacks_python=True)
        assert lookout.trouble() == "there is no Python in shop-worker-1"
        engine.has()
        wait_for(lambda: not lookout.everywhere())
        assert lookout.trouble() == "shop-worker-1 has stopped"
        engine.fails("docker is gone")
        wait_for(lambda: lookout.problem)
        assert lookout.trouble() == "docker is gone"


def test_a_pod(watches: Watches) -> None:
    with looking(Pod("worker-0", "staging"), watches) as lookout:
        watches[0].fail('pods "worker-0" not found')
        assert lookout.source.name == "pod staging/worker-0"
        assert lookout.trouble() == 'pods "worker-0" not found'


def test_what_became_of_a_container(engine: Engine) -> None:
    there = engine.place(ONE, ONE[:12])
    assert (state_of(there).name, state_of(there).ended) == ("shop-worker-1", "")
    engine.has(container(ONE, engine.root, state="exited", exit_code=137))
    assert state_of(there).ended == "the container shop-worker-1 has stopped, exit code 137"
    engine.has()
    assert state_of(there).ended == "the container 111111111111 is gone"


def project_containers(*kept: Session, path: str = "", only: Only | None = None) -> ProjectContainers:
    return ProjectContainers(Path("/srv/shop"), path, only, lambda: list(kept))


def test_where_there_is_no_docker_nothing_is_looked_for() -> None:
    one = project_containers(SESSION)
    one.look()

    assert (one.sessions(), one.plain(), one.looked(), one.is_gone(SESSION)) == ([], [], [], False)
    assert one.place(SESSION) == InContainer(ONE, ONE[:12])
    assert one.place(replace(SESSION, container="")) is None


def test_nothing_is_loaded_for_what_is_on_this_machine() -> None:
    """`devkit debug` without containers is no slower."""
    code = "import sys, devkit.services.debug.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "devkit.services.debug.client" in loaded
    assert [name for name in loaded if "containers." in name or "lookout" in name] == []


@pytest.mark.parametrize("only", [Only(container="worker"), Only(pod="worker-0")])
def test_what_asks_for_a_place_needs_its_program(only: Only) -> None:
    with pytest.raises(DevkitError, match=r"there is no (docker|kubectl) on PATH"):
        project_containers(only=only).look()
