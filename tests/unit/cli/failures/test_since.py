"""Points in time as people type them."""

from datetime import datetime

import pytest

from devkit.cli.failures.since import moment
from devkit.errors import UsageError

NOW = 1_795_369_081.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("2h", 7200), ("1.5 h", 5400), ("1d", 86400), ("0s", 0)]
)
def test_a_time_span_before_now(text: str, seconds: float) -> None:
    assert moment(text, NOW) == NOW - seconds


def test_a_date_is_one_of_here() -> None:
    assert moment("2026-11-22", NOW) == datetime(2026, 11, 22).timestamp()
    assert moment("2026-11-22 16:30", NOW) == datetime(2026, 11, 22, 16, 30).timestamp()


def test_a_date_that_says_where_is_one_of_there() -> None:
    assert moment("2026-11-22T17:38:01Z", NOW) == NOW


@pytest.mark.parametrize("text", ["", "2", "h", "2w", "-2h", "yesterday", "2026-13-01", "1e3s", "99999999-01-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time") as caught:
        moment(text, NOW)
    assert "2h" in caught.value.mend[0]
