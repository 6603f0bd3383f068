"""Commands from a list: what is printed looks like pdb's own text."""

import asyncio
import io
import os
import signal
import sys
from collections.abc import Callable

import pytest

from devkit.debug.conversation import Conversation, Outcome
from devkit.debug.dialogue import AgentDialogue
from devkit.debug.events import Ended, Left, Lost, Refused
from devkit.debug.script import Script
from devkit.debug.transport import connect
from tests.unit.debug.scripted import STOPPED, Peer, scripted

PLACE = "> /project/tasks.py(8)divide()\n-> return x / y\n"


def run(script: Callable[[Peer], object], *commands: str) -> tuple[Outcome, list[str]]:
    """How it ended, and what was said about it."""
    said: list[str] = []

    async def talk(port: int) -> Outcome:
        connection = await connect("127.0.0.1", port)
        try:
            dialogue = AgentDialogue(connection, "secret", 80)
            return await Conversation(dialogue, Script(commands or None, said.append)).run()
        finally:
            connection.close()

    with scripted(script) as port:
        return asyncio.run(talk(port)), said


def begin(peer: Peer) -> None:
    peer.heard("hello")
    peer.tell("welcome", session={"task": "tasks.divide"})
    peer.tell("stopped", **STOPPED)
    peer.tell("prompt", text="(Pdb) ")


def leave(peer: Peer) -> None:
    assert peer.heard("eof") == {}
    peer.tell("goodbye", why="detached")


def test_commands_run_one_after_the_other_then_it_detaches(capsys: pytest.CaptureFixture[str]) -> None:
    def script(peer: Peer) -> None:
        begin(peer)
        for text, answer in (("p x", b"10\r\n"), ("p y", b"0\r\n")):
            assert peer.heard("command") == {"text": text}
            peer.send(answer)
            peer.tell("prompt", text="(Pdb) ")
        leave(peer)

    outcome, said = run(script, "p x", "p y")

    assert outcome == Outcome(Left("detached"))
    assert capsys.readouterr().out == f"{PLACE}10\n0\n"
    assert said == []


def test_after_c_it_waits_for_the_next_stop(capsys: pytest.CaptureFixture[str]) -> None:
    def script(peer: Peer) -> None:
        begin(peer)
        assert peer.heard("command") == {"text": "c"}
        peer.tell("running")
        peer.tell("stopped", **{**STOPPED, "line": 9, "event": "return", "detail": "returns 2.5"})
        peer.tell("prompt", text="(Pdb) ")
        assert peer.heard("command") == {"text": "p x"}
        peer.send(b"10\r\n")
        peer.tell("prompt", text="(Pdb) ")
        leave(peer)

    run(script, "c", "p x")

    assert capsys.readouterr().out == f"{PLACE}--Return--\n> /project/tasks.py(9)divide()->2.5\n-> \n10\n"


def test_commands_that_are_left_over_are_named() -> None:
    def script(peer: Peer) -> None:
        begin(peer)
        peer.heard("command")
        peer.tell("ended", state="SUCCESS", result="2.5", exception=None)

    outcome, said = run(script, "c", "p x", "p y")

    assert outcome == Outcome(Ended("SUCCESS", "2.5", None))
    assert said == ["the task SUCCESS: 2.5", "left over, not executed: p x; p y"]


@pytest.mark.parametrize(
    ("script", "last"),
    [
        (lambda peer: (peer.heard("hello"), peer.tell("refused", why="taken")), Refused("taken")),
        (lambda peer: peer.heard("hello"), Lost()),
    ],
)
def test_who_is_not_let_in(script: Callable[[Peer], object], last: Refused | Lost) -> None:
    assert run(script, "p x") == (Outcome(last), [])


def test_a_signal_ends_the_conversation() -> None:
    def script(peer: Peer) -> None:
        begin(peer)
        peer.heard("command")
        os.kill(os.getpid(), signal.SIGINT)
        peer.rest()

    assert run(script, "c")[0] == Outcome(Left("detached"), signal.SIGINT)


def test_commands_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("p x\n\nc"))
    heard = []

    def script(peer: Peer) -> None:
        begin(peer)
        for _ in range(3):
            heard.append(peer.heard("command")["text"])
            peer.tell("prompt", text="(Pdb) ")
        leave(peer)

    run(script)
    assert heard == ["p x", "", "c"]
