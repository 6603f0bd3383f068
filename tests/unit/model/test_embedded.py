"""Whose what answers at an address is."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.model import embedded
from devkit.model.embedded import address, anothers_project, redis_ident
from devkit.services.ports import Port
from devkit.services.stack.redis import redis_argv
from devkit.stack.probes import redis_answers
from tests.unit.serving import rabbitmq_of, redis_of, serving
from tests.unit.waiting import wait_for

OURS = "/ours/.devkit"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Another project's folder, and the port of its embedded Redis."""
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if not server:
        pytest.skip("needs redis-server or valkey-server on PATH")
    root = tmp_path_factory.mktemp("their project é")
    data = root / ".devkit" / "redis"
    data.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    process = subprocess.Popen(redis_argv(server, Port(port), data), stdout=subprocess.DEVNULL)
    try:
        wait_for(redis_answers(port).check)
        yield root, port
    finally:
        process.terminate()
        process.wait()


# --- Redis ---


@pytest.mark.parametrize("host", [
    "localhost", "127.0.0.1", "127.1", "0.0.0.0", "LocalHost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
])  # fmt: skip
def test_an_embedded_redis_says_whose_it_is(theirs: tuple[Path, int], host: str) -> None:
    root, port = theirs
    for url in (f"redis://{host}:{port}/0", f"redis://user:secret@{host}:{port}/7?x=y", f"redis://{host}:{port}"):
        assert anothers_project(url, OURS) == str(root)


def test_ones_own_is_not_anothers_by_whatever_path(theirs: tuple[Path, int], tmp_path: Path) -> None:
    root, port = theirs
    (tmp_path / "link").symlink_to(root)

    for data in (root / ".devkit", tmp_path / "link" / ".devkit"):
        assert anothers_project(f"redis://localhost:{port}/0", str(data)) == ""


def test_who_may_not_look_into_the_folder_knows_it_as_well() -> None:
    """It may be another user's."""
    with serving(lambda _: redis_of("/no/such/.devkit/redis")) as port:
        assert anothers_project(f"redis://localhost:{port}", OURS) == "/no/such"


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"-ERR unknown command\r\n", b"-NOAUTH Authentication required.\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"*0\r\n", b"*2\r\n$12\r\nsyslog-ident\r\n$5\r\nredis\r\n",
    ],
)  # fmt: skip
def test_any_other_is_nobodys(answer: bytes) -> None:
    with serving(lambda _: answer) as port:
        assert anothers_project(f"redis://localhost:{port}/0", OURS) == ""


def test_the_ident_is_what_is_looked_for() -> None:
    assert redis_ident("/shop/.devkit/redis") == "devkit:/shop/.devkit/redis"


# --- RabbitMQ ---


def test_an_embedded_rabbitmq_says_whose_it_is() -> None:
    with serving(lambda _: rabbitmq_of("/their shop/.devkit/rabbitmq")) as port:
        for scheme in ("amqp", "pyamqp"):
            assert anothers_project(f"{scheme}://guest@localhost:{port}//", OURS) == "/their shop"
        assert anothers_project(f"amqp://localhost:{port}//", "/their shop/.devkit") == ""


@pytest.mark.parametrize("greeting", [b"", b"AMQP\0\0\x09\x01", b"\x01\0\0\x07productS\0\0\0\x08RabbitMQ"])
def test_any_other_rabbitmq_is_nobodys(greeting: bytes) -> None:
    with serving(lambda _: greeting) as port:
        assert anothers_project(f"amqp://localhost:{port}//", OURS) == ""


# --- what is not asked ---


@pytest.mark.parametrize(
    "url",
    [
        "redis://192.0.2.1:{}/0", "redis://redis.invalid:{}/0", "sqs://localhost:{}", "redis+socket:///run/r.sock",
        "redis://localhost:port", "redis://[::1", "db+sqlite:///x.db", "memory://", "rpc://", "",
    ],
)  # fmt: skip
def test_nobody_is_asked_who_cannot_be_embedded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *arguments: asked.append(arguments))

    assert anothers_project(url.format(6379), OURS) == ""
    assert asked == []


def test_where_nobody_listens_it_is_nobodys() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert anothers_project(f"redis://localhost:{held.getsockname()[1]}/0", OURS) == ""


def test_names_that_this_machine_knows_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many write redis into /etc/hosts, since their containers have it by that name."""
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n\n# 127.0.0.1 shop\n127.0.0.1\tredis RabbitMQ # mine\n")
    monkeypatch.setattr(embedded, "HOSTS", str(tmp_path / "hosts"))

    assert [address(name) for name in ("redis", "rabbitmq", "localhost", "shop.localhost", "")] == ["127.0.0.1"] * 5
    assert [address(name) for name in ("shop", "mine", "redis.example.com")] == [""] * 3
    assert [address(name) for name in ("::1", "10.0.0.7")] == ["::1", "10.0.0.7"]
