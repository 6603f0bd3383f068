"""Points in time as people type them."""

import re
from datetime import datetime

from devkit.errors import UsageError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
AGO = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>[smhd])")


def moment(text: str, now: float) -> float:
    """Seconds since the epoch: of `2h` before now, or of a date and time, here unless it says where. UsageError."""
    if found := AGO.fullmatch(text.strip()):
        return now - float(found["count"]) * SECONDS[found["unit"]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--since '{text}' is no time", mend=["like --since 45s, 30m, 2h, 1d, 2026-11-22 or 2026-11-22T16:30"]
        ) from None
