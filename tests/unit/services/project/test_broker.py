"""The broker and the result backend as they are asked for and told."""

import json
from pathlib import Path

import pytest

from devkit.services.project.broker import Choice, asked_for, masked, settled
from devkit.settings.load import load

# --- what was set, and what a stack made of it ---


def test_while_a_stack_runs_only_flags_count(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.devkit]\nbroker = "amqp://"\nresult_backend = "rpc://"')
    settings = load(tmp_path, {"result_backend": "redis://b"}, {})

    assert asked_for(settings) == Choice("amqp://", "redis://b")
    assert asked_for(settings, running=True) == Choice(None, "redis://b")


def test_what_is_settled_is_told_with_where_the_projects_own_data_is() -> None:
    told = settled(Choice("redis://a", "redis://b").environ() | {"X": "y"}, Path("/shop/.devkit"))

    assert (told["CELERY_BROKER_URL"], told["X"]) == ("redis://a", "y")
    assert json.loads(told["DEVKIT_OURS"]) == {"data": "/shop/.devkit", "settled": ["redis://a", "redis://b"]}
    assert json.loads(settled({}, Path("/shop/.devkit"))["DEVKIT_OURS"])["settled"] == []


# --- passwords ---


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("amqp://user:secret@host//", "amqp://user:***@host//"),
        ("amqp://user@host//", "amqp://user@host//"),
        ("amqp://user:se:cr@et@host//", "amqp://user:***@host//"),
        ("amqp://user:s%40cret@host/vhost?heartbeat=1", "amqp://user:***@host/vhost?heartbeat=1"),
        ("rediss://:a@a:6379/0", "rediss://:***@a:6379/0"),
        ("sqla+sqlite:///broker.db", "sqla+sqlite:///broker.db"),
        ("memory://", "memory://"),
        ("", ""),
    ],
)
def test_a_password_is_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_the_passwords_of_all_brokers_are_masked() -> None:
    """Celery takes several, one after the other when the first does not answer."""
    shown = masked("sentinel://:secret1@a:26379/0;sentinel://:secret2@b:26379/0")

    assert "secret" not in shown
    assert shown == "sentinel://:***@a:26379/0;sentinel://:***@b:26379/0"
