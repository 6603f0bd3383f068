"""The real loop over a fake clock and fake zygotes: each test is a history, and what came of it."""

import signal
from dataclasses import replace
from typing import Any

import pytest

from devkit.errors import DevkitError
from devkit.reload.messages import AllGone, Changed, Told, ZygoteEnded
from tests.unit.reload.world import BASE, CTRL_C, Code, World

KILLED = -signal.SIGKILL
GOOD = Code()
BROKEN = Code(fails="NameError: name 'x' is not defined")
HANGS = Code(live=None)  # while it is imported, and hears nothing
BUSY = Code(tasks=("shop.report[a1]", "shop.mail[b2]", "shop.report[c3]"), given_back=5)
LONG = Code(tasks=("shop.report[a1]",), finishes=None)


# --- start ---


def test_the_first_generation_is_live() -> None:
    world = World(Code(live=0.25))
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[:3] == ["0 zygote 1", "0 1 starts on 1", "0.25 devkit: generation 1 is live after 0.25 s"]
    assert world.states[:2] == [(1, "starting", ""), (1, "ready", "")]


def test_what_a_live_generation_told_of_its_sources_is_watched_and_its_zygote_learns() -> None:
    world = World()
    world.save(5)
    world.at(10, CTRL_C)

    world.run()

    assert world.sources_told == [["/elsewhere/1"], ["/elsewhere/2"]]
    assert world.learned == [1, 1]


def test_what_a_zygote_tells_of_the_installed_packages_is_watched() -> None:
    world = World()
    world.at(1, Told(1, {"installed": ["/site-packages"]}))
    world.at(10, CTRL_C)

    world.run()

    assert world.installed_told == [["/site-packages"]]


def test_what_a_generation_is_to_do_is_in_its_order() -> None:
    world = World()
    orders: list[dict[str, Any]] = []
    world.zygotes[1].order = lambda **order: orders.append(order)  # type: ignore[method-assign]
    world.at(1, CTRL_C)
    world.at(1, CTRL_C)

    world.run()

    assert orders[0] == {"start": 1, "become": False, "module": "shop", "number": 1}


# --- a change ---


def test_a_change_starts_the_next_one_which_takes_over_when_it_is_live() -> None:
    world = World()
    world.save(5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[2:-3] == [
        "0.1 devkit: generation 1 is live after 0.10 s",
        "5 2 starts on 1",
        "5.1 1 drain",
        "5.11 devkit: tasks.py: generation 2 is live after 0.10 s",
        "6.1 1 stop",
        "6.65 1 ends",
    ]
    assert world.states[2:4] == [(1, "reloading", ""), (2, "ready", "")]


def test_the_line_tells_what_changed_what_still_runs_and_what_was_given_back() -> None:
    world = World(BUSY, GOOD)
    world.save(5, "shop/tasks.py")
    world.at(10, CTRL_C)

    world.run()

    assert world.notices[1:] == [
        "5.11 shop/tasks.py: generation 2 is live after 0.10 s; generation 1 finishes 3 tasks (shop.report, shop.mail)"
        "; 5 given back",
        "6.6 generation 1 is done",
    ]


def test_the_seconds_count_from_the_moment_at_which_the_change_was_noticed() -> None:
    world = World(GOOD, Code(live=0.11))
    world.at(5.2, Changed((BASE / "tasks.py",), 5.0))
    world.at(10, CTRL_C)

    world.run()

    assert world.notices[1] == "5.32 tasks.py: generation 2 is live after 0.31 s"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a.py", "b/c.py", "d.py"), "a.py, b/c.py, d.py"),
        (("a.py", "b.py", "c.py", "d.py", "e.py"), "a.py, b.py, c.py and 2 more"),
        (("/elsewhere/lib.py",), "/elsewhere/lib.py"),
    ],
)
def test_the_names_of_the_changed_files_start_at_the_project_and_are_few(names: tuple[str, ...], told: str) -> None:
    world = World()
    world.save(5, *names)
    world.at(10, CTRL_C)

    world.run()

    assert world.notices[1] == f"5.11 {told}: generation 2 is live after 0.10 s"


