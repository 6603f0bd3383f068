"""Strangers' projects: each play fits its project, the list in the docs is of today, none passes for one of ours."""

import pytest

from devkit.settings.discover import find_apis, find_celery
from tests.plays import FOLDER, PAGE, THEMES, Play, listed, plays, written

EVERY = [play for theme in THEMES for play in plays(theme)]


def test_every_project_is_played() -> None:
    folders = {folder for theme in FOLDER.iterdir() for folder in theme.iterdir()}

    assert {play.folder for play in EVERY} == folders
    assert len(EVERY) >= 40


@pytest.mark.parametrize("play", EVERY, ids=lambda play: play.name)
def test_what_a_play_names_is_in_its_project(play: Play) -> None:
    stops = (play.folder / play.breakpoint.file).read_text().splitlines()
    assert len([line for line in stops if play.breakpoint.line in line]) == 1
    for edit in (play.save, *(play.needs.edits if play.needs else ())):
        assert (play.folder / edit.file).read_text().count(edit.old) == 1
    assert (play.save.result is None) != (play.save.log == "")
    assert play.save.result != play.task.result or play.save.log
    assert play.failure.error


def test_the_list_in_the_docs_is_of_today() -> None:
    page = PAGE.read_text()

    assert page == written(page, listed()), "write it again: python -m tests.plays"


def test_none_passes_for_an_app_of_the_repositorys_own() -> None:
    repository = FOLDER.parents[1]

    assert find_celery(repository).module.startswith("sample_app.")
    assert [str(api.app) for api in find_apis(repository)] == ["sample_app.main:app"]
