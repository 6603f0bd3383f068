"""The prompt on a real terminal, in front of a debugger that follows a script."""

import os
import socket
import termios
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from devkit.debug.console import is_incomplete
from devkit.model.session import Session
from devkit.store.sessions import Sessions
from tests.acceptance.dialogues import CTRL_C, CTRL_D, ENTER, TAB, UP, Terminal
from tests.acceptance.harness import SMALL_APP, Project
from tests.unit.debug.scripted import STOPPED, Peer, scripted

TOKEN = {"token": "secret"}
SESSION = {"task": "tasks.divide", "task_id": "4f1c22aa", "args": "x=10, y=0", "why": "breakpoint"}
PROMPT = r"\(Pdb\)"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with closing(Project(tmp_path, SMALL_APP)) as project:
        yield project


def put(project: Project, session_id: str, port: int, since: float) -> None:
    """Tell that a task is paused."""
    Sessions(str(project.root / ".devkit" / "debug" / "sessions")).put(
        Session(
            id=session_id, file="/project/tasks.py", line=8, function="divide", host=socket.gethostname(),
            container="", pid=os.getpid(), pid_started=None, main_pid=os.getpid(), thread="MainThread", port=port,
            since=since, state="paused", paused_s=0.0, **{**SESSION, "task_id": session_id}, **TOKEN,
        )
    )  # fmt: skip


@contextmanager
def terminal(project: Project, script: Callable[[Peer], object]) -> Iterator[Terminal]:
    """A terminal with `devkit debug`, attached to a debugger that goes on with the script after its first prompt."""

    def begin(peer: Peer) -> None:
        assert peer.heard("hello") == {**TOKEN, "columns": 250}
        peer.tell("welcome", session=SESSION)
        peer.tell("stopped", **STOPPED)
        peer.tell("prompt", text="(Pdb) ")
        script(peer)

    with scripted(begin) as port:
        put(project, "4f1c22aa", port, since=2.0)
        yield Terminal(project, "debug")


def leave(peer: Peer) -> None:
    assert peer.heard("eof") == {}
    peer.tell("goodbye", why="detached")


def answer(peer: Peer, command: str, text: str) -> None:
    assert peer.heard("command") == {"text": command}
    peer.send(text.encode())
    peer.tell("prompt", text="(Pdb) ")


def test_at_attach_it_shows_what_is_paused_and_where(project: Project) -> None:
    with terminal(project, leave) as shell:
        shell.expect(PROMPT)
        for text in ("tasks.divide(x=10, y=0)  4f1c22aa", "> /project/tasks.py:8 in divide", "-> 8      return x / y"):
            assert text in shell.text
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_one_of_several_is_picked(project: Project) -> None:
    put(project, "99aa11bb", 1, since=1.0)
    with terminal(project, leave) as shell:
        shell.expect(r"1  99aa11bb  tasks\.divide.*2  4f1c22aa  tasks\.divide.*attach to")
        shell.type("2")
        shell.expect(PROMPT)
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_no_colour_where_none_is_wanted(project: Project) -> None:
    project.environ["NO_COLOR"] = "1"
    with terminal(project, leave) as shell:
        shell.expect(PROMPT)
        assert "\x1b[3" not in shell.out
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_a_command_and_the_end_of_the_task(project: Project) -> None:
    def script(peer: Peer) -> None:
        answer(peer, "p x", "10\r\n")
        assert peer.heard("command") == {"text": "c"}
        peer.tell("running")
        peer.send(b"printed by the task\r\n")
        peer.tell("ended", state="SUCCESS", result="2.5", exception=None)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.type("p x")
        shell.expect(rf"^10\n{PROMPT}")
        shell.type("c")
        shell.expect("printed by the task\ntasks.divide SUCCESS: 2.5\n")
        assert shell.end() == 0


