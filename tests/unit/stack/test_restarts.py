"""How often a crashed service is tried again."""

from devkit.stack.restarts import DELAYS_S, QUICK_S, Restarts


def test_quick_crashes_wait_longer_each_time_and_then_there_is_no_further_try() -> None:
    crashes = Restarts()

    delays = [crashes.crashed(0.1) for _ in range(len(DELAYS_S) + 2)]

    assert delays == [*DELAYS_S, None, None]
    assert list(DELAYS_S) == sorted(set(DELAYS_S))


def test_a_service_that_ran_well_starts_from_the_first_delay() -> None:
    crashes = Restarts()
    for _ in DELAYS_S:
        crashes.crashed(QUICK_S - 0.1)

    after_a_long_life = [crashes.crashed(QUICK_S), crashes.crashed(QUICK_S), crashes.crashed(0.1)]

    assert after_a_long_life == [DELAYS_S[0], DELAYS_S[0], DELAYS_S[1]]
