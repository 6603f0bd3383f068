"""How generations end, and how all does: histories of the real loop over a fake clock and fake zygotes."""

from dataclasses import replace

import pytest

from devkit.errors import DevkitError
from devkit.reload.messages import AllGone, ZygoteEnded
from tests.unit.reload.world import BROKEN, BUSY, CTRL_C, GOOD, HANGS, KILLED, LONG, Code, World

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
