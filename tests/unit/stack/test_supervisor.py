"""Starts and crashes: the real loop over a fake clock and fake processes. Each test is a history."""

from dataclasses import replace

from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus
from devkit.stack.messages import Exited, Gone, Progressed, Ready
from devkit.stack.restarts import DELAYS_S
from devkit.stack.service import Poll
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

# --- start ---


def test_dependencies_start_first_and_independent_services_side_by_side() -> None:
    world = World(WORKER, API, REDIS, redis=Program(ready=2), api=Program(ready=1), worker=Program(ready=3))
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[:8] == [
        "0 redis starts",
        "2 redis ready",
        "2 worker starts",
        "2 api starts",
        "3 api ready",
        "5 worker ready",
        "5 all ready: worker, api, redis",
        "10 stopping",
    ]


def test_a_service_waits_for_all_that_it_needs() -> None:
    world = World(service("a"), service("b"), service("c", "a", "b"), b=Program(ready=4))
    world.at(10, CTRL_C)

    world.run()

    assert world.told("c starts") == ["4 c starts"]


def test_what_is_not_part_of_the_stack_is_not_waited_for() -> None:
    world = World(WORKER)
    world.at(10, CTRL_C)

    world.run()

    assert world.told("worker starts") == ["0 worker starts"]


def test_all_ready_is_told_once() -> None:
    world = World(REDIS, API)
    world.ask(5, ask="restart", services=["api"])
    world.at(10, CTRL_C)

    world.run()

    assert world.told("all ready") == ["2 all ready: redis, api"]
    assert world.told("devkit:") == ["6.5 devkit: api is ready after 1.0 s"]


def test_seconds_to_ready_count_from_each_services_own_start() -> None:
    world = World(REDIS, API, redis=Program(ready=2), api=Program(ready=1.25))
    answer = world.ask(5, ask="status")
    world.at(10, CTRL_C)

    world.run()

    status = answer.get_nowait()
    assert (status["redis"].ready_s, status["api"].ready_s) == (2.0, 1.25)


# --- a start that fails ---


def test_a_failed_start_stops_the_rest() -> None:
    world = World(REDIS, API, WORKER, api=Program(ready=None, lives=2, code=3))

    assert world.run() == 1
    assert world.log == [
        "0 redis starts",
        "1 redis ready",
        "1 api starts",
        "1 worker starts",
        "2 worker ready",
        "3 api ends",
        "3 failed: api ended with exit code 3",
        "3 worker SIGINT",
        "3.5 worker ends",
        "3.5 redis SIGINT",
        "4 redis ends",
    ]
    (error,) = world.errors
    assert error.excerpt == "last words of api"
    assert error.mend == ("read all of its output: devkit logs api",)


def test_what_waits_for_a_service_that_fails_is_never_started() -> None:
    world = World(REDIS, API, redis=Program(ready=None, lives=1))

    assert world.run() == 1
    assert world.log == ["0 redis starts", "1 redis ends", "1 failed: redis ended with exit code 1"]


def test_the_first_failure_is_the_news() -> None:
    world = World(REDIS, API, WORKER, api=[DevkitError("cannot run api")], worker=[DevkitError("cannot run worker")])

    assert world.run() == 1
    assert [error.what for error in world.errors] == ["cannot run api"]


def test_what_ends_while_a_failed_start_is_stopped_is_no_news() -> None:
    world = World(REDIS, API, WORKER, api=Program(ready=None, lives=1), worker=Program(takes=5), redis=Program(lives=3))

    assert world.run() == 1
    assert world.told("ends") == ["2 api ends", "3 redis ends", "7 worker ends"]
    assert [error.what for error in world.errors] == ["api ended with exit code 1"]


def test_a_service_that_ends_well_but_was_to_stay_has_failed() -> None:
    world = World(API, api=Program(ready=None, lives=1, code=0))

    assert world.run() == 1
    assert [error.what for error in world.errors] == ["api ended with exit code 0"]


