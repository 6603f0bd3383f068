"""The loop that watches a stack in containers, docker being a few values that the test sets."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any

import pytest

from devkit.containers.docker import Container, DockerError
from devkit.containers.streams import Event
from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus
from devkit.services.compose.messages import Composed, Down, EventsEnded, Happened, Inbox, Message
from devkit.services.compose.watch import Watch
from devkit.stack.messages import Asked, OutputLost, Signalled
from tests.unit.services.compose.listed import container

CTRL_C = Signalled(signal.SIGINT)
TERM = Signalled(signal.SIGTERM)
LATER = "2026-11-22T20:50:00.0Z"


@dataclass
class Docker:
    """The engine, and the reporter, too: what both were told is in `told`.

    Each message comes with what docker has to tell by then; with none left, the test fails.
    """

    containers: dict[str, Container] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    script: list[tuple[Message | None, Callable[[], object]]] = field(default_factory=list)
    now: float = 0.0
    gone: str = ""

    # The engine

    def look(self, containers: Sequence[str] = ()) -> list[Container]:
        return [one for one in self.containers.values() if not containers or one.id in containers]

    def follow(self, name: str, container: Container) -> None:
        self.told.append(f"follow {name}")

    def tail(self, container: Container) -> str:
        return f"last words of {container.service}"

    def keep(self, times: Mapping[str, float]) -> None:
        pass

    def explain(self) -> DevkitError:
        return DevkitError("compose failed")

    def stop_compose(self, *, kill: bool) -> None:
        self.told.append("kill compose" if kill else "stop compose")

    def take_down(self, *, kill: bool) -> None:
        self.told.append("kill all" if kill else "take down")

    # The reporter

    def add(self, names: Sequence[str]) -> None:
        pass

    def ready(self, name: str) -> None:
        self.told.append(f"{name} ready")

    def all_ready(self, services: Sequence[ServiceStatus]) -> None:
        self.told.append(f"all ready: {', '.join(one.name for one in services)}")

    def notice(self, text: str) -> None:
        self.told.append(text)

    def stopping(self) -> None:
        self.told.append("stopping")

    def failed(self, error: DevkitError) -> None:
        self.told.append(f"Error: {error.what}: {error.excerpt}" if error.excerpt else f"Error: {error.what}")

    # What happens

    def set(self, service: str, **more: Any) -> str:
        """A container is made, or changes; returns its id."""
        before = self.containers.get(service) or container(service, started_at="2026-11-22T20:40:00.0Z")
        self.containers[service] = replace(before, **more)
        return before.id

    def then(self, message: Message | None, change: Callable[[], object] = lambda: None) -> "Docker":
        self.script.append((message, change))
        return self

    def event(self, action: str, service: str, code: int = 0, by: str = "", **more: Any) -> "Docker":
        """Something happens to a container, which then is like that."""
        id_ = container(service).id
        return self.then(Happened(Event(id_, action, code, by)), lambda: self.set(service, **more))

    def dies(self, service: str, code: int, **more: Any) -> "Docker":
        return self.event("die", service, code, **{"state": "exited", "exit_code": code, **more})


class Script(SimpleQueue[Message]):
    """An inbox in which each message arrives just when it is asked for."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    def get(self, block: bool = True, timeout: float | None = None) -> Message:
        from queue import Empty

        if not self._docker.script:
            pytest.fail(f"waits for ever: {self._docker.told}")
        message, change = self._docker.script.pop(0)
        change()
        if message is None:
            assert timeout is not None
            self._docker.now += timeout
            raise Empty
        return message


def run(docker: Docker, *, stays: bool = False, before: Sequence[str] = ()) -> int:
    inbox: Inbox = Script(docker)
    watch = Watch(
        docker, inbox, docker, start_timeout_s=60.0, stays=stays, before=before, clock=lambda: docker.now
    )  # fmt: skip
    code = watch.run()
    assert docker.script == [], docker.told
    return code


@pytest.fixture
def docker() -> Docker:
    return Docker()