@pytest.mark.parametrize(("connections", "told"), [(1, "1 connection"), (3, "3 connections")])
def test_an_api_has_connections(connections: int, told: str) -> None:
    world = World(Code(connections=connections), resumes=False)
    world.save(5)
    world.at(10, CTRL_C)

    world.run()

    assert world.notices[1] == f"5.11 tasks.py: generation 2 is live after 0.10 s; generation 1 finishes {told}"


def test_one_task_is_not_several() -> None:
    world = World(Code(tasks=("shop.mail[x]",)))
    world.save(5)
    world.at(10, CTRL_C)

    world.run()

    assert world.notices[1].endswith("generation 1 finishes 1 task (shop.mail)")


def test_the_line_waits_for_what_the_old_one_has_to_say_but_not_for_long() -> None:
    world = World(replace(BUSY, answers=0.4), replace(BUSY, answers=3), GOOD)
    world.save(5)
    world.save(10)
    world.at(20, CTRL_C)

    world.run()

    assert world.notices[1].startswith("5.5 tasks.py: generation 2 is live after 0.10 s; generation 1 finishes 3")
    assert world.notices[3] == "10.6 tasks.py: generation 3 is live after 0.10 s"


def test_an_old_one_that_ends_has_nothing_more_to_say() -> None:
    world = World(replace(GOOD, answers=None, lives=5.2), GOOD)
    world.save(5)
    world.at(10, CTRL_C)

    world.run()

    assert world.notices[1:] == ["5.2 tasks.py: generation 2 is live after 0.10 s"]


