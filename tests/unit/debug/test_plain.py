"""Celery's own rdb is a stream of text, cut anywhere; leaving it must not break its worker."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from devkit.debug.events import Event, Left, Lost, Output, Prompted, Stopped, Welcome
from devkit.debug.plain import PlainDialogue
from devkit.debug.transport import connect
from tests.unit.debug.scripted import Peer, scripted

PROMPT = b"(Pdb) "
AT = b"> /project/tasks.py(8)divide()\n-> return x / y\n"
STOPPED = Stopped("/project/tasks.py", 8, "divide", "line", "", ((8, "return x / y"),), AT.decode())


def converse(script: Callable[[Peer], object], client: Callable[[PlainDialogue], Awaitable[Any]]) -> Any:
    async def run(port: int) -> Any:
        connection = await connect("127.0.0.1", port)
        try:
            return await client(PlainDialogue(connection))
        finally:
            connection.close()

    with scripted(script) as port:
        return asyncio.run(run(port))


async def until(dialogue: PlainDialogue, *kinds: type) -> list[Event]:
    """All events up to the first of these kinds."""
    found: list[Event] = []
    while not (found and isinstance(found[-1], kinds)):
        found.append(await dialogue.next())
    return found


def prompt(peer: Peer, before: bytes = AT) -> None:
    """The first prompt, and the answer to the question which task this is."""
    peer.send(before + PROMPT)
    assert peer.read(b"\n").startswith(b"!(lambda task")
    peer.send(b'devkit:["tasks.divide", "4f1c", "10, y=0"]\n' + PROMPT)


def test_the_first_prompt_comes_with_task_and_place() -> None:
    events = converse(prompt, lambda dialogue: until(dialogue, Prompted))

    session = {"task": "tasks.divide", "task_id": "4f1c", "args": "10, y=0", "why": ""}
    assert events == [Welcome(session), STOPPED, Prompted("(Pdb) ")]


def test_outside_of_tasks_there_is_only_a_place() -> None:
    def script(peer: Peer) -> None:
        peer.send(AT + PROMPT)
        peer.read(b"\n")
        peer.send(b"*** AttributeError: 'NoneType' object has no attribute 'name'\n" + PROMPT)

    events = converse(script, lambda dialogue: until(dialogue, Prompted))
    assert events == [Welcome({}), STOPPED, Prompted("(Pdb) ")]


def said(text: bytes, *, size: int | None = None) -> list[Event]:
    """What is told of the answer to a command, which comes in pieces of that size."""

    async def client(dialogue: PlainDialogue) -> list[Event]:
        await until(dialogue, Prompted)
        dialogue.command("whatever")
        return await until(dialogue, Prompted, Lost)

    def script(peer: Peer) -> None:
        prompt(peer)
        assert peer.read(b"\n") == b"whatever\n"
        for start in range(0, len(text), size or len(text)):
            peer.send(text[start : start + (size or len(text))])

    events: list[Event] = converse(script, client)
    joined: list[Event] = []
    for event in events:
        if isinstance(event, Output) and joined and isinstance(joined[-1], Output):
            joined[-1] = Output(joined[-1].text + event.text)
        else:
            joined.append(event)
    return joined


@pytest.mark.parametrize("size", [1, 5, None])
@pytest.mark.parametrize(
    ("text", "events"),
    [
        pytest.param(b"3\n", [Output("3\n")], id="a value"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(AT, [STOPPED], id="a place"),
        pytest.param(b"printed\n" + AT, [Output("printed\n"), STOPPED], id="output, then a place"),
        pytest.param(
            b"--Return--\n> /project/tasks.py(8)divide()->2.5\n-> return x / y\n",
            [Stopped("/project/tasks.py", 8, "divide", "return", "returns 2.5", ((8, "return x / y"),),
                     "--Return--\n> /project/tasks.py(8)divide()->2.5\n-> return x / y\n")],
            id="a return",
        ),
        pytest.param(
            b"  /celery/trace.py(883)run()\n-> return self.run()\n" + AT,
            [Output("  /celery/trace.py(883)run()\n-> return self.run()\n" + AT.decode())],
            id="where shows many places, and it stands where it stood",
        ),
        pytest.param(b"> not a place\n", [Output("> not a place\n")], id="looks like a place"),
        pytest.param(b"see (Pdb) \n", [Output("see (Pdb) \n")], id="a prompt in the middle of a line"),
    ],
)  # fmt: skip
def test_what_an_answer_means(text: bytes, events: list[Event], size: int | None) -> None:
    assert said(text + PROMPT, size=size) == [*events, Prompted("(Pdb) ")]


@pytest.mark.parametrize("other", ["((Pdb)) ", "(com) ", "Clear all breaks? ", "...   "])
def test_other_prompts(other: str) -> None:
    assert said(b"something\n" + other.encode()) == [Output("something\n"), Prompted(other)]


def test_the_source_is_read_where_it_can_be(tmp_path: Path) -> None:
    file = tmp_path / "tasks.py"
    file.write_text("".join(f"line {number}\n" for number in range(1, 21)))
    place = f"> {file}(10)f()\n-> line 10\n".encode()

    (stopped, _) = said(place + PROMPT)

    assert isinstance(stopped, Stopped)
    assert stopped.source == tuple((number, f"line {number}") for number in range(4, 17))


def test_output_is_told_at_once_while_the_task_runs() -> None:
    async def client(dialogue: PlainDialogue) -> Event:
        await until(dialogue, Prompted)
        dialogue.command("n")
        return await dialogue.next()

    def script(peer: Peer) -> None:
        prompt(peer)
        peer.send(b"half a line")
        peer.rest()

    assert converse(script, client) == Output("half a line")


def answered(text: str, last: type) -> tuple[list[bytes], list[Event]]:
    """What goes over the wire for a command, and what the client is told after that."""
    sent = []

    async def client(dialogue: PlainDialogue) -> list[Event]:
        await until(dialogue, Prompted)
        dialogue.command(text)
        return await until(dialogue, last)

    def script(peer: Peer) -> None:
        prompt(peer)
        sent.append(peer.read(b"\n"))

    events: list[Event] = converse(script, client)
    return sent, events


@pytest.mark.parametrize("command", ["c", "continue", "q", "exit"])
def test_it_is_over_with_these(command: str) -> None:
    sent, (last,) = answered(command, Left)

    assert sent == [f"{command}\n".encode()]
    assert isinstance(last, Left)


@pytest.mark.parametrize("command", ["detach", "EOF"])
def test_it_is_never_left_without_going_on(command: str) -> None:
    assert answered(command, Left)[0] == [b"c\n"]


def test_a_connection_that_breaks_is_lost() -> None:
    assert answered("p x", Lost)[1] == [Lost()]


def test_a_statement_of_several_lines_is_one_command() -> None:
    statement = "for i in x:\n    print(i)"

    assert answered(statement, Lost)[0] == [f"!exec({statement!r})\n".encode()]


def test_interact_would_lead_nowhere() -> None:
    async def client(dialogue: PlainDialogue) -> list[Event]:
        await until(dialogue, Prompted)
        dialogue.command("interact")
        return await until(dialogue, Prompted)

    def script(peer: Peer) -> None:
        prompt(peer)
        assert peer.rest() == b""

    output, again = converse(script, client)
    assert output.text.startswith("*** ")
    assert again == Prompted("(Pdb) ")


def test_ctrl_c_does_not_reach_it() -> None:
    """telnet's bytes for it are no UTF-8 and would fail the task."""

    async def client(dialogue: PlainDialogue) -> Event:
        await until(dialogue, Prompted)
        dialogue.command("n")
        dialogue.interrupt()
        return await dialogue.next()

    def script(peer: Peer) -> None:
        prompt(peer)
        assert peer.rest() == b"n\n"

    event = converse(script, client)
    assert isinstance(event, Output)
    assert event.text.startswith("*** not interrupted")


