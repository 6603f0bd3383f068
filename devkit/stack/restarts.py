"""When a crashed service starts again, and when that has no sense any more."""

QUICK_S = 10.0
DELAYS_S = (0.2, 0.5, 1.0, 2.0)


class Restarts:
    """The crashes of one service.

    A service that crashes within QUICK_S of its start, again and again, gets the next of DELAYS_S each time, then
    no further try; one that ran longer starts from the first delay.
    """

    def __init__(self) -> None:
        self.quick = 0

    def crashed(self, lived_s: float) -> float | None:
        """Seconds until the next try, or None: give up. `lived_s` is how long the process ran."""
        self.quick = self.quick + 1 if lived_s < QUICK_S else 1
        return DELAYS_S[self.quick - 1] if self.quick <= len(DELAYS_S) else None
