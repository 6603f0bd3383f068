"""What the commands beside a running stack go by."""

from pathlib import Path

import pytest

from devkit.model.wire import Server
from devkit.services.environment.kept import keep, surroundings_now
from devkit.services.environment.surroundings import Surroundings
from devkit.settings.load import Settings, load

SERVERS: list[Server] = [{"names": ["redis"], "ports": {"6379": "127.0.0.1:6380"}, "open": True}]
KEPT = {"A": "kept"}
COMPOSE = "services: {w: {build: ., environment: {A: compose}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Of which a stack has kept its surroundings."""
    (tmp_path / "compose.yml").write_text(COMPOSE)
    settings = load(tmp_path, {}, {})
    settings.paths.data.mkdir()
    around = Surroundings(given=KEPT, servers=SERVERS)
    keep(settings.paths, {"worker": around, "api": around})
    return tmp_path


def given(settings: Settings, *running: str) -> dict[str, str]:
    return dict(surroundings_now(settings, "worker", {}, running).given)


def test_beside_a_running_stack_its_own_count(project: Path) -> None:
    settings = load(project, {}, {})
    found = surroundings_now(settings, "worker", {}, ["worker"])

    assert (found.given, found.servers) == (KEPT, SERVERS)
    assert given(settings) == {"A": "compose"}
    assert given(load(project, {"env_from": "none"}, {}), "worker") == {}


def test_they_are_for_this_user_alone(project: Path) -> None:
    assert (project / ".devkit/environment.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"worker": 1}', '{"worker": {"given": {"A": 1}, "servers": []}}'])
def test_what_is_no_such_file_says_nothing(project: Path, text: str) -> None:
    (project / ".devkit/environment.json").write_text(text)

    assert given(load(project, {}, {}), "worker") == {"A": "compose"}
