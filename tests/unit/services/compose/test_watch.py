"""The loop that watches a stack in containers over a fake clock and a fake docker: each test is a history."""

import signal
from queue import SimpleQueue

import pytest

from devkit.model.loop import Signalled
from devkit.services.compose.messages import Composed, Down, EventsEnded, Message
from devkit.stack.messages import Asked, OutputLost
from tests.unit.services.world import CTRL_C, LATER, World

TERM = Signalled(signal.SIGTERM)
GONE = Down("")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def up(world: World) -> World:
    """A stack of which all is ready after five seconds."""
    world.event("start", "redis", health="starting")
    world.event("health_status: healthy", "redis", health="healthy")
    world.event("start", "worker", health="starting")
    world.then(Composed(0))
    world.event("health_status: healthy", "worker", health="healthy")
    return world


def since_up(world: World) -> list[str]:
    """What came after all was ready."""
    return world.log[world.log.index("5 all ready: redis, worker") + 1 :]


def test_from_start_to_ctrl_c(up: World) -> None:
    up.then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert up.log == [
        "1 follow redis",
        "2 redis ready",
        "3 follow worker",
        "5 worker ready",
        "5 all ready: redis, worker",
        "6 stopping",
        "6 take down",
    ]


def test_left_to_docker(up: World) -> None:
    assert up.run(stays=True) == 0
    assert since_up(up) == []


def test_events_that_were_missed_are_made_up_for_when_compose_has_ended(world: World) -> None:
    world.then(Composed(0), lambda: world.set("worker", health="healthy"))

    assert world.run(stays=True) == 0
    assert world.log == ["1 follow worker", "1 worker ready", "1 all ready: worker"]


def test_one_that_has_done_its_work_is_no_failure(world: World) -> None:
    world.event("start", "migration").dies("migration", 0).then(Composed(0))

    assert world.run(stays=True) == 0


def test_containers_of_an_earlier_run_that_stay_stopped_are_not_waited_for(world: World) -> None:
    world.set("old", state="exited", exit_code=137, started_at=LATER)
    world.event("start", "worker").then(Composed(0))

    assert world.run(stays=True, before=[LATER]) == 0
    assert world.told("old") == []


@pytest.mark.parametrize("detached", [False, True])
def test_one_that_ends_while_all_start_ends_it_all(world: World, detached: bool) -> None:
    world.event("start", "worker", health="starting").dies("worker", 3).then(Composed(1)).then(GONE)

    assert world.run(stays=detached) == 1
    assert world.log[-4:] == [
        "2 stop compose",
        "2 failed: worker ended with exit code 3",
        "2 devkit: taking the containers down",
        "3 take down",
    ]
    (error,) = world.errors
    assert error.excerpt == "last words of worker"


def test_one_that_is_unhealthy_while_all_start_ends_it_all(world: World) -> None:
    world.event("start", "worker", health="starting").then(Composed(0))
    world.event("health_status: unhealthy", "worker", health="unhealthy").then(GONE)

    assert world.run() == 1
    assert world.told("failed") == ["3 failed: worker is unhealthy"]


def test_compose_may_know_of_it_first(world: World) -> None:
    world.event("start", "worker", health="starting")
    world.then(Composed(1), lambda: world.set("worker", state="exited", exit_code=3)).then(GONE)

    assert world.run() == 1
    assert world.told("failed") == ["2 failed: worker ended with exit code 3"]


def test_what_compose_says_counts_where_no_container_has_failed(world: World) -> None:
    world.then(Composed(1)).then(GONE)

    assert world.run() == 1
    assert world.log == ["1 take down", "1 failed: compose failed"]


def test_one_that_docker_starts_again_has_its_time_all_the_same(world: World) -> None:
    world.event("start", "worker", health="starting")
    for second in range(2):
        world.dies("worker", 1, state="restarting")
        again = f"2026-11-22T20:50:0{second}.0Z"
        world.event("start", "worker", state="running", health="starting", started_at=again)
    world.wait(57).then(Composed(1)).then(GONE)

    assert world.run() == 1
    assert world.told("devkit: worker", "failed") == [
        "2 devkit: worker ended with exit code 1; docker starts it again",
        "61 failed: worker did not become ready in 60 s",
    ]


def test_one_that_is_not_ready_in_time(world: World) -> None:
    world.event("start", "worker", health="starting").then(Composed(0)).wait(60).then(GONE)

    assert world.run() == 1
    assert world.told("failed") == ["61 failed: worker did not become ready in 60 s"]


