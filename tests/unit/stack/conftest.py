"""Fixtures for the tests of the processes' engine."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.stack.programs import Programs


@pytest.fixture
def programs() -> Iterator[Programs]:
    with closing(Programs()) as programs:
        yield programs


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="devkit-") as folder:
        yield Path(folder)
