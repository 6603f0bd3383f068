"""How this machine reaches what containers reach by their names."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from devkit.containers.docker import Container
from devkit.services.reach.members import Containers
from devkit.services.reach.routes import Routes
from tests.unit.services.compose.listed import container, published
from tests.unit.waiting import wait_for

# Instead of in a container, the command is run here; an image has these variables.
DOCKER = """#!/bin/sh
if [ "$1" = image ]; then echo '["PATH=/x", "LANG=C.UTF-8", "CACHE=redis://redis:6379"]'; exit; fi
shift 3
exec "$@"
"""
Make = Callable[..., Routes]


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of this machine's at which somebody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    made: list[Routes] = []

    def routes(*others: Container, **worker: Any) -> Routes:
        one = container("worker", **worker)
        made.append(Routes(Containers(str(docker), (one, *others)), one))
        return made[-1]

    yield routes
    for one in made:
        one.close()


def test_by_the_port_that_is_published(make: Make, listening: int) -> None:
    redis = container("redis", ports=(published(6379, listening, "0.0.0.0"),), exposed=frozenset({6379}))
    routes = make(redis, environ={"BROKER": "redis://redis:6379/0"})

    assert routes.here("redis://redis:6379/0") == f"redis://127.0.0.1:{listening}/0"
    assert routes.here("redis://elsewhere:6379/0") == "redis://elsewhere:6379/0"
    assert routes.here("redis://host.docker.internal:6379/0") == "redis://127.0.0.1:6379/0"
    environ = routes.environ({}, {})
    assert environ["BROKER"] == f"redis://127.0.0.1:{listening}/0"
    assert json.loads(environ["DEVKIT_ROUTES"]) == dict.fromkeys(
        ("redis:6379", "shop-redis-1:6379", "host-of-redis:6379"), f"127.0.0.1:{listening}"
    )


def test_or_through_the_workers_container(make: Make, listening: int) -> None:
    unanswered = published(listening, 1)  # of another machine's docker
    routes = make(container("localhost", ports=(unanswered,)))

    place = routes.here(f"localhost:{listening}")

    assert place not in (f"localhost:{listening}", "127.0.0.1:1")
    host, port = place.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"there")  # it is taken
    routes.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port))):
        pass


def test_what_came_to_nothing_is_told(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    routes = make(container("localhost"))
    host, port = routes.here(f"localhost:{closed}").split(":")

    with closing(socket.create_connection((host, int(port)))) as connection:
        assert connection.recv(1) == b""
    wait_for(lambda: any("refused" in problem for problem in routes.problems))


def test_the_workers_variables_are_taken_but_not_what_is_about_the_container(make: Make, listening: int) -> None:
    redis = container("redis", ports=(published(6379, listening),))
    inside = {
        "PATH": "/x", "HOME": "/root", "PYTHONPATH": "/app", "DEVKIT_UID": "7", "LANG": "C.UTF-8",
        "CACHE": "redis://redis:6379", "SHOP": "north", "COLOUR": "blue", "FILE": "/app/data/x", "ETC": "/etc/x",
        "DB_HOST": "redis", "DB_PORT": "6379", "OTHER_HOST": "redis", "A_HOST": "elsewhere", "A_PORT": "6379",
    }  # fmt: skip
    own = {"PATH": "/bin", "HOME": "/home/me", "LANG": "de", "COLOUR": "red", "OWN": "redis://redis:6379", "ASKED": "x"}
    here = f"127.0.0.1:{listening}"

    found = make(redis, environ=inside, mounts=(("/home/me/shop", "/app"),)).environ(own, {"ASKED": "y"})

    del found["DEVKIT_ROUTES"]
    assert found == {
        "PATH": "/bin", "HOME": "/home/me", "LANG": "de", "COLOUR": "blue", "OWN": f"redis://{here}", "ASKED": "y",
        "CACHE": f"redis://{here}", "SHOP": "north", "FILE": "/home/me/shop/data/x", "ETC": "/etc/x",
        "DB_HOST": "127.0.0.1", "DB_PORT": str(listening), "OTHER_HOST": "redis",
        "A_HOST": "elsewhere", "A_PORT": "6379",
    }  # fmt: skip


def test_of_what_is_exposed_only_what_an_app_may_talk_to_is_opened(make: Make) -> None:
    routes = make(container("rabbitmq", exposed=frozenset({5672, 15672, 25672})))

    assert {name.rpartition(":")[2] for name in json.loads(routes.environ({}, {})["DEVKIT_ROUTES"])} == {"5672"}


def test_whether_a_container_is_one_of_them(make: Make) -> None:
    routes = make(container("worker", number=2, id="abcdef", hostname="second"))

    assert routes.runs("abcd")
    assert routes.runs("second")
    assert not routes.runs("dcba")
