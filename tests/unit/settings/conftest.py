"""Fixtures for the tests of settings and discovery."""

from pathlib import Path

import pytest

from tests.unit.settings.apps import Write


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes files (text, or bytes) into the project's folder, and gives that folder."""

    def write(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write
