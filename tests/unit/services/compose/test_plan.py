"""What was typed after `devkit up --docker`, as compose is told of it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devkit.errors import DevkitError, UsageError
from devkit.services.compose.plan import (
    STACKS_RABBITMQ,
    ComposePlan,
    ComposeRequest,
    fingerprint_of,
    give_away,
    keep_notes,
    kept_notes,
    make_plan,
    project_name,
)
from devkit.services.ports import Ports
from devkit.settings.load import load
from devkit.settings.paths import Paths

FILE = """
services:
  api:
    ports: ["127.0.0.1:${DEVKIT_API_PORT:-8000}:8000"]
  worker:
    build: .
    environment:
      CELERY_BROKER_URL: ${DEVKIT_DOCKER_BROKER:-redis://redis:6379/0}
      DEVKIT_CONCURRENCY:
  flower:
    ports: ["127.0.0.1:${DEVKIT_FLOWER_PORT:-5555}:5555"]
  redis:
    image: redis:8
    ports: ["127.0.0.1:${DEVKIT_REDIS_PORT:-6379}:6379"]
  rabbitmq:
    profiles: [rabbitmq]
    ports: ["127.0.0.1:${DEVKIT_RABBITMQ_PORT:-5672}:5672"]
  beat:
    profiles: [beat]
"""
PORTS = [f"DEVKIT_{name}_PORT" for name in ("API", "FLOWER", "REDIS", "RABBITMQ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a compose file, and what docker has built of it is as new as that."""
    folder = tmp_path / "My Project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "docker-compose.dev.yml").write_text(FILE)
    (folder / ".devkit").mkdir()
    user = str(os.getuid() or 1000)
    keep_notes(paths(folder), fingerprint_of(folder / "docker-compose.dev.yml", user), {})
    return folder


@pytest.fixture(autouse=True)
def _ports_are_given_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: list[Ports] = []
    before = Ports.__init__

    def init(self: Ports, *arguments: Any) -> None:
        before(self, *arguments)
        made.append(self)

    monkeypatch.setattr(Ports, "__init__", init)
    yield
    for ports in made:
        ports.close()


def paths(folder: Path) -> Paths:
    return Paths(folder / ".devkit", folder / "run")


def plan(
    folder: Path, request: ComposeRequest | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> ComposePlan:
    return make_plan(replace(load(folder, flags, environ or {}), paths=paths(folder)), request or ComposeRequest())


def test_nothing_asked_for(folder: Path) -> None:
    made = plan(folder)

    assert made.arguments == []
    assert made.project == made.environ["COMPOSE_PROJECT_NAME"] == "myproject"
    assert made.environ["COMPOSE_PROFILES"] == ""
    assert made.environ["DEVKIT_UID"] == str(os.getuid() or 1000)
    assert [name for name in PORTS if name in made.environ] == PORTS[:3]


def test_services_scale_and_profiles(folder: Path) -> None:
    request = ComposeRequest(services=("worker",), scale=("worker=3",), profiles=("beat",))
    made = plan(folder, request, {"COMPOSE_PROFILES": "own"})

    assert made.arguments == ["--scale", "worker=3", "worker"]
    assert made.environ["COMPOSE_PROFILES"] == "own,beat"
    assert [name for name in PORTS if name in made.environ] == ["DEVKIT_REDIS_PORT"]


def test_what_is_left_out(folder: Path) -> None:
    made = plan(folder, ComposeRequest(profiles=("beat",)), with_api=False, with_flower=False, with_beat=False)

    assert made.arguments == ["--scale", "api=0", "--scale", "flower=0"]
    assert made.environ["COMPOSE_PROFILES"] == ""
    assert "DEVKIT_API_PORT" not in made.environ


def test_a_service_that_the_file_does_not_have_is_left_out_already(folder: Path) -> None:
    (folder / "docker-compose.dev.yml").write_text("services:\n  worker: {image: x}\n")

    assert plan(folder, with_api=False, with_flower=False).arguments == []


@pytest.mark.parametrize(
    ("url", "variable", "profiles"),
    [
        ("amqp://", STACKS_RABBITMQ, "rabbitmq"),
        ("amqp://me:pw@rabbitmq:5672//", "amqp://me:pw@rabbitmq:5672//", "rabbitmq"),
        ("amqp://broker.example/x", "amqp://broker.example/x", ""),
        ("redis://cache:6379/2", "redis://cache:6379/2", ""),
    ],
)
def test_the_broker(folder: Path, url: str, variable: str, profiles: str) -> None:
    made = plan(folder, broker=url)

    assert made.environ["DEVKIT_DOCKER_BROKER"] == variable
    assert made.environ["COMPOSE_PROFILES"] == profiles
    assert ("DEVKIT_RABBITMQ_PORT" in made.environ) is bool(profiles)


def test_the_stacks_own_rabbitmq_is_started_with_a_service_that_was_named(folder: Path) -> None:
    assert plan(folder, ComposeRequest(services=("worker",)), broker="amqp://").arguments == ["worker", "rabbitmq"]


@pytest.mark.parametrize("url", ["redis://localhost:6379/0", "amqp://guest@127.0.0.1//", "redis://"])
def test_a_broker_of_this_machine_is_none_for_containers(folder: Path, url: str) -> None:
    with pytest.raises(UsageError, match="containers cannot reach"):
        plan(folder, broker=url)


def test_a_flag_reaches_the_containers_if_the_file_passes_it_on(folder: Path) -> None:
    assert plan(folder, concurrency=4).environ["DEVKIT_CONCURRENCY"] == "4"
    with pytest.raises(UsageError, match="does not use DEVKIT_RELOAD") as caught:
        plan(folder, reload=False)
    assert "DEVKIT_RELOAD:" in caught.value.mend[1]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ComposeRequest(scale=("worker",)), "--scale worker=3"),
        (ComposeRequest(scale=("worker=many",)), "--scale worker=3"),
        (ComposeRequest(profiles=("nosuch",)), "--profile"),
    ],
)
def test_what_makes_no_sense(folder: Path, request_: ComposeRequest, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(folder, request_)
    assert words in caught.value.mend[0]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DevkitError, match="there is no compose file") as caught:
        plan(tmp_path)
    assert "devkit init --docker" in caught.value.mend[0]


