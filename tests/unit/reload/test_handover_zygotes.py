"""Which zygote forks, and when another one has to: histories of the real loop over a fake clock and fake zygotes."""

from dataclasses import replace

from devkit.errors import DevkitError
from devkit.reload.messages import Told
from tests.unit.reload.world import BROKEN, BUSY, CTRL_C, GOOD, HANGS, LONG, Code, World

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