def test_a_program_that_cannot_resume_leaves_at_once() -> None:
    world = World(resumes=False)
    world.save(5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[1:] == ["5.1 1 drain", "5.65 1 ends"]


# --- a change while one is starting ---


def test_a_change_while_one_is_starting_replaces_it() -> None:
    world = World(GOOD, Code(live=1), GOOD)
    world.save(5, "a.py")
    world.save(5.5, "b.py", "a.py")
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.of(1, 2, 3)[1:-2] == [
        "5 2 starts on 1",
        "5.5 2 stop",
        "5.5 3 starts on 1",
        "5.6 1 drain",
        "6 2 ends",
        "6.6 1 stop",
        "7.15 1 ends",
    ]
    assert world.notices[1:] == ["5.61 a.py, b.py: generation 3 is live after 0.60 s"]


def test_the_first_one_can_be_replaced_too() -> None:
    world = World(Code(live=2), GOOD)
    world.save(1)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.notices == ["1.1 generation 2 is live after 1.10 s"]


def test_a_replaced_one_that_never_listens_is_killed() -> None:
    world = World(GOOD, HANGS, GOOD)
    world.save(5)
    world.save(6)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.of(2) == ["5 2 starts on 1", "6 2 stop", "11 2 killed", "11 2 ends"]
    assert world.notices[1:] == ["6.11 tasks.py: generation 3 is live after 1.10 s"]


def test_a_replaced_one_that_became_live_meanwhile_is_not_killed_but_leaves() -> None:
    world = World(GOOD, Code(live=1, late=True, finishes=30), GOOD)
    world.save(5)
    world.save(5.5)
    world.at(60, CTRL_C)

    assert world.run() == 0
    assert world.of(2) == ["5 2 starts on 1", "5.5 2 stop", "36.05 2 ends"]
    assert world.notices[1:] == ["5.61 tasks.py: generation 3 is live after 0.60 s"]


def test_what_a_replaced_one_has_to_say_of_its_failure_is_no_news() -> None:
    world = World(GOOD, replace(BROKEN, live=1), GOOD)
    world.save(5)
    world.save(5.5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.errors == []
    assert world.notices[1:] == ["5.61 tasks.py: generation 3 is live after 0.60 s"]


def test_many_changes_in_a_row_end_with_one_live_generation() -> None:
    world = World(Code(live=0.3, tasks=("shop.mail[x]",)))
    for number in range(100):
        world.save(5 + number * (0.05 if number % 3 else 0.6))
    world.at(200, CTRL_C)

    assert world.run() == 0
    last = world.told(" ends")[-1]
    assert last == "200.55 101 ends"
    assert len(world.told(" ends")) == 101
    assert world.told("killed", "problem") == []
    assert len(world.zygotes) == 1


def test_several_old_ones_finish_at_the_same_time() -> None:
    world = World(replace(BUSY, finishes=20), replace(BUSY, finishes=10, given_back=0), GOOD)
    world.save(5)
    world.save(7)
    world.at(60, CTRL_C)

    assert world.run() == 0
    assert world.notices[1:] == [
        "5.11 tasks.py: generation 2 is live after 0.10 s; generation 1 finishes 3 tasks (shop.report, shop.mail)"
        "; 5 given back",
        "7.11 tasks.py: generation 3 is live after 0.10 s; generation 1 finishes 3 tasks (shop.report, shop.mail)"
        "; generation 2 finishes 3 tasks (shop.report, shop.mail)",
        "18.1 generation 2 is done",
        "26.1 generation 1 is done",
    ]
    assert (2, "reloading", "generation 1 still finishing") in world.states


def test_a_standby_is_sent_away_as_soon_as_there_is_another_one() -> None:
    world = World()
    world.save(5)
    world.save(5.5)
    world.at(10, CTRL_C)

    world.run()

    assert world.of(1, 2)[1:] == [
        "5 2 starts on 1",
        "5.1 1 drain",
        "5.6 1 stop",
        "5.6 2 drain",
        "6.15 1 ends",
        "6.6 2 stop",
        "7.15 2 ends",
    ]


# --- code that does not work ---


def test_code_that_does_not_import_keeps_the_old_one_and_the_next_save_tries_again() -> None:
    world = World(GOOD, BROKEN, GOOD)
    world.save(5, "shop/tasks.py")
    world.save(8, "unrelated.py")
    world.at(10, CTRL_C)

    assert world.run() == 0
    (error,) = world.errors
    assert error.what == "shop/tasks.py: NameError: name 'x' is not defined"
    assert error.excerpt == "the traceback"
    assert error.mend == ("correct it", "generation 1 stays live; the next save tries again")
    assert world.notices[1:] == ["8.11 unrelated.py: generation 3 is live after 0.10 s"]
    assert world.of(1)[1:3] == ["8.1 1 drain", "9.1 1 stop"]
    assert (1, "ready", "the new code cannot be used; the next save tries again") in world.states
    assert world.states[-1][2] == ""


def test_first_code_that_does_not_import_waits_for_a_save() -> None:
    world = World(BROKEN, BROKEN, GOOD)
    world.save(5)
    world.save(7)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert [error.what for error in world.errors] == [BROKEN.fails, f"tasks.py: {BROKEN.fails}"]
    assert world.errors[0].mend == ("correct it", "the next save tries again")
    assert (1, "failed", "the new code cannot be used; the next save tries again") in world.states
    assert world.notices == ["7.1 generation 3 is live after 0.10 s"]


def test_one_that_ends_before_it_is_live_keeps_the_old_one_too() -> None:
    world = World(GOOD, Code(live=None, lives=1, code=-11), GOOD)
    world.save(5)
    world.save(8)
    world.at(10, CTRL_C)

    assert world.run() == 0
    (error,) = world.errors
    assert error.what == "tasks.py: generation 2 was killed by SIGSEGV before it was live"
    assert error.mend == ("generation 1 stays live; the next save tries again",)
    assert world.of(1)[1] == "8.1 1 drain"


def test_without_saves_first_code_that_fails_is_the_end() -> None:
    world = World(BROKEN, waits_for_save=False)

    assert world.run() == 1
    (error,) = world.errors
    assert error.what == BROKEN.fails
    assert error.mend == ("correct it",)
    assert world.told("closed") == ["0.15 zygote 1 closed"]


def test_without_saves_a_first_one_that_ends_before_it_is_live_is_the_end() -> None:
    world = World(Code(live=None, lives=1, code=3), waits_for_save=False)

    assert world.run() == 1
    assert [error.what for error in world.errors] == ["generation 1 ended with exit code 3 before it was live"]


def test_without_saves_later_code_that_fails_is_not_the_end() -> None:
    world = World(GOOD, BROKEN, waits_for_save=False)
    world.save(5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert len(world.errors) == 1


# --- crashes ---


def test_one_that_ends_within_the_first_second_gives_way_to_the_old_one() -> None:
    world = World(GOOD, Code(lives=0.6, code=3), GOOD)
    world.save(5)
    world.save(10)
    world.at(20, CTRL_C)

    assert world.run() == 0
    trouble = "generation 2 ended with exit code 3; generation 1 is live again, the next save tries anew"
    assert world.of(1)[1:4] == ["5.1 1 drain", "5.6 1 resume", "10.1 1 drain"]
    assert world.notices[2:] == [f"5.6 {trouble}", "10.11 tasks.py: generation 3 is live after 0.10 s"]
    assert (1, "ready", trouble) in world.states
    assert world.lived == []
    assert world.states[-1][2] == ""


def test_one_that_was_killed_starts_again_after_a_moment() -> None:
    world = World(GOOD, Code(lives=30, code=KILLED), GOOD, delays=[0.2])
    world.save(5)
    world.at(60, CTRL_C)

    assert world.run() == 0
    assert world.lived == [29.9]
    assert world.told("SIGKILL", "3 starts") == [
        "35 devkit: generation 2 was killed by SIGKILL; the next one starts",
        "35.2 3 starts on 1",
    ]
    assert world.notices[-1] == "35.3 generation 3 is live after 0.10 s"


@pytest.mark.parametrize(("code", "words"), [(KILLED, "was killed by SIGKILL"), (-15, "was killed by SIGTERM")])
def test_one_that_was_killed_at_once_starts_again_too(code: int, words: str) -> None:
    world = World(GOOD, Code(lives=0.5, code=code), GOOD, delays=[0.2])
    world.save(5)
    world.at(60, CTRL_C)

    assert world.run() == 0
    assert f"5.5 devkit: generation 2 {words}; the next one starts" in world.log
    assert "5.7 3 starts on 1" in world.log
    assert world.told("resume") == []


def test_one_that_ends_later_starts_again_too() -> None:
    world = World(Code(lives=30, code=1), GOOD, delays=[0.5])
    world.at(60, CTRL_C)

    assert world.run() == 0
    assert "30 devkit: generation 1 ended with exit code 1; the next one starts" in world.log
    assert "30.5 2 starts on 1" in world.log


def test_one_that_keeps_dying_waits_for_a_save() -> None:
    world = World(*[Code(lives=2, code=KILLED)] * 3, GOOD, delays=[0.2, 0.5])
    world.save(50)
    world.at(60, CTRL_C)

    assert world.run() == 0
    trouble = "generation 3 was killed by SIGKILL; the next save starts it again"
    assert world.told("starts on", "save starts") == [
        "0 1 starts on 1",
        "2.2 2 starts on 1",
        "4.7 3 starts on 1",
        f"6.7 devkit: {trouble}",
        "50 4 starts on 1",
    ]
    assert (3, "failed", trouble) in world.states
    assert world.states[-1][2] == ""


def test_one_that_keeps_being_killed_at_once_gives_way_to_the_old_one() -> None:
    world = World(GOOD, Code(lives=0.5, code=KILLED))
    world.save(5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[1:3] == ["5.1 1 drain", "5.5 1 resume"]


def test_a_save_is_quicker_than_the_new_try() -> None:
    world = World(Code(lives=30, code=KILLED), GOOD, delays=[5])
    world.save(31)
    world.at(60, CTRL_C)

    assert world.run() == 0
    assert world.told("starts on") == ["0 1 starts on 1", "31 2 starts on 1"]


def test_without_saves_a_crash_is_the_end() -> None:
    world = World(Code(lives=30, code=KILLED), waits_for_save=False, heals=False, delays=[0.2])

    assert world.run() == 1
    assert world.notices[1:] == ["30 generation 1 was killed by SIGKILL"]


def test_a_standby_that_ends_is_no_loss() -> None:
    world = World(replace(GOOD, lives=5.5), Code(lives=5.9, code=1), GOOD)
    world.save(5)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("resume", "problem") == []


# --- what does not finish ---


def test_what_does_not_finish_in_time_is_abandoned() -> None:
    world = World(LONG, GOOD, drain_s=60)
    world.save(5)
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[1:] == ["5.1 1 drain", "6.1 1 stop", "66.1 1 abandon", "66.25 1 ends"]
    assert world.notices[-1] == "66.2 generation 1 has not finished in 60 s; abandoned: shop.report[a1]"


def test_what_cannot_even_be_abandoned_is_killed() -> None:
    world = World(replace(LONG, abandons=None), GOOD, drain_s=60)
    world.save(5)
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[3:] == ["66.1 1 abandon", "71.1 1 killed", "71.1 1 ends"]
    assert world.notices[-1] == "71.1 generation 1 has not finished in 60 s; abandoned: shop.report[a1]"


def test_one_that_told_nothing_of_what_it_runs_is_killed_all_the_same() -> None:
    world = World(Code(answers=None, finishes=None, abandons=None), GOOD, drain_s=60)
    world.save(5)
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert world.notices[-1] == "71.1 generation 1 has not finished in 60 s; abandoned: unknown"


def test_a_program_that_cannot_resume_has_the_time_from_the_drain_on() -> None:
    world = World(Code(connections=1, finishes=None), GOOD, drain_s=10, resumes=False)
    world.save(5)
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[1:] == ["5.1 1 drain", "15.1 1 abandon", "15.25 1 ends"]


def test_the_time_does_not_run_out_while_a_task_is_in_a_debugger() -> None:
    world = World(LONG, GOOD, drain_s=60)
    world.pauses[1] = "port 6900"
    world.save(5)
    world.do(80, world.pauses.clear)
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[3:] == ["81.1 1 abandon", "81.25 1 ends"]
    assert (2, "ready", "generation 1 is paused in a debugger (port 6900)") in world.states


def test_only_the_end_lets_go_what_is_in_a_debugger() -> None:
    world = World(LONG, GOOD, drain_s=600)
    world.pauses[1] = "add at tasks.py:8"
    world.save(5)
    world.do(99, lambda: world.note(f"released: {world.released}"))
    world.at(100, CTRL_C)
    world.at(110, CTRL_C)

    world.run()

    assert "99 released: []" in world.log
    assert sorted(world.released) == [1, 2]
    assert any("paused in the debugger: add at tasks.py:8" in line for line in world.log)
    assert any("let go from the debugger, runs on: add at tasks.py:8" in line for line in world.log)


# --- zygotes ---


def test_a_zygote_that_is_lost_is_replaced_and_so_is_what_came_from_it() -> None:
    world = World(replace(BUSY, finishes=3), GOOD)
    world.lose_zygote(5, 1)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.log[3:] == [
        "5 devkit: the process that generations start from was lost; another one takes its place",
        "5 zygote 2",
        "5 2 starts on 2",
        "5.1 devkit: generation 2 is live after 0.10 s",
        "8.05 1 ends",
        "20 2 stop",
        "20.55 2 ends",
        "20.55 zygote 2 closed",
    ]


def test_orphans_are_gone_when_all_is_gone() -> None:
    world = World(Code(finishes=3), GOOD, GOOD)
    world.lose_zygote(5, 1)
    world.save(6)
    world.at(7, CTRL_C)

    assert world.run() == 0
    assert world.told(" ends")[-1] == "8.05 1 ends"
    assert world.told("closed") == ["8.05 zygote 2 closed"]


def test_an_agent_that_cannot_run_is_the_end() -> None:
    world = World(HANGS)
    world.lose_zygote(0.01, 1, code=2)

    assert world.run() == 1
    assert [error.what for error in world.errors] == ["devkit's agent ended with exit code 2 under this interpreter"]


def test_a_zygote_that_cannot_fork_is_replaced_and_starts_the_same_generation() -> None:
    world = World(unfit=[1])
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[:6] == [
        "0 zygote 1",
        "0 1 starts on 1",
        "0 zygote 2",
        "0 1 starts on 2",
        "0 zygote 1 closed",
        "0.1 devkit: generation 1 is live after 0.10 s",
    ]


def test_a_zygote_that_becomes_unfit_later_stays_until_its_generations_have_ended() -> None:
    world = World()
    world.at(2, Told(1, {"unfit": "grpc", "why": "it starts a thread"}))
    world.save(5, "a.py")
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[3:-3] == [
        "2 zygote 2",
        "5 2 starts on 2",
        "5.1 1 drain",
        "5.11 devkit: a.py: generation 2 is live after 0.10 s",
        "6.1 1 stop",
        "6.65 1 ends",
        "6.65 zygote 1 closed",
    ]


def test_what_changed_is_not_forgotten_when_the_zygote_is_replaced() -> None:
    world = World(unfit=[2])
    world.at(2, Told(1, {"unfit": "grpc", "why": "it starts a thread"}))
    world.save(5, "a.py")
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.notices[1] == "5.11 a.py: generation 2 is live after 0.10 s"


def test_a_zygote_that_has_threads_is_told_of_and_there_is_no_more_forking() -> None:
    world = World(unforkable=[1, 2, 3, 4])
    world.save(5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[:8] == [
        "0 zygote 1",
        "0 1 starts on 1",
        "0 devkit: no forking here: 2 threads run; each reload starts a new process, which is slower",
        "0 zygote 2",
        "0 1 starts on 2 as itself",
        "0 zygote 3",
        "0 zygote 1 closed",
        "0.1 devkit: generation 1 is live after 0.10 s",
    ]
    assert "5 2 starts on 3 as itself" in world.log


# --- settings and packages ---


def test_other_settings_start_the_zygote_afresh() -> None:
    world = World()
    world.refreshes = [(world.program, "pyproject.toml changed")]
    world.save(5, "settings")
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[3:-3] == [
        "5 devkit: pyproject.toml changed: starting afresh",
        "5 zygote 2",
        "5 2 starts on 2",
        "5.1 1 drain",
        "5.11 devkit: settings: generation 2 is live after 0.10 s",
        "6.1 1 stop",
        "6.65 1 ends",
        "6.65 zygote 1 closed",
    ]


def test_other_settings_count_from_then_on() -> None:
    world = World(replace(LONG, finishes=None), GOOD, drain_s=60)
    world.refreshes = [(replace(world.program, drain_s=20), ".env changed")]
    world.save(5, "settings")
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert "26.1 1 abandon" in world.log


def test_settings_that_are_wrong_are_shown_and_change_nothing() -> None:
    world = World()
    world.refreshes = [DevkitError("pyproject.toml, line 3: unknown key 'pol'")]
    world.save(5, "settings")
    world.save(6)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert [error.what for error in world.errors] == ["pyproject.toml, line 3: unknown key 'pol'"]
    assert world.told("starts on") == ["0 1 starts on 1", "6 2 starts on 1"]


def test_an_installed_package_starts_the_zygote_afresh() -> None:
    world = World()
    world.install(5, "httpx", "anyio")
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.notices[1:] == [
        "5 installed: httpx, anyio: starting afresh",
        "5.11 restarted: generation 2 is live after 0.10 s",
    ]
    assert world.told("zygote") == ["0 zygote 1", "5 zygote 2", "6.65 zygote 1 closed", "10.55 zygote 2 closed"]


def test_a_zygote_whose_only_generation_had_ended_is_closed_at_once() -> None:
    world = World(BROKEN, GOOD)
    world.install(5, "httpx")
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.told("zygote 1 closed") == ["5 zygote 1 closed"]


# --- a process for each generation ---


def test_without_forking_each_generation_is_a_process_of_its_own_started_ahead() -> None:
    world = World(spawn=True)
    world.save(5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log == [
        "0 zygote 1",
        "0 1 starts on 1 as itself",
        "0 zygote 2",
        "0.1 devkit: generation 1 is live after 0.10 s",
        "5 2 starts on 2 as itself",
        "5 zygote 3",
        "5.1 1 drain",
        "5.11 devkit: tasks.py: generation 2 is live after 0.10 s",
        "6.1 1 stop",
        "6.65 1 ends",
        "10 2 stop",
        "10.55 2 ends",
        "10.55 zygote 2 closed",
        "10.55 zygote 3 closed",
    ]
    assert world.learned == []


def test_without_forking_a_crash_is_noticed_too() -> None:
    world = World(GOOD, Code(lives=0.6, code=3), GOOD, spawn=True)
    world.save(5)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[1:3] == ["5.1 1 drain", "5.6 1 resume"]


def test_without_forking_code_that_fails_keeps_the_old_one_too() -> None:
    world = World(GOOD, BROKEN, GOOD, spawn=True)
    world.save(5)
    world.save(8)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert len(world.errors) == 1
    assert "8.11 devkit: tasks.py: generation 3 is live after 0.10 s" in world.log


def test_without_forking_one_that_never_listens_is_killed_too() -> None:
    world = World(GOOD, HANGS, GOOD, spawn=True)
    world.save(5)
    world.save(6)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("killed", "2 ends") == ["11 zygote 2 killed", "11 2 ends"]


def test_without_forking_a_spare_process_that_is_lost_is_replaced() -> None:
    world = World(spawn=True)
    world.lose_zygote(5, 2)
    world.save(8)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("as itself")[-1].startswith("8 ")
    assert world.told("problem") == []


# --- stop ---


def test_a_stop_tells_all_and_closes_the_zygotes_at_the_end() -> None:
    world = World(replace(BUSY, finishes=20), Code(finishes=3), Code(live=2))
    world.save(5)
    world.save(9)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.log[-6:] == [
        "10 2 stop",
        "10 3 stop",
        "11 3 ends",
        "13.05 2 ends",
        "26.15 1 ends",
        "26.15 zygote 1 closed",
    ]


def test_a_stop_within_the_first_second_stops_the_standby_too() -> None:
    world = World()
    world.save(5)
    world.at(5.5, CTRL_C)

    assert world.run() == 0
    assert world.told("stop") == ["5.5 1 stop", "5.5 2 stop"]


def test_a_stop_says_what_it_waits_for_and_has_no_limit() -> None:
    world = World(Code(tasks=("shop.report[a1]",), finishes=1000), drain_s=60)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.notices[1] == "10.01 waiting for 1 task (shop.report); Ctrl-C again kills"
    assert world.told("1 ends") == ["1010.05 1 ends"]


def test_a_second_signal_kills() -> None:
    world = World(BUSY, replace(LONG, abandons=None))
    world.save(5)
    world.at(6, CTRL_C)
    world.at(6.2, CTRL_C)

    assert world.run() == 130
    assert world.told("6.2") == ["6.2 1 killed", "6.2 2 killed", "6.2 1 ends", "6.2 2 ends", "6.2 zygote 1 closed"]


def test_a_zygote_that_does_not_end_is_killed() -> None:
    world = World()
    zygote = world.zygotes[1]
    zygote.close = lambda: None  # type: ignore[method-assign]
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.told("killed") == ["15.55 zygote 1 killed"]


def test_one_that_is_not_live_yet_and_does_not_listen_is_killed_at_a_stop() -> None:
    world = World(HANGS)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.of(1)[1:] == ["10 1 stop", "15 1 killed", "15 1 ends"]


def test_nothing_starts_once_it_stops() -> None:
    world = World(Code(finishes=5))
    world.at(10, CTRL_C)
    world.save(11)
    world.install(12, "httpx")
    world.lose_zygote(13, 1)

    assert world.run() == 0
    assert world.told("starts on") == ["0 1 starts on 1"]


def test_a_crash_while_it_stops_is_no_news() -> None:
    world = World(Code(finishes=5, lives=12), delays=[0.2])
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.notices[1:] == []
    assert world.told("starts on") == ["0 1 starts on 1"]


def test_a_stop_while_it_waits_for_a_save() -> None:
    world = World(BROKEN)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.told("closed") == ["10 zygote 1 closed"]


def test_a_stop_while_it_waits_for_a_new_try() -> None:
    world = World(Code(lives=9, code=KILLED), delays=[5])
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.told("starts on") == ["0 1 starts on 1"]


# --- where the histories above do not end well ---


def test_a_stop_while_the_zygote_turns_out_to_be_unfit() -> None:
    world = World(unfit=[1])
    world.at(0, CTRL_C)

    assert world.run() == 0


def test_a_zygote_that_turns_out_to_be_unfit_after_another_one_has_taken_its_place() -> None:
    world = World(unfit=[1])
    world.refreshes = [(world.program, ".env changed")]
    world.save(0, "settings")
    world.at(10, CTRL_C)

    assert world.run() == 0


def test_without_forking_a_process_that_turns_out_to_be_unfit_is_replaced() -> None:
    world = World(spawn=True, unfit=[1])
    world.at(10, CTRL_C)
    world.at(11, CTRL_C)

    assert world.run() == 0
    assert world.told("is live")


def test_a_crash_while_the_next_one_starts_needs_no_new_try() -> None:
    world = World(Code(lives=5.05, code=KILLED), GOOD, delays=[0.2])
    world.save(5)
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert world.told("starts on") == ["0 1 starts on 1", "5 2 starts on 1"]


def test_settings_that_are_wrong_do_not_call_off_a_new_try() -> None:
    world = World(Code(lives=5, code=KILLED), GOOD, delays=[0.2])
    world.refreshes = [DevkitError("wrong")]
    world.save(5.1, "settings")
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert "5.2 2 starts on 1" in world.log


def test_a_live_one_whose_zygote_is_lost_after_new_settings_did_not_work_starts_again() -> None:
    world = World(GOOD, BROKEN, GOOD, delays=[0.2])
    world.refreshes = [(world.program, ".env changed")]
    world.save(5, "settings")
    world.lose_zygote(8, 1)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("3 starts")


def test_a_replaced_one_that_is_forked_late_and_never_listens_is_killed() -> None:
    world = World(GOOD, replace(HANGS, forked=8), GOOD)
    world.save(5)
    world.save(6)
    world.at(20, CTRL_C)
    world.at(30, CTRL_C)

    assert world.run() == 0
    assert world.told("2 killed") == ["16 2 killed"]


def test_an_agent_that_cannot_run_is_the_end_whatever_is_heard_first() -> None:
    world = World()
    world.zygotes[1].dead = True
    world.at(0.01, AllGone(1))
    world.at(0.01, ZygoteEnded(1, 2))

    assert world.run() == 1


def test_what_still_finishes_is_known_to_the_supervisor() -> None:
    world = World(LONG, GOOD)
    world.save(5)
    states: list[tuple[int, str, str]] = []
    world.do(30, lambda: states.extend(world.states))
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert states[-1] == (2, "ready", "generation 1 still finishing")


def test_what_was_abandoned_is_told_once() -> None:
    world = World(replace(LONG, takes=10), GOOD, drain_s=60)
    world.save(5)
    world.at(100, CTRL_C)

    assert world.run() == 0
    assert len(world.told("abandoned")) == 1


def test_a_stop_is_no_failure() -> None:
    world = World(Code(finishes=5))
    world.at(10, CTRL_C)

    assert world.run() == 0
    assert [state for _, state, _ in world.states if state == "failed"] == []


def test_without_forking_a_spare_process_that_is_lost_disturbs_nobody() -> None:
    world = World(spawn=True)
    world.lose_zygote(5, 2)
    world.at(20, CTRL_C)

    assert world.run() == 0
    assert world.told("1 drain") == []
