"""The addresses in a text."""

import pytest

from devkit.model.address import rerouted

ROUTES = {("redis", 6379): "127.0.0.1:1", ("rabbit-mq", 5672): "127.0.0.1:2", ("db_1", 5432): "127.0.0.1:3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://redis:6379/0", "redis://127.0.0.1:1/0"),
        ("redis://redis/0", "redis://127.0.0.1:1/0"),
        ("redis://:redis@redis:6379/0?x=redis", "redis://:redis@127.0.0.1:1/0?x=redis"),
        ("amqp://rabbit-mq:secret@rabbit-mq//", "amqp://rabbit-mq:secret@127.0.0.1:2//"),
        ("amqp://u:p@gone:5672//;amqp://u:p@rabbit-mq:5672//", "amqp://u:p@gone:5672//;amqp://u:p@127.0.0.1:2//"),
        ("db+postgresql+psycopg2://u:p@db_1/shop", "db+postgresql+psycopg2://u:p@127.0.0.1:3/shop"),
        ("redis:6379,redis:6379", "127.0.0.1:1,127.0.0.1:1"),
        ("local:redis:6379", "local:127.0.0.1:1"),
        ("redis", None),
        ("redis://redis:6380/0", None),
        ("redis://redis.example.com:6379/0", None),
        ("redis://my-redis:6379/0", None),
        ("redis+socket:///run/redis.sock", None),
        ("http://redis", None),
        ("", None),
    ],
)
def test_those_that_are_known_are_replaced(text: str, expected: str | None) -> None:
    assert rerouted(text, lambda host, port: ROUTES.get((host, port))) == (text if expected is None else expected)
