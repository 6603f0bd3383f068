"""Ports that are free, and who holds those that are not."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.stack import ports
from devkit.stack.ports import HOST, Reservations, holder, is_free
from tests.unit.stack.programs import Programs


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        yield server


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


def test_a_port_is_free_until_somebody_listens(server: socket.socket) -> None:
    port = port_of(server)
    assert not is_free(port)

    server.close()

    assert is_free(port)


def test_a_port_on_all_addresses_is_not_free_here() -> None:
    with socket.create_server(("", 0)) as server:
        assert not is_free(port_of(server))


def test_a_port_that_just_served_is_free(server: socket.socket) -> None:
    """The server closes first, so that its end of the connection is left in TIME_WAIT."""
    with socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        accepted.close()
        assert client.recv(1) == b""
    port = port_of(server)
    server.close()

    with socket.socket() as careless, pytest.raises(OSError, match="in use"):
        careless.bind((HOST, port))
    assert is_free(port)


# --- the ports of one stack ---


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Reservations]]:
    """Makes the reservations of stacks, which no other stack on this machine gets to see."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ExitStack() as end:
        yield lambda: end.enter_context(closing(Reservations()))


Stacks = Callable[[], Reservations]


@pytest.fixture
def port(server: socket.socket) -> int:
    """A port that is free."""
    port = port_of(server)
    server.close()
    return port


def test_the_next_free_port_is_the_one_asked_for_if_it_is_free(stacks: Stacks, port: int) -> None:
    assert stacks().next_free(port, set()) == port


def test_ports_in_use_and_those_already_given_away_are_passed_over(stacks: Stacks, server: socket.socket) -> None:
    port = port_of(server)

    found = stacks().next_free(port, {port + 1, port + 2})

    assert found > port + 2
    assert is_free(found)


def test_the_port_wished_for_comes_first_unless_another_stack_has_it(stacks: Stacks, port: int) -> None:
    mine = stacks()
    assert mine.next_free(port + 1, set(), port) == port

    assert stacks().next_free(port + 1, set(), port) > port


def test_a_port_belongs_to_its_stack_also_while_nobody_listens(stacks: Stacks, port: int) -> None:
    mine, others = stacks(), stacks()
    assert mine.next_free(port, set()) == port

    assert others.next_free(port, set()) > port

    mine.close()
    assert stacks().next_free(port, set()) == port


def test_a_stack_that_was_killed_has_no_ports(stacks: Stacks, port: int, programs: Programs, tmp_path: Path) -> None:
    code = "from devkit.stack.ports import Reservations; tell(Reservations().next_free(int(sys.argv[1]), ())); sleep()"
    killed = programs.start(code, port, env={"TMPDIR": str(tmp_path)})
    assert killed.heard() == str(port)
    assert stacks().next_free(port, set()) > port

    killed.kill()
    killed.ended()

    assert stacks().next_free(port, set()) == port


def test_where_nothing_can_be_reserved_only_what_listens_counts(
    stacks: Stacks, server: socket.socket, tmp_path: Path
) -> None:
    (tmp_path / f"devkit-{os.getuid()}").write_text("not a folder")
    port = port_of(server)

    assert stacks().next_free(port, set()) > port
    server.close()
    assert stacks().next_free(port, set()) == stacks().next_free(port, set()) == port


def test_the_search_ends_with_the_last_port(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(ports, "is_free", asked.append)

    with pytest.raises(DevkitError, match="no port from 65534 to 65535 is free"):
        stacks().next_free(65534, set())

    assert asked == [65534, 65535]


# --- who has it ---


def test_the_holder_of_a_port_is_named_with_its_command(server: socket.socket) -> None:
    named = holder(port_of(server))

    assert named.startswith(f"pid {os.getpid()} (")
    assert "python" in named


def test_who_only_has_a_connection_from_that_port_does_not_hold_it(server: socket.socket) -> None:
    with socket.create_connection(server.getsockname()) as client:
        assert holder(port_of(client)) == "another user's process"


def test_nobody_is_accused_of_a_free_port(server: socket.socket) -> None:
    port = port_of(server)
    server.close()

    assert holder(port) == "another user's process"
