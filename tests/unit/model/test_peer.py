"""Who is at the other end of a connection."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from devkit.model import peer
from devkit.model.peer import is_another_user, listen

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/net/tcp")
CONNECTS = """
import encodings.idna, os, socket, sys  # that user may not be able to read what is imported later
if os.getuid() != int(sys.argv[2]):
    os.setuid(int(sys.argv[2]))
one = socket.socket()
one.connect(("127.0.0.1", int(sys.argv[1])))
sys.stdin.read()
"""
NOBODY = 65534


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def connected(server: socket.socket, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """The near end and the far end."""
    far = stack.enter_context(socket.create_connection(server.getsockname()))
    return stack.enter_context(server.accept()[0]), far


@needs_linux
def test_this_user_may_come_in(server: socket.socket) -> None:
    with ExitStack() as stack:
        near = [connected(server, stack)[0] for _ in range(20)]
        assert [is_another_user(one) for one in near] == [False] * 20


@needs_linux
@pytest.mark.parametrize("user", [NOBODY, os.getuid()])
def test_a_process_of_another_user_may_not(server: socket.socket, user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() and user == NOBODY:
        pytest.skip("only root can start one")
    command = [sys.executable, "-S", "-c", CONNECTS, str(server.getsockname()[1]), str(user)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        with server.accept()[0] as near:
            assert is_another_user(near) == (user != os.getuid())
            if user:  # and to that user, root
                monkeypatch.setattr(os, "getuid", lambda: user)
                assert not is_another_user(near)
                monkeypatch.setattr(os, "getuid", lambda: user + 1)
                assert is_another_user(near)
            else:
                monkeypatch.setattr(os, "getuid", lambda: 1000)
                assert not is_another_user(near)
        process.communicate()


@needs_linux
def test_whoever_is_gone_already_may_not(server: socket.socket) -> None:
    with ExitStack() as stack:
        near, far = connected(server, stack)
        far.close()
        assert is_another_user(near)
        near.close()
        assert is_another_user(near)


def table_is(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(peer, "open", fail, raising=False)


@pytest.mark.parametrize(("error", "refused"), [(FileNotFoundError(), False), (PermissionError(), True)])
def test_where_the_system_does_not_tell(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch, error: OSError, refused: bool
) -> None:
    with ExitStack() as stack:
        near, _ = connected(server, stack)
        table_is(error, monkeypatch)
        assert is_another_user(near) is refused


# --- unix sockets ---

CONNECTS_HERE = """
import encodings.idna, os, socket, sys
if os.getuid() != int(sys.argv[2]):
    os.setuid(int(sys.argv[2]))
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
sys.stdin.read()
"""


@needs_linux
@pytest.mark.parametrize("user", [NOBODY, os.getuid()])
def test_who_connects_to_a_unix_socket(short_folder: Path, user: int) -> None:
    if os.getuid() and user == NOBODY:
        pytest.skip("only root can start one")
    path = short_folder / "x.sock"
    short_folder.chmod(0o755)
    with listen(str(path)) as server:
        path.chmod(0o777)
        server.settimeout(10)
        command = [sys.executable, "-S", "-c", CONNECTS_HERE, str(path), str(user)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            with server.accept()[0] as near:
                assert is_another_user(near) == (user != os.getuid())
            process.communicate()


def test_both_ends_of_a_unix_socket_are_ours_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for end in socket.socketpair():
        with end:
            assert not is_another_user(end)
            monkeypatch.delattr(socket, "SO_PEERCRED", raising=False)  # not Linux: the modes have to do