def test_a_start_that_takes_too_long() -> None:
    api = service("api", "redis", ready=Poll(lambda: True, "GET http://127.0.0.1:8000/"))
    world = World(REDIS, api, timeout=60, api=NEVER_READY)

    assert world.run() == 1
    assert world.log == [
        "0 redis starts",
        "1 redis ready",
        "1 api starts",
        "61 failed: api did not become ready in 60 s",
        "61 api SIGINT",
        "61.5 api ends",
        "61.5 redis SIGINT",
        "62 redis ends",
    ]
    assert world.errors[0].mend[0] == "devkit waited for GET http://127.0.0.1:8000/; more time: --timeout SECONDS"


def test_a_program_that_cannot_be_started() -> None:
    world = World(REDIS, API, api=[DevkitError("cannot run uvicorn: No such file or directory")])

    assert world.run() == 1
    assert [error.what for error in world.errors] == ["cannot run uvicorn: No such file or directory"]
    assert world.told("SIG") == ["1 redis SIGINT"]


def test_what_all_others_use_and_is_none_of_the_stacks_goes_away_meanwhile() -> None:
    world = World(
        service("redis", external=True, url="redis://cache"), API, WORKER, api=NEVER_READY, worker=NEVER_READY
    )
    world.at(5, Gone("redis"))

    assert world.run() == 1
    assert world.told("failed") == ["5 failed: redis answers no more"]
    assert world.told("SIGINT") == ["5 api SIGINT", "5 worker SIGINT"]


def test_once_all_are_ready_it_may_come_back() -> None:
    world = World(service("redis", external=True), API)
    world.at(5, Gone("redis"))
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("failed") == []


# --- what is optional ---

FLOWER = service("flower", "redis", optional=True)


def test_an_optional_service_that_does_not_start_is_spared() -> None:
    world = World(REDIS, API, FLOWER, flower=Program(ready=None, lives=3, code=2))
    answer = world.ask(10, ask="status")
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("all ready", "failed") == [
        "4 failed: flower ended with exit code 2",
        "4 all ready: redis, api, flower",
    ]
    flower = answer.get_nowait()["flower"]
    assert (flower.state, flower.spared) == ("failed", True)
    assert flower.note == "flower ended with exit code 2: last words of flower"


def test_one_that_is_never_ready_is_ended() -> None:
    world = World(REDIS, FLOWER, timeout=60, flower=NEVER_READY)
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert world.told("flower", "all ready")[1:] == [
        "61 failed: flower did not become ready in 60 s",
        "61 flower SIGINT",
        "61.5 flower ends",
        "61.5 all ready: redis, flower",
    ]


def test_what_is_not_optional_cannot_spare_what_it_depends_on() -> None:
    world = World(FLOWER, REDIS, service("page", "flower"), flower=Program(ready=None, lives=1))

    assert world.run() == 1
    assert [error.what for error in world.errors] == ["flower ended with exit code 1"]


def test_what_is_optional_does_not_wait_for_what_is_spared() -> None:
    page = service("page", "flower", optional=True)
    world = World(page, FLOWER, REDIS, flower=Program(ready=None, lives=1))
    answer = world.ask(10, ask="status")
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert [error.what for error in world.errors] == [
        "flower ended with exit code 1", "page needs flower, which did not start",
    ]  # fmt: skip
    assert statuses(answer.get_nowait()) == {"page": "failed", "flower": "failed", "redis": "ready"}
    assert world.told("page starts") == []


# --- the programs for which there is a stack ---

PROGRAMS = [REDIS, *(replace(one, optional=True, program=True) for one in (API, WORKER))]
WAITS = Progressed("api", 2, 1, "failed", "no module nosuch; the next save tries again")


def test_without_one_of_them_the_others_run_and_the_start_has_failed_all_the_same() -> None:
    world = World(*PROGRAMS, FLOWER, api=Program(ready=None, lives=2, code=3))
    answer = world.ask(10, ask="status")
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("all ready", "failed") == [
        "3 failed: api ended with exit code 3",
        "3 all ready: redis, api, worker, flower",
    ]
    assert [name for name, one in answer.get_nowait().items() if one.missed] == ["api"]
    assert world.errors[0].mend[-1] == "start it again: devkit restart api"


def test_flower_is_not_missed() -> None:
    world = World(*PROGRAMS, FLOWER, flower=Program(ready=None, lives=1))
    answer = world.ask(10, ask="status")
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert not any(one.missed for one in answer.get_nowait().values())