def test_a_flood_of_messages_puts_off_no_deadline(world: World) -> None:
    world.event("start", "worker", health="starting").then(Composed(0))

    def slow_to_answer() -> Message:
        world.now += 1
        return Asked({"ask": "status"}, SimpleQueue())

    for _ in range(100):  # all at once, so that one more is there whenever one is answered
        world.at(2, slow_to_answer)
    world.then(GONE)

    assert world.run() == 1
    assert world.told("failed") == ["61 failed: worker did not become ready in 60 s"]


def test_one_that_dies_later_is_told_of_and_the_others_go_on(up: World) -> None:
    up.dies("worker", 137).event("start", "worker", state="running", health="starting", started_at=LATER)
    up.event("health_status: healthy", "worker", health="healthy").then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert since_up(up)[:-2] == [
        "6 failed: worker was killed by SIGKILL",
        "7 follow worker",
        "8 worker ready",
        "8 devkit: worker is ready",
    ]


def test_one_that_docker_restarts_later(up: World) -> None:
    up.dies("worker", 1, state="restarting").then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert since_up(up)[0] == "6 devkit: worker ended with exit code 1; docker starts it again"


def test_one_that_somebody_stops_is_no_failure(up: World) -> None:
    up.event("kill", "worker", by="15").dies("worker", 143).then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert since_up(up)[:-2] == ["7 devkit: worker was stopped"]


@pytest.mark.parametrize("signal", ["9", "SIGKILL"])
def test_one_that_is_killed_is_a_failure(up: World, signal: str) -> None:
    """As the kernel does for want of memory; docker stop asks with another signal first."""
    up.event("kill", "worker", by=signal).dies("worker", 137).then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert since_up(up)[:-2] == ["7 failed: worker was killed by SIGKILL"]


def test_one_that_does_not_heed_the_signal_and_is_killed_was_stopped(up: World) -> None:
    up.event("kill", "worker", by="15").event("kill", "worker", by="9").dies("worker", 137).then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert since_up(up)[:-2] == ["8 devkit: worker was stopped"]


def test_one_that_has_been_started_again_when_its_end_is_heard_of(up: World) -> None:
    up.event("kill", "worker", by="15").event("die", "worker", 0, state="running", started_at=LATER, health="starting")
    up.event("health_status: healthy", "worker", health="healthy").then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert up.told("was stopped", "docker starts it again") == ["7 devkit: worker was stopped"]


def test_one_that_turns_unhealthy(up: World) -> None:
    log = ({"Start": LATER, "End": LATER, "ExitCode": 1, "Output": "no answer\n"},)
    up.event("health_status: unhealthy", "worker", health="unhealthy", health_log=log)
    up.event("health_status: healthy", "worker", health="healthy").then(CTRL_C).then(GONE)

    assert up.run() == 0
    assert since_up(up)[:-2] == [
        "6 devkit: worker is unhealthy: no answer",
        "7 worker ready",
        "7 devkit: worker is healthy again",
    ]


def test_all_are_stopped_from_elsewhere(up: World) -> None:
    for name in ("redis", "worker"):
        up.event("kill", name, by="15").dies(name, 143)
    up.then(GONE)

    assert up.run() == 0
    assert up.log[-3:] == ["9 devkit: the containers were stopped from elsewhere", "9 stopping", "9 take down"]


@pytest.mark.parametrize("message", [TERM, OutputLost(), Asked({"ask": "stop"}, SimpleQueue())])
def test_other_ways_to_ask_for_the_end(up: World, message: Message) -> None:
    up.then(message).then(message).then(GONE)

    assert up.run() == 0
    assert up.told("take down") == ["6 take down"]


def test_a_second_ctrl_c_kills(up: World) -> None:
    up.then(CTRL_C).then(CTRL_C).then(CTRL_C).then(GONE).then(GONE)

    assert up.run() == 130
    assert up.log[-2:] == ["6 take down", "7 kill all"]


def test_ctrl_c_while_compose_builds(world: World) -> None:
    world.then(CTRL_C).wait(10).then(Composed(130)).then(GONE)

    assert world.run() == 0
    assert world.log == ["1 stopping", "1 stop compose", "6 kill compose", "12 take down"]


def test_ctrl_c_before_a_stack_is_left_to_docker(world: World) -> None:
    world.then(CTRL_C).then(Composed(130)).then(GONE)

    assert world.run(stays=True) == 130


def test_an_engine_that_ends(up: World) -> None:
    up.then(EventsEnded()).then(Down("cannot connect"))

    assert up.run() == 1
    assert up.told("failed") == ["6 failed: docker's engine has ended", "7 failed: some of it is left: cannot connect"]


def test_an_engine_that_does_not_answer(world: World) -> None:
    world.answers = False
    world.then(Composed(0)).then(GONE)

    assert world.run() == 1
    assert world.told("failed") == ["1 failed: docker does not answer: timed out"]
