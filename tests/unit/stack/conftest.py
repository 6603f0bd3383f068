"""Fixtures for the tests of the processes' engine."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.unit.stack.programs import Programs


@pytest.fixture
def programs() -> Iterator[Programs]:
    with closing(Programs()) as programs:
        yield programs
