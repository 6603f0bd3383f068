"""The connection: nothing is lost, nothing is mixed up, nothing is said unasked."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from devkit.debug.transport import Closed, Connection, Message, Received, Text, connect
from tests.unit.debug.scripted import Peer, message, scripted


async def _all(connection: Connection) -> list[Received]:
    found: list[Received] = []
    while not (found and isinstance(found[-1], Closed)):
        found.append(await connection.receive())
    return found


def receive(script: Callable[[Peer], object]) -> list[Received]:
    """All that a client receives, texts that follow each other joined."""

    async def run(port: int) -> list[Received]:
        connection = await connect("127.0.0.1", port)
        try:
            return await _all(connection)
        finally:
            connection.close()

    with scripted(script) as port:
        received = asyncio.run(run(port))
    joined: list[Received] = []
    for piece in received:
        if isinstance(piece, Text) and joined and isinstance(joined[-1], Text):
            piece = Text(joined.pop().text + piece.text)  # type: ignore[union-attr]  # noqa: PLW2901
        joined.append(piece)
    return joined


STREAM = b"one\r\n" + message("prompt", text="(Pdb) ") + "zwei ü €\r\n".encode() + message("running") + b"three"
PIECES = [
    Text("one\r\n"), Message("prompt", {"text": "(Pdb) "}), Text("zwei ü €\r\n"), Message("running", {}), Text("three"),
    Closed(),
]  # fmt: skip


def test_text_and_messages_keep_their_order() -> None:
    assert receive(lambda peer: peer.send(STREAM)) == PIECES


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_it_does_not_matter_how_it_is_cut(size: int) -> None:
    def script(peer: Peer) -> None:
        peer._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(STREAM), size):
            peer.send(STREAM[start : start + size])

    assert receive(script) == PIECES


def test_much_text_without_a_line_end_and_what_comes_just_before_the_end() -> None:
    text = "x" * 3_000_000

    def script(peer: Peer) -> None:
        peer.send(text.encode() + message("ended", state="SUCCESS"))

    assert receive(script) == [Text(text), Message("ended", {"state": "SUCCESS"}), Closed()]


def test_a_long_message() -> None:
    source = [[number, "x" * 100] for number in range(3000)]

    assert receive(lambda peer: peer.tell("stopped", source=source)) == [
        Message("stopped", {"source": source}),
        Closed(),
    ]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"a\xff\xffb", "a\N{REPLACEMENT CHARACTER}b", id="a doubled 255 is one byte, which is no UTF-8"),
        pytest.param(b"a\xff\xf1b", "ab", id="telnet's NOP"),
        pytest.param(b"a\xff\xfb\x01b", "ab", id="it will echo"),
        pytest.param(b"a\xff\xfa\xc9devkit.x {broken\xff\xf0b", "ab", id="a message that is not JSON"),
        pytest.param(b"a\xff\xfa\xc9other.x {}\xff\xf0b", "ab", id="a message of somebody else"),
        pytest.param(b"a\xe2\x82b", "a\N{REPLACEMENT CHARACTER}b", id="half a character"),
    ],
)
def test_what_is_no_text(data: bytes, text: str) -> None:
    assert receive(lambda peer: peer.send(data)) == [Text(text), Closed()]


def test_nothing_is_said_before_it_is_told_to() -> None:
    """A plain rdb takes every byte for a command, and telnet's fail the task."""
    heard = []

    async def run(port: int) -> None:
        connection = await connect("127.0.0.1", port)
        connection.write("p x\n")
        await connection.receive()
        connection.close()

    def script(peer: Peer) -> None:
        heard.append(peer.read(b"p x\n"))
        peer.send(b"1\r\n")
        heard.append(peer.rest())

    with scripted(script) as port:
        asyncio.run(run(port))
    assert heard == [b"p x\n", b""]


def test_what_is_told() -> None:
    heard: list[object] = []

    async def run(port: int) -> None:
        connection = await connect("127.0.0.1", port)
        connection.tell("command", text="p 'ÿ'")
        connection.interrupt()
        connection.close()
        assert isinstance(await connection.receive(), Closed)

    def script(peer: Peer) -> None:
        heard.append(peer.heard("command"))
        heard.append(peer.rest())

    with scripted(script) as port:
        asyncio.run(run(port))
    assert heard == [{"text": "p 'ÿ'"}, b"\xff\xf4"]


def test_a_crowd_makes_the_other_side_wait_and_nothing_is_lost() -> None:
    async def run(port: int) -> int:
        connection = await connect("127.0.0.1", port)
        while not connection._client._crowded:
            await asyncio.sleep(0)
        return sum(isinstance(piece, Message) for piece in await _all(connection))

    def script(peer: Peer) -> None:
        for number in range(20_000):
            peer.tell("prompt", text=str(number))

    with scripted(script) as port:
        assert asyncio.run(run(port)) == 20_000


def test_a_stream_that_leads_there_already() -> None:
    async def run(stream: socket.socket) -> list[Received]:
        connection = await connect("127.0.0.1", 1, stream)
        connection.write("c\n")
        return await _all(connection)

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(STREAM)
        theirs.shutdown(socket.SHUT_WR)
        assert asyncio.run(run(ours))[-1] == Closed()
        assert theirs.recv(10) == b"c\n"
