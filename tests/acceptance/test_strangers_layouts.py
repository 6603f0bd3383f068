"""Strangers' projects, played through: those of tests/projects/layouts."""

from pathlib import Path

import pytest

from tests.acceptance.strangers import play
from tests.plays import Play, plays


@pytest.mark.parametrize("one", plays("layouts"), ids=lambda one: one.name)
def test_played_through(one: Play, tmp_path: Path) -> None:
    play(one, tmp_path)