def test_a_statement_of_several_lines(project: Project) -> None:
    def script(peer: Peer) -> None:
        answer(peer, "for i in [1]:\n    if i:\n        print(i)", "1\r\n")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.keys("for i in [1]:" + ENTER + "if i:" + ENTER + "print(i)" + ENTER + ENTER)
        shell.expect(rf"^1\n{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_ctrl_c_at_the_prompt_drops_the_line(project: Project) -> None:
    def script(peer: Peer) -> None:
        answer(peer, "p y", "0\r\n")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.keys("os.remove('x')" + CTRL_C)
        shell.expect(f"remove.*{PROMPT}")
        shell.type("p y")
        shell.expect(rf"^0\n{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_ctrl_c_while_something_runs_interrupts_it(project: Project) -> None:
    def script(peer: Peer) -> None:
        assert peer.heard("command") == {"text": "c"}
        peer.tell("running")
        peer.send(b"it runs\r\n")
        assert peer.read(b"\xff\xf4") == b"\xff\xf4"
        peer.tell("stopped", **{**STOPPED, "event": "interrupt", "detail": "interrupted"})
        peer.tell("prompt", text="(Pdb) ")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.type("c")
        shell.expect("it runs")
        shell.press_ctrl_c()
        shell.expect(f"interrupted.*{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_completion_asks_the_debugger(project: Project) -> None:
    def script(peer: Peer) -> None:
        asked = peer.heard("complete")
        assert asked["text"] == "p tas"
        peer.tell("completions", id=asked["id"], start=2, matches=["task_name"])
        answer(peer, "p task_name", "'divide'\r\n")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.keys("p tas" + TAB)
        shell.expect("k_name")  # what was missing
        shell.keys(ENTER)
        shell.expect(rf"^'divide'\n{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_history_outlives_the_session(project: Project) -> None:
    def script(peer: Peer) -> None:
        answer(peer, "p 'remember'", "'remember'\r\n")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.type("p 'remember'")
        shell.expect(rf"^'remember'\n{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0
    assert (project.root / ".devkit" / "debug" / "history").stat().st_mode & 0o777 == 0o600

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.keys(UP + ENTER)
        shell.expect(rf"^'remember'\n{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_another_width_is_told_with_the_next_command(project: Project) -> None:
    def script(peer: Peer) -> None:
        assert peer.heard("columns") == {"columns": 100}
        answer(peer, "p x", "10\r\n")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        assert shell._keyboard is not None
        termios.tcsetwinsize(shell._keyboard, (50, 100))
        shell.type("p x")
        shell.expect(rf"^10\n{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_a_lost_connection_is_told_at_once(project: Project) -> None:
    with terminal(project, lambda peer: None) as shell:
        assert shell.end() == 1
        assert "the connection was lost" in shell.text
        assert "mend: " in shell.text
        assert "Traceback" not in shell.text


def test_output_of_another_thread_does_not_disturb_what_is_typed(project: Project) -> None:
    def script(peer: Peer) -> None:
        asked = peer.heard("complete")  # so much is typed
        peer.tell("completions", id=asked["id"], start=2, matches=[])
        peer.send(b"printed meanwhile\r\n")
        peer.tell("prompt", text="(Pdb) ")
        answer(peer, "p x", "10\r\n")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.keys("p" + TAB)
        shell.expect(f"printed meanwhile.*{PROMPT}")
        shell.type(" x")
        shell.expect(rf"^10\n{PROMPT}")
        shell.keys(CTRL_D)
        assert shell.end() == 0


def test_what_the_task_asks_for_is_no_python(project: Project) -> None:
    def script(peer: Peer) -> None:
        assert peer.heard("command") == {"text": "name = input('name? ')"}
        peer.tell("prompt", text="name? ")
        answer(peer, "if x:", "")
        leave(peer)

    with terminal(project, script) as shell:
        shell.expect(PROMPT)
        shell.type("name = input('name? ')")
        shell.expect(r"^name\?")
        shell.type("if x:")
        shell.expect(PROMPT)
        shell.keys(CTRL_D)
        assert shell.end() == 0


@pytest.mark.parametrize(
    "text",
    ["for i in x:", "if x:\n    y = 1", "f(1,", "x = [", "!while True:", "@decorator", "'''text", "with open(f) as g:"],
)
def test_incomplete(text: str) -> None:
    assert is_incomplete(text)


@pytest.mark.parametrize(
    "text",
    ["", "p x", "c", "continue", "return", "b tasks.py:12", "l 1,20", "x = 1", "for i in x:\n    pass\n", "f(1,\n2)",
     "print('", "for i in x:\n    pass\n    ", "p 1 +", "if x", "commands 1"],
)  # fmt: skip
def test_complete(text: str) -> None:
    assert not is_incomplete(text)