def test_without_all_of_them_there_is_nothing_to_run() -> None:
    world = World(*PROGRAMS, FLOWER, api=Program(ready=None, lives=2), worker=Program(ready=None, lives=4))

    assert world.run() == 1
    assert world.told("failed") == ["3 failed: api ended with exit code 1", "5 failed: worker ended with exit code 1"]
    assert world.told("all ready") == []


def test_one_that_waits_for_a_save_is_spared_and_may_be_ready_later() -> None:
    world = World(*PROGRAMS, api=NEVER_READY)
    world.at(3, WAITS)
    answers = [world.ask(moment, ask="status") for moment in (10, 16)]
    world.at(15, Ready("api", 2))
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("all ready", "failed") == [
        "3 failed: api did not start: no module nosuch; the next save tries again",
        "3 all ready: redis, api, worker",
    ]
    before, after = [answer.get_nowait()["api"] for answer in answers]
    assert (before.state, before.pid, before.missed) == ("failed", 2, True)
    assert (after.state, after.pid, after.missed) == ("ready", 2, False)
    assert world.told("api SIGINT", "api ends") == ["20 api SIGINT", "20.5 api ends"]


def test_one_that_waits_for_a_save_is_ended_with_the_others_and_may_end_before() -> None:
    for more in ([], [Exited("api", 2, -9)]):
        world = World(*PROGRAMS, api=NEVER_READY)
        world.at(3, WAITS)
        for message in more:
            world.at(10, message)
        world.at(20, CTRL_C)
        assert world.run() == 0
        assert world.told("api starts") == ["1 api starts"]


def test_who_asked_for_one_that_waits_for_a_save_has_nothing() -> None:
    world = World(REDIS, API, api=NEVER_READY)
    world.at(3, WAITS)

    assert world.run() == 1
    assert world.told("SIGINT") == ["3 api SIGINT", "3.5 redis SIGINT"]


def test_a_spared_service_starts_when_it_is_asked_to() -> None:
    world = World(REDIS, FLOWER, flower=[Program(ready=None, lives=1), Program()])
    world.ask(10, ask="restart", services=["flower"])
    answer = world.ask(15, ask="status")
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert statuses(answer.get_nowait()) == {"redis": "ready", "flower": "ready"}


# --- crashes later ---


def test_a_crash_leads_to_a_restart_and_disturbs_nobody_else() -> None:
    world = World(REDIS, API, WORKER, worker=[Program(lives=20, code=-9), Program()])
    answers = [world.ask(moment, ask="status") for moment in (21.1, 25)]
    world.at(30, CTRL_C)

    assert world.run() == 0
    assert [entry for entry in world.log if 3 < float(entry.split()[0]) < 30] == [
        "21 worker ends",
        "21 devkit: worker was killed by SIGKILL; it starts again in 0.2 s",
        "21.2 worker starts",
        "22.2 worker ready",
        "22.2 devkit: worker is ready after 1.0 s",
    ]
    between, after = (answer.get_nowait()["worker"] for answer in answers)
    assert (between.state, between.pid, between.note) == ("starting", None, "worker was killed by SIGKILL")
    assert (after.state, after.restarts, after.generation, after.note) == ("ready", 1, 2, "")


def test_quick_crashes_are_answered_later_each_time_and_then_no_more() -> None:
    world = World(REDIS, API, WORKER, worker=Program(lives=2))
    answer = world.ask(30, ask="status")
    world.at(40, CTRL_C)

    assert world.run() == 0
    ends = [float(entry.split()[0]) for entry in world.told("worker ends")]
    starts = [float(entry.split()[0]) for entry in world.told("worker starts")]
    pauses = [round(start - end, 3) for end, start in zip(ends, starts[1:], strict=False)]
    assert pauses == list(DELAYS_S)
    assert len(ends) == len(starts) == len(DELAYS_S) + 1
    (error,) = world.errors
    assert error.what == "worker ended with exit code 1, again and again"
    assert error.excerpt == "last words of worker"
    assert "start it again: devkit restart worker" in error.mend
    assert statuses(answer.get_nowait()) == {"redis": "ready", "api": "ready", "worker": "failed"}


