"""Which broker and which result backend: the app's own where they answer, else an embedded Redis or RabbitMQ."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from devkit.errors import DevkitError
from devkit.services.ports import Port
from devkit.services.project.broker import Choice, asked_for, choose, masked
from devkit.services.stack.redis import EMBEDDED_MARK
from devkit.settings.load import load

EMBEDDED = "redis://127.0.0.1:7777"
DATA = Path("/project/.devkit")
REFUSED = "Connection refused"


def facts(broker: str = "memory://", backend: str | None = None, **errors: str | None) -> dict[str, Any]:
    """What the app says of itself."""
    return {
        "broker": broker,
        "broker_error": errors.get("broker_error"),
        "result_backend": backend,
        "result_backend_error": errors.get("result_backend_error"),
    }


def decide(
    app: dict[str, Any], broker: str | None = None, backend: str | None = None, data: Path = DATA
) -> tuple[str | None, str | None, int | None, str]:
    choice = choose(app, Choice(broker, backend), data, lambda *_: Port(7777))
    port = choice.embedded_port.number if choice.embedded_port else None
    return choice.broker, choice.result_backend, port, choice.why


def no_port(name: str, number: int | None) -> Port:
    pytest.fail(f"no embedded {name} is needed")


# --- the app's own, and those asked for ---


@pytest.mark.parametrize(
    "app", [facts(), facts(backend="db+sqlite:///x.db"), facts("amqp://guest:guest@rabbitmq//", "rpc://")]
)
def test_what_answers_stays(app: dict[str, Any]) -> None:
    choice = choose(app, Choice(None, None), DATA, no_port)

    assert choice == Choice(None, None)
    assert choice.environ() == {}


def test_what_is_asked_for_is_taken() -> None:
    choice = choose(facts("redis://a", "redis://b"), Choice("redis://a", "redis://b"), DATA, no_port)

    assert choice == Choice("redis://a", "redis://b")
    assert choice.environ() == {
        "CELERY_BROKER_URL": "redis://a",
        "CELERY_BROKER_READ_URL": "redis://a",
        "CELERY_BROKER_WRITE_URL": "redis://a",
        "CELERY_RESULT_BACKEND": "redis://b",
    }


@pytest.mark.parametrize(("what", "error"), [("broker", "broker_error"), ("result backend", "result_backend_error")])
def test_what_is_asked_for_and_does_not_answer_is_an_error(what: str, error: str) -> None:
    url = "redis://user:secret@cache:6379/0"
    asked = {"broker": (url, None), "result backend": (None, url)}[what]

    with pytest.raises(DevkitError) as caught:
        choose(facts(url, url, **{error: REFUSED}), Choice(*asked), DATA, no_port)

    assert caught.value.what == f"the {what} redis://user:***@cache:6379/0 does not answer: {REFUSED}"


# --- an embedded Redis takes their place ---


def test_a_broker_that_does_not_answer_is_replaced() -> None:
    app = facts("amqp://guest:secret@rabbitmq//", "db+sqlite:///x.db", broker_error=REFUSED)

    assert decide(app) == (f"{EMBEDDED}/0", None, 7777, f"amqp://guest:***@rabbitmq//: {REFUSED}")


def test_where_redis_is_embedded_an_app_without_a_result_backend_gets_one() -> None:
    assert decide(facts("redis://cache", broker_error=REFUSED))[:2] == (f"{EMBEDDED}/0", f"{EMBEDDED}/1")


def test_where_nothing_is_embedded_an_app_without_a_result_backend_stays_without() -> None:
    assert decide(facts("redis://cache")) == (None, None, None, "")


def test_a_result_backend_that_does_not_answer_is_replaced_alone() -> None:
    app = facts("memory://", "redis://:secret@cache/1", result_backend_error=REFUSED)

    assert decide(app) == (None, f"{EMBEDDED}/1", 7777, "")


def test_both_are_replaced() -> None:
    app = facts("redis://cache/0", "redis://cache/1", broker_error=REFUSED, result_backend_error=REFUSED)

    assert decide(app) == (f"{EMBEDDED}/0", f"{EMBEDDED}/1", 7777, f"redis://cache/0: {REFUSED}")


def test_what_is_asked_for_is_not_replaced() -> None:
    dead = facts("redis://cache", "redis://cache", broker_error=REFUSED)

    assert decide(dead, backend="redis://cache")[:2] == (f"{EMBEDDED}/0", "redis://cache")
    dead = facts("redis://cache", "redis://cache", result_backend_error=REFUSED)
    assert decide(dead, broker="redis://cache")[:2] == ("redis://cache", f"{EMBEDDED}/1")


def test_a_url_that_is_none_does_not_answer_and_that_is_all() -> None:
    app = facts("redis://localhost:port/0", "redis://localhost:port/1", broker_error="x", result_backend_error="x")

    assert decide(app)[:2] == (f"{EMBEDDED}/0", f"{EMBEDDED}/1")


# --- the embedded Redis of another project ---


@contextmanager
def redis_in(folder: str, respond: Callable[[bytes], bytes] | None = None) -> Iterator[int]:
    """The port of a server that answers as a Redis which works in that folder."""
    answer = f"*2\r\n$3\r\ndir\r\n${len(folder.encode())}\r\n{folder}\r\n".encode()
    with serving(respond or (lambda _: answer)) as port:
        yield port


@contextmanager
def serving(respond: Callable[[bytes], bytes]) -> Iterator[int]:
    """The port of a server that has one answer to each connection."""

    def serve() -> None:
        try:
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(respond(connection.recv(1024)))
        except OSError:
            pass  # closed: the test is over

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The data of another project's embedded Redis."""
    folder = tmp_path / "other" / ".devkit" / "redis"
    folder.mkdir(parents=True)
    (folder / EMBEDDED_MARK).touch()
    return folder


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_embedded_redis_of_another_project_is_not_shared(host: str, other: Path) -> None:
    with redis_in(str(other)) as port:
        broker, backend, embedded, why = decide(facts(f"redis://{host}:{port}/0", f"redis://{host}:{port}/1"))

    assert (broker, backend, embedded) == (f"{EMBEDDED}/0", f"{EMBEDDED}/1", 7777)
    assert why == f"redis://{host}:{port}/0: the embedded Redis of {other.parents[1]}"


