"""What devkit's own debugger and its client say to each other."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from devkit.debug import dialogue as module
from devkit.debug.dialogue import AgentDialogue, Newlines
from devkit.debug.events import Ended, Event, Left, Lost, Output, Prompted, Refused, Running, Stopped, Welcome
from devkit.debug.transport import connect
from tests.unit.debug.scripted import STOPPED, Peer, scripted


def converse(script: Callable[[Peer], object], client: Callable[[AgentDialogue], Awaitable[Any]]) -> Any:
    """What the client's part returns."""

    async def run(port: int) -> Any:
        connection = await connect("127.0.0.1", port)
        try:
            return await client(AgentDialogue(connection, "secret", 120))
        finally:
            connection.close()

    with scripted(script) as port:
        return asyncio.run(run(port))


async def first(dialogue: AgentDialogue) -> Event:
    return await dialogue.next()


@pytest.mark.parametrize(
    ("kind", "data", "event"),
    [
        ("welcome", {"session": {"task": "divide"}}, Welcome({"task": "divide"})),
        ("prompt", {"text": ">>> "}, Prompted(">>> ")),
        ("running", {}, Running()),
        ("ended", {"state": "SUCCESS", "result": "2.5", "exception": None}, Ended("SUCCESS", "2.5", None)),
        ("refused", {"why": "another client is attached"}, Refused("another client is attached")),
        ("goodbye", {"why": "detached"}, Left("detached")),
        (
            "stopped", STOPPED,
            Stopped("/project/tasks.py", 8, "divide", "line", "",
                    ((7, "def divide(x, y):"), (8, "    return x / y"), (9, ""))),
        ),
    ],
)  # fmt: skip
def test_what_is_told(kind: str, data: dict[str, Any], event: Event) -> None:
    def script(peer: Peer) -> None:
        assert peer.heard("hello") == {"token": "secret", "columns": 120}
        peer.tell("from_a_later_version", whatever=1)
        peer.tell(kind, **data)

    assert converse(script, first) == event


def test_files_are_named_where_they_are_here() -> None:
    async def run(port: int) -> Event:
        connection = await connect("127.0.0.1", port)
        try:
            return await AgentDialogue(connection, "", 80, lambda path: f"/here{path}").next()
        finally:
            connection.close()

    with scripted(lambda peer: peer.tell("stopped", **STOPPED)) as port:
        event = asyncio.run(run(port))
    assert isinstance(event, Stopped)
    assert event.file == "/here/project/tasks.py"


def test_what_is_asked() -> None:
    async def client(dialogue: AgentDialogue) -> Event:
        dialogue.columns(100)
        dialogue.command("for i in x:\n    print(i)")
        dialogue.end_of_input()
        return await dialogue.next()

    def script(peer: Peer) -> None:
        peer.heard("hello")
        assert peer.heard("columns") == {"columns": 100}
        assert peer.heard("command") == {"text": "for i in x:\n    print(i)"}
        assert peer.heard("eof") == {}
        peer.tell("goodbye", why="detached")

    assert converse(script, client) == Left("detached")


def test_line_ends_are_newlines_wherever_they_are_cut() -> None:
    newlines = Newlines()

    assert "".join(map(newlines, ["a\r", "\nb\r\nc", "\r", "d\r\r", "\n"])) == "a\nb\nc\rd\r\n"


def test_completions_find_who_asked() -> None:
    async def client(dialogue: AgentDialogue) -> list[tuple[int, list[str]]]:
        asked = [asyncio.create_task(dialogue.complete(text)) for text in ("p tas", "p se")]
        assert await dialogue.next() == Output("in between\n")
        return list(await asyncio.gather(*asked))

    def script(peer: Peer) -> None:
        peer.heard("hello")
        one, two = peer.heard("complete"), peer.heard("complete")
        peer.tell("completions", id=two["id"], start=2, matches=["self"])
        peer.tell("completions", id=one["id"], start=2, matches=["task", "tasks"])
        peer.tell("completions", id=99, start=0, matches=[])
        peer.send(b"in between\r\n")
        peer.rest()

    assert converse(script, client) == [(2, ["task", "tasks"]), (2, ["self"])]


def test_completions_that_never_come_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPLETION_S", 0.01)

    async def client(dialogue: AgentDialogue) -> tuple[int, list[str]]:
        return await dialogue.complete("p tas")

    assert converse(lambda peer: peer.rest(), client) == (5, [])


def test_a_connection_that_is_gone() -> None:
    assert converse(lambda peer: peer.heard("hello"), first) == Lost()


def test_leaving_says_nothing_to_the_task() -> None:
    async def client(dialogue: AgentDialogue) -> Event:
        dialogue.leave()
        return await dialogue.next()

    def script(peer: Peer) -> None:
        peer.heard("hello")
        assert peer.rest() == b""

    assert converse(script, client) == Left("detached")
