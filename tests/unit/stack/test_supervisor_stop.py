"""What a stack that runs is asked for, its end above all: histories of the real loop over a fake clock."""

import signal
from typing import Any

import pytest

from devkit.model.loop import Signalled
from devkit.stack.messages import Exited, OutputLost, Ready
from tests.unit.stack.world import (
    API,
    CTRL_C,
    FINISHES,
    MIGRATE,
    NEVER_READY,
    REDIS,
    WORKER,
    Program,
    World,
    service,
    statuses,
)

# --- stop ---


@pytest.mark.parametrize("end", [CTRL_C, Signalled(signal.SIGTERM), OutputLost(), "asked"])
def test_whoever_asks_services_stop_in_reverse_order(end: Any) -> None:
    world = World(REDIS, API, WORKER, service("flower", "worker"))
    if end == "asked":
        world.ask(10, ask="stop")
    else:
        world.at(10, end)

    assert world.run() == 0
    assert world.log[world.log.index("10 stopping") :] == [
        "10 stopping",
        "10 api SIGINT",
        "10 flower SIGINT",
        "10.5 api ends",
        "10.5 flower ends",
        "10.5 worker SIGINT",
        "11 worker ends",
        "11 redis SIGINT",
        "11.5 redis ends",
    ]


def test_who_does_not_stop_is_asked_harder_each_time() -> None:
    world = World(service("worker", grace_s=10), worker=Program(heeds=signal.SIGKILL))
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.log[2:] == [
        "1 all ready: worker",
        "20 stopping",
        "20 worker SIGINT",
        "30 worker SIGTERM",
        "32 devkit: worker ignores SIGINT and SIGTERM: killed",
        "32 worker SIGKILL",
        "32 worker ends",
    ]


def test_who_heeds_sigterm_is_not_killed() -> None:
    world = World(service("worker", grace_s=5), worker=Program(heeds=signal.SIGTERM, takes=1.5))
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("SIG", "worker ends") == ["20 worker SIGINT", "25 worker SIGTERM", "26.5 worker ends"]


def test_a_stop_signal_goes_to_the_group_where_a_shell_runs_the_service() -> None:
    world = World(service("web", signal_group=True))
    world.at(20, CTRL_C)

    world.run()

    assert world.told("SIG") == ["20 web SIGINT to its group"]


def test_a_second_interrupt_kills_all_at_once() -> None:
    world = World(REDIS, API, WORKER, worker=Program(takes=100))
    world.at(20, CTRL_C)
    world.at(21, CTRL_C)

    assert world.run() == 130
    assert world.told("SIG", "ends")[-4:] == [
        "21 redis SIGKILL",
        "21 worker SIGKILL",
        "21 redis ends",
        "21 worker ends",
    ]
    assert world.told("SIGTERM") == []


def test_further_interrupts_do_no_harm() -> None:
    world = World(REDIS, API)
    for moment in (20, 20.1, 20.1, 20.1):
        world.at(moment, CTRL_C)

    assert world.run() == 130


def test_a_stop_while_services_start() -> None:
    world = World(REDIS, API, WORKER, redis=Program(ready=30))
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.log == ["0 redis starts", "20 stopping", "20 redis SIGINT", "20.5 redis ends"]


def test_a_stop_while_a_crashed_service_pauses() -> None:
    world = World(REDIS, WORKER, worker=Program(lives=19))
    world.at(20.1, CTRL_C)

    assert world.run() == 0
    assert world.log[-3:] == ["20.1 stopping", "20.1 redis SIGINT", "20.6 redis ends"]


def test_a_stop_after_a_service_was_given_up() -> None:
    world = World(REDIS, WORKER, worker=Program(lives=2))
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert world.told("SIG") == ["100 redis SIGINT"]


def test_a_service_that_ends_by_itself_during_the_stop_is_no_failure() -> None:
    """A typed Ctrl-C, or the end of what it needs, may reach it by another way."""
    world = World(REDIS, API, redis=Program(lives=20.25))
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("devkit:", "failed") == []


def test_a_service_that_ends_by_itself_while_a_start_is_stopped_is_no_failure() -> None:
    world = World(REDIS, API, redis=Program(lives=20.25), api=NEVER_READY)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.errors == []


# --- restart on request ---


def test_a_ready_service_is_stopped_and_started_again() -> None:
    world = World(REDIS, API)
    reply = world.ask(10, ask="restart", services=["api"])
    answers = [world.ask(moment, ask="status") for moment in (10.25, 10.75, 20)]
    world.at(30, CTRL_C)

    assert world.run() == 0
    assert reply.get_nowait() == {}
    assert world.told(" api ")[2:6] == [
        "10 api SIGINT",
        "10.5 api ends",
        "10.5 api starts",
        "11.5 api ready",
    ]
    found = [answer.get_nowait()["api"] for answer in answers]
    assert [status.state for status in found] == ["stopped", "starting", "ready"]
    assert [status.generation for status in found] == [1, 2, 2]
    assert [status.ready_s for status in found] == [1.0, None, 1.0]
    assert found[-1].restarts == 0