@pytest.mark.parametrize("name", ["Dockerfile.dev", "pyproject.toml", "requirements-dev.txt", "uv.lock"])
def test_an_image_is_built_when_what_goes_into_it_has_changed(folder: Path, name: str) -> None:
    assert plan(folder).arguments == []
    assert plan(folder, ComposeRequest(build=True)).arguments == ["--build"]

    assert plan(folder, environ={"DEVKIT_UID": "77"}).arguments == ["--build"]
    (folder / "tasks.py").write_text("# code is mounted")
    assert plan(folder).arguments == []
    (folder / name).write_text("# changed")
    assert plan(folder).arguments == ["--build"]


def test_without_anything_to_build_nothing_is_built(folder: Path) -> None:
    (folder / "docker-compose.dev.yml").write_text("services:\n  worker: {image: x}  # build: no\n")

    assert plan(folder).arguments == []


@pytest.mark.parametrize(
    ("text", "environ", "name"),
    [
        ("services: {}", {}, "myproject_2"),
        ("name: own-name  # mine\nservices: {}", {}, "own-name"),
        ("name: own-name\n", {"COMPOSE_PROJECT_NAME": "other"}, "other"),
        ("services:\n  a:\n    name: x\n", {}, "myproject_2"),
    ],
)
def test_the_projects_name_is_composes(tmp_path: Path, text: str, environ: dict[str, str], name: str) -> None:
    assert project_name(text, tmp_path / "-My Project_2", environ) == name


def test_notes(tmp_path: Path) -> None:
    (tmp_path / ".devkit").mkdir()
    assert kept_notes(paths(tmp_path)) == ("", {})
    keep_notes(paths(tmp_path), "abc", {"id start": 1.5})
    assert kept_notes(paths(tmp_path)) == ("abc", {"id start": 1.5})
    (tmp_path / ".devkit" / "containers.json").write_text("[]")
    assert kept_notes(paths(tmp_path)) == ("", {})


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_what_root_made_is_given_to_the_user_of_the_containers(tmp_path: Path) -> None:
    data = tmp_path / ".devkit"
    for name in ("debug/sessions", "redis"):
        (data / name).mkdir(parents=True)
    (data / "debug" / "outside").symlink_to("/etc/hostname")

    give_away(paths(tmp_path), {"DEVKIT_UID": "1234", "DEVKIT_GID": "1235"})

    owned = {str(path.relative_to(tmp_path)): path.lstat().st_uid for path in (data, *data.rglob("*"))}
    assert owned == {
        ".devkit": 1234, ".devkit/debug": 1234, ".devkit/debug/sessions": 1234, ".devkit/debug/outside": 1234,
        ".devkit/redis": 0,
    }  # fmt: skip
    assert Path("/etc/hostname").stat().st_uid == 0