def test_a_second_ctrl_c_leaves_at_the_next_prompt() -> None:
    async def client(dialogue: PlainDialogue) -> list[Event]:
        await until(dialogue, Prompted)
        dialogue.command("n")
        dialogue.interrupt()
        dialogue.interrupt()
        return await until(dialogue, Left)

    def script(peer: Peer) -> None:
        prompt(peer)
        assert peer.read(b"\n") == b"n\n"
        peer.send(AT + PROMPT)
        assert peer.read(b"\n") == b"c\n"

    assert isinstance(converse(script, client)[-1], Left)


@pytest.mark.parametrize(("other", "answer"), [(b"((Pdb)) ", b"c\n"), (b"(com) ", b"end\n"), (b"...   ", b"\n")])
def test_whoever_leaves_while_it_runs_goes_on_at_the_next_prompt(other: bytes, answer: bytes) -> None:
    async def client(dialogue: PlainDialogue) -> list[Event]:
        await until(dialogue, Prompted)
        dialogue.command("n")
        dialogue.leave()
        return await until(dialogue, Left)

    def script(peer: Peer) -> None:
        prompt(peer)
        assert peer.read(b"\n") == b"n\n"
        peer.send(other)
        assert peer.read(b"\n") == answer
        peer.send(AT + PROMPT)
        assert peer.read(b"\n") == b"c\n"

    assert isinstance(converse(script, client)[-1], Left)


def test_who_insists_leaves_at_once() -> None:
    async def client(dialogue: PlainDialogue) -> list[Event]:
        await until(dialogue, Prompted)
        dialogue.command("n")
        dialogue.leave()
        dialogue.leave()
        return await until(dialogue, Left)

    def script(peer: Peer) -> None:
        prompt(peer)
        assert peer.rest() == b"n\n"

    converse(script, client)


def test_long_arguments_are_cut() -> None:
    def script(peer: Peer) -> None:
        peer.send(AT + PROMPT)
        peer.read(b"\n")
        peer.send(f"devkit:{json.dumps(['t', 'id', 'x' * 5000])}\n".encode() + PROMPT)

    (welcome, *_) = converse(script, lambda dialogue: until(dialogue, Prompted))
    assert len(welcome.session["args"]) < 300


def test_completion_knows_the_commands() -> None:
    async def client(dialogue: PlainDialogue) -> tuple[int, list[str]]:
        return await dialogue.complete("wh")

    assert converse(lambda peer: peer.rest(), client) == (0, ["whatis", "where"])