def test_the_projects_own_embedded_redis_may_run_already(other: Path) -> None:
    with redis_in(str(other)) as port:
        assert decide(facts(f"redis://localhost:{port}/0"), data=other.parent) == (None, None, None, "")


def test_a_redis_that_no_devkit_started_is_the_apps_own(tmp_path: Path) -> None:
    with redis_in(str(tmp_path)) as port:
        assert decide(facts(f"redis://localhost:{port}/0")) == (None, None, None, "")


def test_who_asks_for_the_redis_of_another_project_gets_it(other: Path) -> None:
    with redis_in(str(other)) as port:
        url = f"redis://localhost:{port}/0"
        assert decide(facts(url, url), broker=url, backend=url) == (url, url, None, "")


def test_the_question_is_the_one_that_redis_understands(other: Path) -> None:
    asked: list[bytes] = []

    def respond(request: bytes) -> bytes:
        asked.append(request)
        return b"-NOAUTH Authentication required.\r\n"

    with redis_in(str(other), respond) as port:
        assert decide(facts(f"redis://localhost:{port}/0")) == (None, None, None, "")
    assert asked == [b"CONFIG GET dir\r\n"]


@pytest.mark.parametrize("answer", [b"", b"-ERR unknown command\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*0\r\n"])
def test_what_does_not_tell_its_folder_is_the_apps_own(answer: bytes) -> None:
    with redis_in("", lambda _: answer) as port:
        assert decide(facts(f"redis://localhost:{port}/0")) == (None, None, None, "")


