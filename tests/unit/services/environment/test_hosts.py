"""Addresses of containers in variables, made into those of this machine."""

import pytest

from devkit.model.wire import Server
from devkit.services.environment.hosts import mapped, names_in

SERVERS: list[Server] = [
    {"names": ["redis", "cache"], "ports": {"6379": "127.0.0.1:6380"}, "open": True},
    {"names": ["db"], "ports": {"5432": "127.0.0.1:5432", "9999": "127.0.0.1:1234"}, "open": False},
    {"names": ["rabbitmq"], "ports": {"5672": "127.0.0.1:5673"}, "open": False},
]


@pytest.mark.parametrize(
    ("value", "here"),
    [
        ("redis://redis:6379/0", "redis://127.0.0.1:6380/0"),
        ("redis://cache", "redis://127.0.0.1:6380"),
        ("redis://:pass@redis:6379/3?x=1", "redis://127.0.0.1:6380/3?x=1"),
        ("rediss://u:p@redis:6379/0?ssl_cert_reqs=none&x=1", "redis://127.0.0.1:6380/0?x=1"),
        ("rediss://redis:6379/0?ssl_cert_reqs=none", "redis://127.0.0.1:6380/0"),
        ("postgresql+asyncpg://u:p@db/app", "postgresql+asyncpg://u:p@127.0.0.1:5432/app"),
        ("amqp://u:p@rabbitmq:5672//;amqp://rabbitmq//", "amqp://u:p@127.0.0.1:5673//;amqp://127.0.0.1:5673//"),
        ("redis:6379,db:5432", "127.0.0.1:6380,127.0.0.1:5432"),
        ("http://db:9999/path", "http://127.0.0.1:1234/path"),
    ],
)
def test_an_address(value: str, here: str) -> None:
    assert mapped({"X": value}, SERVERS) == {"X": here}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENGINE", "redis"),  # no host
        ("POSTGRES_USER", "db"),
        ("IMAGE", "redis:8"),
        ("APP", "redis:app"),
        ("URL", "redis://elsewhere:6379/0"),
        ("URL", "redis://redis.example.com/0"),
        ("URL", "http://db:81"),  # a port of which nothing is known
        ("TEXT", "the db is full"),
        ("EMPTY", ""),
    ],
)
def test_what_names_no_server_stays(name: str, value: str) -> None:
    assert mapped({name: value}, SERVERS) == {}


@pytest.mark.parametrize(
    ("variables", "here"),
    [
        ({"REDIS_HOST": "redis", "REDIS_PORT": "6379"}, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "6380"}),
        ({"REDIS_HOST": "redis"}, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "6380"}),
        ({"redis_host": "cache"}, {"redis_host": "127.0.0.1", "redis_port": "6380"}),
        ({"POSTGRES_SERVER": "db", "POSTGRES_DB": "db"}, {"POSTGRES_SERVER": "127.0.0.1"}),
        ({"PGHOST": "db", "PGPORT": "5432"}, {"PGHOST": "127.0.0.1"}),
        ({"DB_HOST": "db", "DB_PORT": "9999"}, {"DB_HOST": "127.0.0.1", "DB_PORT": "1234"}),
        ({"DB_HOST": "db", "DB_PORT": "1"}, {}),
        ({"DB_HOST_NAME": "db"}, {"DB_HOST_NAME": "127.0.0.1"}),
        (
            {"REDIS_HOST": "redis", "REDIS_PASSWORD": "pass", "REDIS_USER": "", "REDIS_DB": "2"},
            {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "6380", "REDIS_PASSWORD": ""},
        ),
    ],
)
def test_a_host_and_its_port_in_two_variables(variables: dict[str, str], here: dict[str, str]) -> None:
    assert mapped(variables, SERVERS) == here


def test_which_hosts_a_variable_names() -> None:
    known = ["redis", "db"]

    assert names_in("URL", "redis://redis/0,db:5432", known) == {"redis", "db"}
    assert names_in("DB_HOST", "db", known) == {"db"}
    assert names_in("DB", "db", known) == set()
