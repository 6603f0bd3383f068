"""Which folder's running stack is meant, from a folder below it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.services.known import place_of
from devkit.services.project.apps import api_program, celery_app
from devkit.settings.discover import AppRef
from devkit.settings.load import load
from devkit.settings.paths import paths_for
from devkit.stack.lock import StackLock


@pytest.fixture
def above(tmp_path: Path) -> Path:
    """A folder whose stack runs, as far as its lock tells; it has a folder in it."""
    root = tmp_path / "project"
    paths = paths_for(root, ".devkit", {})
    paths.data.mkdir(parents=True)
    (root / "sub" / "folder").mkdir(parents=True)
    return root


def held(root: Path, project: Path) -> StackLock:
    paths = paths_for(root, ".devkit", {})
    lock = StackLock(paths.data)
    assert lock.acquire(project, paths.runtime)
    return lock


def test_a_stack_is_found_from_below_for_as_long_as_it_runs(above: Path) -> None:
    below = above / "sub" / "folder"
    assert place_of(below, {}, {}).root == below

    lock = held(above, above)
    assert place_of(below, {}, {}).root == above
    assert place_of(above, {}, {}).root == above

    lock.release()
    assert place_of(below, {}, {}).root == below


def test_a_project_of_its_own_below_is_not_the_stacks(above: Path) -> None:
    lock = held(above, above)
    (above / "sub" / "pyproject.toml").touch()

    assert place_of(above / "sub" / "folder", {}, {}).root == above / "sub"
    lock.release()


def test_a_lock_that_tells_of_another_project_says_nothing_of_this_one(above: Path) -> None:
    lock = held(above, above / "sub")
    assert place_of(above / "sub" / "folder", {}, {}).root == above / "sub" / "folder"
    lock.release()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to make a folder another user's")
def test_a_stack_of_another_user_is_none(above: Path) -> None:
    lock = held(above, above)
    os.chown(above / ".devkit", 12345, 12345)

    assert place_of(above / "sub" / "folder", {}, {}).root == above / "sub" / "folder"
    lock.release()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to make a file another user's")
def test_a_file_of_another_user_beside_the_stack_is_refused(above: Path) -> None:
    lock = held(above, above)
    (above / "pyproject.toml").touch()
    os.chown(above / "pyproject.toml", 12345, 12345)

    with pytest.raises(DevkitError, match="belongs to somebody else"):
        place_of(above / "sub" / "folder", {}, {})
    lock.release()


def test_the_apps_of_the_running_stack_are_taken_as_they_are(tmp_path: Path) -> None:
    """Nothing is looked for: there is no file."""
    given = load(tmp_path, {}, {}, running={"celery": "back.jobs:queue", "api": "web:app"})
    settings = replace(given, import_roots={"celery": (tmp_path / "a",), "api": (tmp_path / "b",)})

    assert celery_app(settings) == AppRef(tmp_path / "a", "back.jobs", "queue")
    program = api_program(settings)
    assert program is not None
    assert program.app == AppRef(tmp_path / "b", "web", "app")