@pytest.fixture
def up(docker: Docker) -> Docker:
    """A stack of which all is ready."""
    docker.event("start", "redis", health="starting")
    docker.event("health_status: healthy", "redis", health="healthy")
    docker.event("start", "worker", health="starting")
    docker.then(Composed(0))
    docker.event("health_status: healthy", "worker", health="healthy")
    return docker


def test_from_start_to_ctrl_c(up: Docker) -> None:
    up.then(CTRL_C).then(Down(""))

    assert run(up) == 0
    assert up.told == [
        "follow redis", "redis ready", "follow worker", "worker ready", "all ready: redis, worker", "stopping",
        "take down",
    ]  # fmt: skip


def test_left_to_docker(up: Docker) -> None:
    assert run(up, stays=True) == 0
    assert up.told[-1] == "all ready: redis, worker"


def test_events_that_were_missed_are_made_up_for_when_compose_has_ended(docker: Docker) -> None:
    docker.then(Composed(0), lambda: docker.set("worker", health="healthy"))

    assert run(docker, stays=True) == 0
    assert docker.told == ["follow worker", "worker ready", "all ready: worker"]


def test_one_that_has_done_its_work_is_no_failure(docker: Docker) -> None:
    docker.event("start", "migration").dies("migration", 0).then(Composed(0))

    assert run(docker, stays=True) == 0


def test_containers_of_an_earlier_run_that_stay_stopped_are_not_waited_for(docker: Docker) -> None:
    docker.set("old", state="exited", exit_code=137, started_at=LATER)
    docker.event("start", "worker").then(Composed(0))

    assert run(docker, stays=True, before=[LATER]) == 0
    assert "follow old" not in docker.told


@pytest.mark.parametrize("terminal", [False, True])
def test_one_that_ends_while_all_start_ends_it_all(docker: Docker, terminal: bool) -> None:
    docker.event("start", "worker", health="starting").dies("worker", 3).then(Composed(1)).then(Down(""))

    assert run(docker, stays=terminal) == 1
    assert docker.told[-4:] == [
        "stop compose", "Error: worker ended with exit code 3: last words of worker", "taking the containers down",
        "take down",
    ]  # fmt: skip


def test_one_that_is_unhealthy_while_all_start_ends_it_all(docker: Docker) -> None:
    docker.event("start", "worker", health="starting").then(Composed(0))
    docker.event("health_status: unhealthy", "worker", health="unhealthy").then(Down(""))

    assert run(docker) == 1
    assert "Error: worker is unhealthy: last words of worker" in docker.told


def test_compose_may_know_of_it_first(docker: Docker) -> None:
    docker.event("start", "worker", health="starting")
    docker.then(Composed(1), lambda: docker.set("worker", state="exited", exit_code=3)).then(Down(""))

    assert run(docker) == 1
    assert "Error: worker ended with exit code 3: last words of worker" in docker.told


def test_what_compose_says_counts_where_no_container_has_failed(docker: Docker) -> None:
    docker.then(Composed(1)).then(Down(""))

    assert run(docker) == 1
    assert docker.told == ["take down", "Error: compose failed"]


def test_one_that_docker_starts_again_has_its_time_all_the_same(docker: Docker) -> None:
    docker.event("start", "worker", health="starting")
    for second in range(2):
        docker.dies("worker", 1, state="restarting")
        again = f"2026-11-22T20:50:0{second}.0Z"
        docker.event("start", "worker", state="running", health="starting", started_at=again)
    docker.then(None).then(Composed(1)).then(Down(""))

    assert run(docker) == 1
    assert docker.now == 60.0
    assert docker.told.count("worker ended with exit code 1; docker starts it again") == 1
    assert "Error: worker did not become ready in 60 s: last words of worker" in docker.told


def test_one_that_is_not_ready_in_time(docker: Docker) -> None:
    docker.event("start", "worker", health="starting").then(Composed(0)).then(None).then(Down(""))

    assert run(docker) == 1
    assert docker.now == 60.0
    assert "Error: worker did not become ready in 60 s: last words of worker" in docker.told


