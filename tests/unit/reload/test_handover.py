"""Changes: the real loop over a fake clock and fake zygotes. Each test is a history, and what came of it."""

from dataclasses import replace
from typing import Any

import pytest

from devkit.reload.messages import Changed, Told
from tests.unit.reload.world import BASE, BROKEN, BUSY, CTRL_C, GOOD, HANGS, Code, World

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

    assert orders[0] == {"start": 1, "become": False, "program": world.program.order(1)}


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
    assert (1, "failed", f"{BROKEN.fails}; the next save tries again") in world.states
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
