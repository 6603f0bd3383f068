"""Waiting for what other threads and processes do: for a condition, never for an amount of time."""

import time
from collections.abc import Callable

DEADLINE_S = 10.0  # generous: only what is broken ever waits that long
POLL_S = 0.005


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, f"did not come true within {DEADLINE_S:g} s"
        time.sleep(POLL_S)
