"""Which of docker and this machine starts a compose file's Postgres: docker first, where it can."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.model.wire import Server
from devkit.services.environment.started import started
from devkit.services.ports import Ports
from devkit.services.stack import beside, postgres
from devkit.services.stack.beside import services_beside, why_no_container
from devkit.settings.evidence.compose import compose_services
from devkit.settings.load import Settings, load
from devkit.settings.paths import Paths
from tests.acceptance.harness import free_port

COMPOSE = """
services:
  db:
    image: postgis/postgis:17
    ports: ["%d:5432"]
    environment: {POSTGRES_USER: clerk, POSTGRES_PASSWORD: secret}
"""
NO_IMAGE = "case $1 in info) ;; compose) echo 2.30 ;; *) echo 'no such host' >&2; exit 1 ;; esac"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def settings(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project with a Postgres in its compose file, on a machine with the programs in `bin` alone."""
    monkeypatch.setattr(postgres, "FOLDERS", ())
    monkeypatch.setattr("devkit.containers.compose.PLUGIN_FOLDERS", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "docker-compose.yml").write_text(COMPOSE % port)
    (tmp_path / "bin").mkdir()
    found = load(tmp_path, {}, {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)})
    options = replace(found.options, with_services=("db",))
    (tmp_path / ".devkit").mkdir()
    return replace(found, options=options, paths=Paths(tmp_path / ".devkit", tmp_path / "run"))


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def postgres_in(folder: Path, version: str) -> None:
    """What answers as such a server, and makes the data that it is told to."""
    program(folder / "postgres", f'[ "$1" = --version ] && echo "postgres (PostgreSQL) {version}"; exit 0')
    program(folder / "initdb", 'for last; do :; done; /bin/ls -l "$last" > "${2%/*}/asked"; /bin/mkdir "$2"')


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("", "not installed"),
        ("exit 1", "its engine does not answer"),
        ("[ $1 = info ]", "it has no compose"),
        (NO_IMAGE, "postgis/postgis:17 cannot be had: no such host"),
        (NO_IMAGE.replace("in info", "in info|pull"), ""),
        (NO_IMAGE.replace("in info", "in info|image"), ""),
    ],
)
def test_why_docker_does_not_start_it(settings: Settings, script: str, why: str) -> None:
    if script:
        program(settings.root / "bin" / "docker", script)
    [service] = compose_services(settings.root)

    assert why_no_container(settings, service, may_pull=True) == why


def test_an_image_is_not_pulled_where_there_is_nothing_else(settings: Settings) -> None:
    """Compose does, and shows how far it is."""
    program(settings.root / "bin" / "docker", NO_IMAGE)
    [service] = compose_services(settings.root)

    assert why_no_container(settings, service, may_pull=False) == ""


def test_without_docker_it_is_the_one_of_this_machine(settings: Settings, port: int) -> None:
    postgres_in(settings.root / "bin", "17.2")
    ports = Ports(settings.options)
    try:
        [service], _ = services_beside(settings, {"MARK": "1"}, ports)
    finally:
        ports.close()

    assert service.name == "db"
    assert service.how == "embedded postgres 17, data in .devkit/postgres/db (docker: not installed)"
    assert service.url == f"postgresql://127.0.0.1:{port}"
    assert service.env["MARK"] == "1"
    assert "secret" not in " ".join(service.argv)
    data = settings.root / ".devkit" / "postgres"
    assert (data / "asked").read_text().startswith("-rw-------")
    assert sorted(path.name for path in data.iterdir()) == ["asked", "db"]
    assert started(settings, ["db"]) == [Server(names=["db"], ports={"5432": f"127.0.0.1:{port}"}, open=False)]
    assert started(settings, ["redis"]) == []


def test_with_neither_the_error_says_what_mends_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "INSTALL_LINES", {"sh": "the line to install it"})
    monkeypatch.setattr("shutil.which", lambda name, path=None: "/bin/sh" if name == "sh" else None)
    with pytest.raises(DevkitError) as raised:
        services_beside(settings, {}, Ports(settings.options))

    assert str(raised.value) == (
        "nothing here can start db: docker (not installed) cannot, and there is no Postgres on this machine"
    )
    assert raised.value.mend == ("the line to install it", "or install docker, with compose 2")


def test_root_is_told_that_postgres_refuses(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres_in(settings.root / "bin", "17.2")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(DevkitError, match="Postgres refuses to run as root") as raised:
        services_beside(settings, {}, Ports(settings.options))

    assert raised.value.mend[0] == "run devkit as another user than root, where Postgres is installed"