# --- an embedded RabbitMQ, where one is asked for ---


def embed(url: str, error: str | None = REFUSED, data: Path = DATA) -> tuple[str | None, int | None]:
    """The broker, and the RabbitMQ's port if one is to be started."""
    port = None

    def choose_port(name: str, number: int | None) -> Port:
        nonlocal port
        assert name == "rabbitmq"
        port = number or 7777
        return Port(port)

    choice = choose(facts(url, broker_error=error), Choice(url, None), data, choose_port)
    assert (choice.rabbitmq_port and choice.rabbitmq_port.number) == port
    assert choice.embedded_port is None
    return choice.broker, port


@pytest.mark.parametrize(
    ("asked", "embedded"),
    [
        ("amqp://", "amqp://guest:guest@127.0.0.1:7777//"),
        ("pyamqp://", "pyamqp://guest:guest@127.0.0.1:7777//"),
        ("amqp://localhost", "amqp://guest:guest@127.0.0.1:7777//"),
        ("amqp://shop:p%40ss@localhost/shop?heartbeat=5", "amqp://shop:p%40ss@127.0.0.1:7777/shop?heartbeat=5"),
    ],
)
def test_a_rabbitmq_of_this_machine_that_does_not_answer_is_embedded(asked: str, embedded: str) -> None:
    assert embed(asked) == (embedded, 7777)


def test_where_a_port_is_named_it_is_that_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(DevkitError) as caught:
            embed(f"amqp://localhost:{port}", "ACCESS_REFUSED")
        assert caught.value.what == f"the broker amqp://localhost:{port} does not answer: ACCESS_REFUSED"

    assert embed(f"amqp://localhost:{port}") == (f"amqp://guest:guest@127.0.0.1:{port}//", port)


@pytest.mark.parametrize("url", ["amqp://192.0.2.1//", "amqp://no.such.invalid//", "amqps://localhost//", "amqp://a:b"])
def test_another_machines_is_not_embedded_nor_an_encrypted_one(url: str) -> None:
    with pytest.raises(DevkitError, match="does not answer: Connection refused"):
        embed(url)


def test_one_that_answers_is_used(tmp_path: Path) -> None:
    assert embed("amqp://localhost:1//", error=None) == ("amqp://localhost:1//", None)


def test_the_rabbitmq_of_another_project_is_used_only_by_its_port(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "other" / ".devkit" / "rabbitmq")
    greeting = b"\x01\0\0\0\0\0\0\x07productS\0\0\0\x08RabbitMQ\x06devkitS" + len(folder).to_bytes(4, "big") + folder
    with serving(lambda _: greeting) as port:
        url = f"amqp://localhost:{port}//"
        assert embed(url, error=None) == (url, None)
        assert decide(facts(url))[::3] == (
            f"{EMBEDDED}/0",
            f"amqp://localhost:{port}//: the embedded RabbitMQ of {tmp_path / 'other'}",
        )
        assert decide(facts(url), data=tmp_path / "other" / ".devkit") == (None, None, None, "")


def test_a_missing_backend_is_embedded_beside_it() -> None:
    app = facts("amqp://", "redis://cache/1", broker_error=REFUSED, result_backend_error=REFUSED)
    choice = choose(app, Choice("amqp://", None), DATA, lambda name, _: Port({"redis": 7777, "rabbitmq": 8888}[name]))

    assert choice == Choice(
        "amqp://guest:guest@127.0.0.1:8888//", f"{EMBEDDED}/1", Port(7777), rabbitmq_port=Port(8888)
    )


# --- what was set, and what a stack made of it ---


def test_while_a_stack_runs_only_flags_count(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.devkit]\nbroker = "amqp://"\nresult_backend = "rpc://"')
    settings = load(tmp_path, {"result_backend": "redis://b"}, {})

    assert asked_for(settings) == Choice("amqp://", "redis://b")
    assert asked_for(settings, running=True) == Choice(None, "redis://b")


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
