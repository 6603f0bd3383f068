"""The news of a task that was sent in the background."""

from typing import Any

import pytest

from devkit.errors import DevkitError
from devkit.services.debug.sending import Sending


def test_what_goes_wrong_is_told_to_who_waits() -> None:
    def news() -> Any:
        yield {"sent": "4f1c"}
        raise DevkitError("no broker")

    sending = Sending("4f1c", news())
    heard: list[object] = []

    def hear() -> None:
        while True:
            heard.extend(sending.news(5.0))

    with pytest.raises(DevkitError, match="no broker"):
        hear()
    assert heard == [{"sent": "4f1c"}]
    assert sending.sent
    assert not sending.done