def test_a_service_that_ran_well_in_between_is_tried_for_ever() -> None:
    world = World(WORKER, worker=Program(lives=20))
    world.at(1000, CTRL_C)

    assert world.run() == 0
    assert world.errors == []
    assert {entry.split("again in ")[1] for entry in world.told("again in")} == {"0.2 s"}
    assert len(world.told("worker starts")) > 40


def test_a_program_that_cannot_be_started_again_is_tried_again_too() -> None:
    world = World(WORKER, worker=[Program(lives=20), DevkitError("cannot run celery: Text file busy"), Program()])
    world.at(30, CTRL_C)

    assert world.run() == 0
    assert world.told("again in", "starts") == [
        "0 worker starts",
        "20 devkit: worker ended with exit code 1; it starts again in 0.2 s",
        "20.2 devkit: cannot run celery: Text file busy; it starts again in 0.5 s",
        "20.7 worker starts",
    ]


def test_a_restarted_service_that_hangs_is_given_up_while_the_others_go_on() -> None:
    world = World(REDIS, WORKER, timeout=60, worker=[Program(lives=20), NEVER_READY])
    answer = world.ask(100, ask="status")
    world.at(200, CTRL_C)

    assert world.run() == 0
    assert [error.what for error in world.errors] == ["worker did not become ready in 60 s"]
    assert statuses(answer.get_nowait()) == {"redis": "ready", "worker": "failed"}


def test_what_a_crashed_service_needs_has_to_be_ready_again_first() -> None:
    world = World(REDIS, WORKER, redis=[Program(lives=20), Program(ready=5)], worker=[Program(lives=19), Program()])
    world.at(40, CTRL_C)

    world.run()

    assert world.told("starts")[2:] == [
        "20 devkit: redis ended with exit code 1; it starts again in 0.2 s",
        "20 devkit: worker ended with exit code 1; it starts again in 0.2 s",
        "20.2 redis starts",
        "25.2 worker starts",
    ]


# --- services that finish, and such as run elsewhere ---


def test_a_service_that_finishes_is_ready_then() -> None:
    world = World(REDIS, MIGRATE, service("api", "migrate"), migrate=FINISHES)
    answer = world.ask(10, ask="status")
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("api starts", "all ready") == ["4 api starts", "5 all ready: redis, migrate, api"]
    migrate = answer.get_nowait()["migrate"]
    assert (migrate.state, migrate.pid, migrate.ready_s, migrate.note) == ("ready", None, 3.0, "finished")


def test_a_service_that_finishes_badly_has_failed() -> None:
    world = World(REDIS, MIGRATE, service("api", "migrate"), migrate=Program(ready=None, lives=3, code=1))

    assert world.run() == 1
    assert [error.what for error in world.errors] == ["migrate ended with exit code 1"]
    assert world.told("api") == []


def test_a_service_that_has_finished_does_not_hold_up_the_stop_of_what_it_needed() -> None:
    world = World(REDIS, MIGRATE, migrate=FINISHES)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("SIG") == ["20 redis SIGINT"]


def test_the_stop_goes_on_through_a_service_that_has_finished() -> None:
    world = World(REDIS, MIGRATE, service("api", "migrate"), migrate=FINISHES)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("SIG") == ["20 api SIGINT", "20.5 redis SIGINT"]


def test_a_service_that_runs_elsewhere_is_neither_started_nor_stopped() -> None:
    redis = service("redis", external=True, how="the app's own", url="redis://cache:6379")
    world = World(redis, API)
    answer = world.ask(10, ask="status")
    refused = world.ask(11, ask="restart", services=["redis"])
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.log == [
        "0 api starts",
        "1 api ready",
        "1 all ready: redis, api",
        "20 stopping",
        "20 api SIGINT",
        "20.5 api ends",
    ]
    assert answer.get_nowait()["redis"] == ServiceStatus(
        name="redis",
        state="ready",
        pid=None,
        url="redis://cache:6379",
        ready_s=None,
        restarts=0,
        generation=1,
        note="",
        how="the app's own",
    )
    assert refused.get_nowait() == {"error": "redis is not devkit's to restart: the app's own"}
