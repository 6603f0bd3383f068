"""The embedded Postgres: which program, and whose account."""

import re
from pathlib import Path

import pytest

from devkit.services.environment.kinds import kind_of
from devkit.services.stack import postgres
from devkit.services.stack.postgres import Account, account, find_postgres
from devkit.settings.evidence.compose import ComposeService, compose_services


def programs(folder: Path, version: str, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names or ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)


def test_the_one_on_path_comes_first_then_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6.24", "17.2 (Debian 17.2-1)", "18beta1"):
        programs(tmp_path / "lib" / re.split(r"\D", version)[0] / "bin", version)
    programs(tmp_path / "lib" / "19" / "bin", "19.1", "postgres")  # a client's package has no initdb
    programs(tmp_path / "own", "15.4")
    (tmp_path / "bin").mkdir()
    for name in ("postgres", "initdb"):
        (tmp_path / "bin" / name).symlink_to(tmp_path / "own" / name)
    monkeypatch.setattr(postgres, "FOLDERS", (f"{tmp_path}/lib/*/bin",))

    found = find_postgres(f"/nowhere:{tmp_path / 'bin'}::{tmp_path / 'own'}")

    assert [one.version for one in found] == ["15", "18", "17", "9.6"]
    assert found[0]["initdb"] == str(tmp_path / "own" / "initdb")


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ("", Account("postgres", "postgres", "postgres")),
        ("POSTGRES_USER: clerk", Account("clerk", "postgres", "clerk")),
        (
            "POSTGRES_USER: clerk, POSTGRES_PASSWORD: a b, POSTGRES_DB: shop",
            Account("clerk", "a b", "shop"),
        ),
        (
            "POSTGRESQL_USERNAME: clerk, POSTGRESQL_PASSWORD: word, POSTGRESQL_DATABASE: shop",
            Account("clerk", "word", "shop"),
        ),
    ],
)
def test_whose_it_is(tmp_path: Path, environment: str, found: Account) -> None:
    compose = f"services:\n  db:\n    image: postgres\n    env_file: db.env\n    environment: {{{environment}}}\n"
    (tmp_path / "docker-compose.yml").write_text(compose)
    (tmp_path / "db.env").write_text("POSTGRES_DB=\n")
    [service] = compose_services(tmp_path)

    assert account(service) == found


@pytest.mark.parametrize(
    ("image", "is_one"),
    [
        ("postgres:17-alpine", True),
        ("docker.io/library/postgres", True),
        ("postgis/postgis:17-3.5", True),
        ("timescale/timescaledb:latest-pg17", True),
        ("pgvector/pgvector:pg17", True),
        ("bitnami/postgresql@sha256:0", True),
        ("postgrest/postgrest:v12", False),
        ("dpage/pgadmin4", False),
        ("redis:8", False),
    ],
)
def test_which_images_are_of_a_postgres(image: str, is_one: bool) -> None:
    kind = kind_of(ComposeService("db", Path("docker-compose.yml"), 1, image=image))

    assert (kind is not None and kind.scheme == "postgresql") is is_one