def test_a_service_that_was_given_up_starts_with_a_clean_slate() -> None:
    world = World(WORKER, worker=[*[Program(lives=2)] * 6, Program()])
    world.ask(60, ask="restart", services=["worker"])
    answer = world.ask(70, ask="status")
    world.at(80, CTRL_C)

    assert world.run() == 0
    assert world.told("starts")[-3:] == [
        "60 worker starts",
        "62 devkit: worker ended with exit code 1; it starts again in 0.2 s",
        "62.2 worker starts",
    ]
    assert statuses(answer.get_nowait()) == {"worker": "ready"}


def test_a_crashed_service_that_pauses_starts_at_once() -> None:
    world = World(WORKER, worker=[Program(lives=20), Program()])
    world.ask(20.1, ask="restart", services=["worker"])
    world.at(30, CTRL_C)

    assert world.run() == 0
    assert world.told("worker starts") == ["0 worker starts", "20.1 worker starts"]


def test_a_waiting_service_goes_on_waiting() -> None:
    world = World(REDIS, API, redis=Program(ready=5))
    reply = world.ask(2, ask="restart", services=["api"])
    world.at(30, CTRL_C)

    assert world.run() == 0
    assert reply.get_nowait() == {}
    assert world.told("api starts") == ["5 api starts"]


def test_a_second_request_while_it_stops_changes_nothing() -> None:
    world = World(WORKER, worker=Program(takes=3))
    world.ask(10, ask="restart", services=["worker"])
    world.ask(11, ask="restart", services=["worker"])
    world.at(30, CTRL_C)

    assert world.run() == 0
    assert world.told("SIG", "worker starts") == [
        "0 worker starts",
        "10 worker SIGINT",
        "13 worker starts",
        "30 worker SIGINT",
    ]


def test_a_finished_service_runs_again() -> None:
    world = World(REDIS, MIGRATE, API, migrate=FINISHES)
    world.ask(10, ask="restart", services=["migrate"])
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("migrate starts") == ["1 migrate starts", "10 migrate starts"]


def test_a_stop_overtakes_a_restart() -> None:
    world = World(WORKER, worker=Program(takes=3))
    world.ask(10, ask="restart", services=["worker"])
    world.at(11, CTRL_C)

    assert world.run() == 0
    assert world.log[-1] == "13 worker ends"


def test_one_unknown_name_and_nothing_is_restarted() -> None:
    world = World(REDIS, API)
    reply = world.ask(10, ask="restart", services=["api", "apy"])
    world.at(20, CTRL_C)

    world.run()

    assert reply.get_nowait() == {"error": "there is no service 'apy' in this stack"}
    assert world.told("api SIG") == ["20 api SIGINT"]


# --- messages ---


def test_news_of_a_process_that_is_not_the_current_one_is_ignored() -> None:
    world = World(WORKER, worker=[Program(lives=20), Program(ready=5)])
    old = 1
    world.at(21, Ready("worker", old))
    answer = world.ask(22, ask="status")
    world.at(23, Exited("worker", old, 0))  # told a second time
    world.at(30, Exited("worker", 4711, 0))
    world.at(40, CTRL_C)

    assert world.run() == 0
    assert statuses(answer.get_nowait()) == {"worker": "starting"}
    assert world.told("worker starts", "worker ready") == [
        "0 worker starts",
        "1 worker ready",
        "20.2 worker starts",
        "25.2 worker ready",
    ]


def test_a_service_that_becomes_ready_while_it_stops_goes_on_stopping() -> None:
    world = World(API, WORKER, api=Program(ready=20.25))
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("api ready") == []


@pytest.mark.parametrize("request_", [{}, {"ask": "dance"}, {"ask": "restart"}, {"ask": "restart", "services": "api"}])
def test_a_request_that_this_devkit_does_not_know(request_: dict[str, Any]) -> None:
    world = World(API)
    reply = world.ask(10, **request_)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert "another version of devkit" in reply.get_nowait()["error"]


def test_a_status_before_anything_is_ready() -> None:
    world = World(REDIS, API)
    answer = world.ask(0.5, ask="status")
    world.at(20, CTRL_C)

    world.run()

    status = answer.get_nowait()
    assert statuses(status) == {"redis": "starting", "api": "starting"}
    assert (status["redis"].pid, status["api"].pid) == (1, None)
    assert (status["redis"].generation, status["api"].generation) == (1, 0)