def test_one_that_dies_later_is_told_of_and_the_others_go_on(up: Docker) -> None:
    up.dies("worker", 137).event("start", "worker", state="running", health="starting", started_at=LATER)
    up.event("health_status: healthy", "worker", health="healthy").then(CTRL_C).then(Down(""))

    assert run(up) == 0
    assert up.told[5:-2] == [
        "Error: worker was killed by SIGKILL: last words of worker", "follow worker", "worker ready",
        "worker is ready",
    ]  # fmt: skip


def test_one_that_docker_restarts_later(up: Docker) -> None:
    up.dies("worker", 1, state="restarting").then(CTRL_C).then(Down(""))

    assert run(up) == 0
    assert "worker ended with exit code 1; docker starts it again" in up.told


def test_one_that_somebody_stops_is_no_failure(up: Docker) -> None:
    up.event("kill", "worker", by="15").dies("worker", 143).then(CTRL_C).then(Down(""))

    assert run(up) == 0
    assert up.told[5:-2] == ["worker was stopped"]


def test_one_that_has_been_started_again_when_its_end_is_heard_of(up: Docker) -> None:
    up.event("kill", "worker", by="15").event("die", "worker", 0, state="running", started_at=LATER, health="starting")
    up.event("health_status: healthy", "worker", health="healthy").then(CTRL_C).then(Down(""))

    assert run(up) == 0
    assert "worker was stopped" in up.told
    assert not any("docker starts it again" in text for text in up.told)


def test_one_that_turns_unhealthy(up: Docker) -> None:
    log = ({"Start": LATER, "End": LATER, "ExitCode": 1, "Output": "no answer\n"},)
    up.event("health_status: unhealthy", "worker", health="unhealthy", health_log=log)
    up.event("health_status: healthy", "worker", health="healthy").then(CTRL_C).then(Down(""))

    assert run(up) == 0
    assert up.told[5:-2] == ["worker is unhealthy: no answer", "worker ready", "worker is healthy again"]


def test_all_are_stopped_from_elsewhere(up: Docker) -> None:
    for name in ("redis", "worker"):
        up.event("kill", name, by="15").dies(name, 143)
    up.then(Down(""))

    assert run(up) == 0
    assert up.told[-3:] == ["the containers were stopped from elsewhere", "stopping", "take down"]


@pytest.mark.parametrize("message", [TERM, OutputLost(), Asked({"ask": "stop"}, SimpleQueue())])
def test_other_ways_to_ask_for_the_end(up: Docker, message: Message) -> None:
    up.then(message).then(message).then(Down(""))

    assert run(up) == 0
    assert up.told.count("take down") == 1


def test_a_second_ctrl_c_kills(up: Docker) -> None:
    up.then(CTRL_C).then(CTRL_C).then(CTRL_C).then(Down("")).then(Down(""))

    assert run(up) == 130
    assert up.told[-2:] == ["take down", "kill all"]


def test_ctrl_c_while_compose_builds(docker: Docker) -> None:
    docker.then(CTRL_C).then(None).then(Composed(130)).then(Down(""))

    assert run(docker) == 0
    assert docker.told == ["stopping", "stop compose", "kill compose", "take down"]


def test_ctrl_c_before_a_stack_is_left_to_docker(docker: Docker) -> None:
    docker.then(CTRL_C).then(Composed(130)).then(Down(""))

    assert run(docker, stays=True) == 130


def test_an_engine_that_ends(up: Docker) -> None:
    up.then(EventsEnded()).then(Down("cannot connect"))

    assert run(up) == 1
    assert "Error: docker's engine has ended" in up.told
    assert up.told[-1] == "Error: some of it is left: cannot connect"


def test_an_engine_that_does_not_answer(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: Sequence[str] = ()) -> list[Container]:
        raise DockerError("timed out")

    monkeypatch.setattr(docker, "look", look)
    docker.then(Composed(0)).then(Down(""))

    assert run(docker) == 1
    assert "Error: docker does not answer: timed out" in docker.told
