"""What `devkit worker` and `devkit api` need in a container."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import DevkitError, UsageError
from devkit.services.reload import ready as readiness
from devkit.services.reload.ready import ReadyFile, with_data
from devkit.settings.load import load
from devkit.settings.paths import Paths


def test_the_file_is_there_as_long_as_it_is_ready(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    path.touch()  # an earlier run was killed
    ready = ReadyFile(str(path))
    assert not path.exists()

    ready.show(there=True)
    assert path.exists()

    ready.show(there=False)
    assert not path.exists()


def test_a_place_where_no_file_can_be_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        ReadyFile(str(tmp_path / "none" / "ready"))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Of a project whose data folder cannot be made: there is a file of its name."""
    (tmp_path / ".devkit").write_text("")
    return Paths(data=tmp_path / ".devkit", runtime=tmp_path / "run" / "mine")


def test_a_container_that_cannot_write_to_the_project_keeps_its_data_to_itself(
    tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "in_container", lambda: True)
    notices: list[str] = []

    own = with_data(lambda: replace(load(tmp_path, {}, {}), paths=paths), notices.append)().paths

    assert own == replace(paths, data=paths.runtime / "data")
    assert own.logs.is_dir()
    assert os.fspath(own.data) in notices[0]


def test_elsewhere_that_is_an_error(tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "in_container", lambda: False)

    with pytest.raises(DevkitError, match="cannot write"):
        with_data(lambda: replace(load(tmp_path, {}, {}), paths=paths), lambda text: None)
