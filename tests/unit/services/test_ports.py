"""The ports of one stack."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from devkit.errors import DevkitError, UsageError
from devkit.services import ports
from devkit.services.ports import Port, Ports
from devkit.settings.options import Options

Make = Callable[..., Ports]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes the ports of stacks, which no other stack on this machine gets to see."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ExitStack() as end:
        yield lambda **options: end.enter_context(closing(Ports(Options(**options))))


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> int:
    """The usual port of all services, which is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    monkeypatch.setattr(ports, "USUAL_PORTS", dict.fromkeys(ports.USUAL_PORTS, port))
    return port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process holds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_usual_port_if_it_is_free(make: Make, usual: int) -> None:
    assert make().choose("api") == Port(usual)


def test_a_usual_port_that_is_taken_moves_and_says_so(make: Make, usual: int) -> None:
    with socket.create_server(("127.0.0.1", usual)):
        port = make().choose("api")

    assert port.number > usual
    assert port.note == f" (port {usual} is taken)"


def test_the_port_wished_for_if_it_is_free(make: Make, usual: int, taken: int) -> None:
    ports.USUAL_PORTS["redis"] = taken

    assert make(flower_port=usual).choose("redis", wish=usual).number > taken
    assert make(redis_port=usual).choose("redis", wish=taken) == Port(usual)
    assert make().choose("redis", wish=usual) == Port(usual)


def test_the_usual_port_if_the_one_wished_for_is_taken(make: Make, usual: int, taken: int) -> None:
    assert make().choose("redis", wish=taken) == Port(usual, f" (port {taken} is taken)")


def test_each_service_has_its_own(make: Make, usual: int) -> None:
    ports = make()

    assert len({ports.choose(name).number for name in ("redis", "api", "flower")}) == 3


def test_a_port_that_another_service_asks_for_is_not_given_away(make: Make, usual: int) -> None:
    ports = make(flower_port=usual)

    assert ports.choose("api").number != usual
    assert ports.choose("flower") == Port(usual)


def test_a_port_asked_for_that_is_taken_is_an_error_which_names_who_holds_it(make: Make, taken: int) -> None:
    with pytest.raises(DevkitError, match=f"port {taken}, asked for by api_port, is taken by pid {os.getpid()} "):
        make(api_port=taken).choose("api")


def test_a_port_asked_for_twice_is_an_error_even_if_it_is_free(make: Make, usual: int) -> None:
    with pytest.raises(UsageError, match=f"port {usual} is asked for twice"):
        make(api_port=usual, redis_port=usual).choose("redis")
