"""Projects to run devkit in; each is stopped after its test, and may leave no process behind."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.containers import Images, build_images, why_no_docker
from tests.acceptance.harness import SMALL_APP, Project, copy_of_sample_app
from tests.acceptance.replaying import Failing, failing


@pytest.fixture(scope="session", autouse=True)
def _redis_is_installed() -> None:
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        pytest.skip("needs redis-server or valkey-server on PATH; on Debian: apt install redis-server")


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Project]:
    """A copy of the sample app."""
    with closing(Project(tmp_path, copy_of_sample_app())) as project:
        yield project


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Project]:
    """A project with one Celery app in tasks.py and nothing else; tests add to it."""
    with closing(Project(tmp_path, SMALL_APP)) as project:
        yield project


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Project]:
    """A folder without any code; tests write it."""
    with closing(Project(tmp_path, {})) as project:
        yield project


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The sample app, its whole stack running in the background, shared by all tests that do it no harm."""
    with closing(Project(tmp_path_factory.mktemp("running"), copy_of_sample_app())) as project:
        project.up()
        yield project


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failing]:
    """A project whose tasks have failed, and a worker that has recorded them; for all tests that do it no harm."""
    with failing(tmp_path_factory.mktemp("redis"), tmp_path_factory.mktemp("failed")) as made:
        yield made


@pytest.fixture(scope="session")
def images() -> Images:
    """Images for containers; where docker cannot start any, the test is skipped."""
    if why := why_no_docker():
        pytest.skip(why)
    return build_images()
