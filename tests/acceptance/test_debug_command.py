"""`devkit debug` and the tasks of a real `devkit worker`: as people type it, on a terminal and in scripts."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.debugging import LINE, PLAIN, Debugging, debugging
from tests.acceptance.dialogues import CTRL_C, CTRL_D, TAB, Terminal, piped
from tests.acceptance.harness import DEADLINE_S, Project, wait_until

TOTAL = PLAIN.splitlines().index("        total += n") + 1


@pytest.fixture
def worker(empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugging]:
    with debugging(empty, tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.fixture
def plain(worker: Debugging) -> Debugging:
    """The same with tasks that know nothing of any debugger."""
    worker.project.write({"tasks.py": PLAIN})
    return worker


def test_a_task_is_run_and_stepped_through(plain: Debugging) -> None:
    plain.start("-c", "1")

    terminal = Terminal(plain.project, "debug", "fails", "--run", "--args", "[3]")

    terminal.expect(r"tasks\.fails\(x=3\)  [0-9a-f]{8}-.*its first line")
    terminal.expect(r"> tasks\.py:\d+ in fails\n.*->.*return helper\(x\).*\(Pdb\)")
    terminal.type("s")
    terminal.expect(r"in helper\n.*\(Pdb\)")
    terminal.type("n")
    terminal.expect(r"\(Pdb\)")
    terminal.type("p y")
    terminal.expect(r"\b3\n.*\(Pdb\)")
    terminal.keys("y.bit_c" + TAB)
    terminal.expect("ount")
    terminal.keys(CTRL_C)
    terminal.expect(r"\(Pdb\)")
    terminal.type("y = 2")
    terminal.expect(r"\(Pdb\)")
    terminal.type("c")
    terminal.expect(r"tasks\.fails SUCCESS: 6\.0\n.*SUCCESS after.*6\.0")
    assert terminal.end() == 0
    assert plain.project.devkit("debug", "--breakpoints").err == "no breakpoint is set\n"


def test_a_task_that_is_run_and_fails(plain: Debugging) -> None:
    plain.start("-P", "solo")

    done = piped(plain.project, "fails", "--run", "--args", "[0]", "--on-failure", "-e", "p y", "-e", "c").expect(1)

    assert done.out.startswith("ZeroDivisionError: division by zero\n> ")
    assert "\n-> return y / (y - 10)\n10\n" in done.out
    assert done.out.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "tasks.fails FAILURE: ZeroDivisionError: division by zero\n" in done.err
    assert plain.project.devkit("debug", "--clear").out == "1 breakpoint removed\n"


def test_a_breakpoint_in_the_task_itself_is_where_run_attaches(worker: Debugging) -> None:
    worker.start("-c", "1")

    done = piped(worker.project, "divide", "--run", "--args", "[10, 4]", "-e", "p x", "-e", "n", "-e", "c").expect(0)

    at = LINE["result = x / y"]
    assert f"tasks.py({at})divide()\n-> result = x / y\n10\n" in done.out
    assert f"tasks.py({at + 1})divide()\n" in done.out
    assert "divided 2.5\n" in done.out
    assert done.out.endswith("\n2.5\n")


def test_breakpoints_from_outside(plain: Debugging) -> None:
    plain.start("-c", "1")
    project = plain.project

    set_ = project.devkit("debug", "--break", f"tasks.py:{TOTAL}", "--if", "n == 5", "--no-wait").expect(0)
    assert set_.err == f"breakpoint 1: tasks.py:{TOTAL} if n == 5; devkit debug --clear removes it\n"
    result = plain.send("counts", 8)
    assert piped(project, "-e", "p n", "-e", "c").expect(0).out.endswith("\n5\n")
    assert result.get(timeout=DEADLINE_S) == 28

    project.write({"tasks.py": PLAIN.replace("        total += n", "        total = n + total")})
    assert "whose line is gone" in project.devkit("debug", "--breakpoints").out
    assert project.devkit("debug", "--break", "tasks.py:9000", "--no-wait").code == 2
    assert project.devkit("debug", "--break", "counts", "--if", "n ==", "--no-wait").code == 2
    kept = json.loads(project.devkit("debug", "--breakpoints", "--json").out)
    assert [(one["number"], one["file"]) for one in kept] == [(1, "tasks.py")]
    assert project.devkit("debug", "--clear").out == "1 breakpoint removed\n"


def test_waiting_leaving_and_coming_back(worker: Debugging) -> None:
    runner = worker.start("-c", "1")
    terminal = Terminal(worker.project, "debug", "divide")
    terminal.expect("no divide is paused; waiting for one")

    result = worker.send("divide", 10, 4)

    terminal.expect(r"-> result = x / y|->.*result = x / y.*\(Pdb\)")
    terminal.keys(CTRL_D)
    assert terminal.end() == 0
    runner.wait_for(rf"tasks\.divide\[{result.id}\] is paused at tasks\.py:\d+: devkit debug {result.id[:8]} ")
    again = Terminal(worker.project, "debug", result.id[:8])
    again.expect(r"\(Pdb\)")
    again.type("import time")
    again.expect(r"\(Pdb\)")
    again.type("print('be' + 'gun') or time.sleep(600)")
    again.expect("begun")
    again.keys(CTRL_C)
    again.expect(r"KeyboardInterrupt.*\(Pdb\)")
    again.type("c")
    again.expect(r"divided 2\.5\n.*tasks\.divide SUCCESS: 2\.5")
    assert again.end() == 0
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_ctrl_c_ends_the_wait(worker: Debugging) -> None:
    worker.start("-c", "1")
    terminal = Terminal(worker.project, "debug")
    terminal.expect("waiting for one")

    terminal.keys(CTRL_C)

    assert terminal.end() == 130


def test_several_are_paused(worker: Debugging) -> None:
    worker.start("-c", "2")
    first, second = worker.send("divide", 1, 1), worker.send("twice", 1)
    worker.paused(first)
    worker.paused(second)

    listed = json.loads(worker.project.devkit("debug", "--list", "--json").out)
    assert {one["id"] for one in listed} == {first.id, second.id}
    assert {"task", "args", "file", "line", "host", "container", "pid", "port", "since"} <= listed[0].keys()
    assert "token" not in listed[0]
    table = worker.project.devkit("debug", "-l").out
    assert first.id[:8] in table
    assert "tasks.twice(x=1)" in table
    assert "anyone" not in piped(worker.project, "-e", "p x").expect(0).out  # the oldest; nobody is asked

    terminal = Terminal(worker.project, "debug")
    terminal.expect(r"1 .*2 .*attach to")
    number = [one["id"] for one in listed].index(second.id) + 1
    terminal.type(str(number))
    terminal.expect(r"tasks\.twice\(x=1\).*\(Pdb\)")
    terminal.type("q")
    terminal.expect("FAILURE: BdbQuit: ended by q in the debugger")
    assert terminal.end() == 0
    piped(worker.project, "divide", "-e", "c").expect(0)


def test_wrong_usage_and_waiting_in_vain(plain: Debugging) -> None:
    plain.start("-c", "1")
    project = plain.project

    assert "no task 'countz'" in project.devkit("debug", "countz", "--run").expect(2).err
    assert project.devkit("debug", "--run").code == 2
    assert project.devkit("debug", "--if", "x").code == 2
    assert "is not JSON" in project.devkit("debug", "fails", "--run", "--args", "[1").expect(2).err
    waited = project.devkit("debug", "fails", "--timeout", "0.2").expect(1)
    assert "nothing paused within 0.2 s" in waited.err
    assert "sessions" in waited.err
    assert "nobody listens on" in project.devkit("debug", "--port", "1").expect(1).err


def test_a_worker_that_dies_while_somebody_is_attached(worker: Debugging) -> None:
    worker.start("-c", "1")
    session = worker.paused(worker.send("divide", 1, 1))
    terminal = Terminal(worker.project, "debug")
    terminal.expect(r"\(Pdb\)")

    import os

    os.kill(session["pid"], signal.SIGKILL)

    terminal.expect("the connection was lost")
    assert terminal.end() == 1


def test_the_worker_is_paused_in_the_log_and_in_flower(sample: Project, tmp_path: Path) -> None:
    """`up`, a paused task, `down`: the log has the command, Flower the state, and nothing hangs."""
    sample.up("--no-api")
    sample.devkit("debug", "divide", "--break", "divide", "--no-wait").expect(0)
    task = sample.devkit("run", "divide", "--args", "[1, 2]", "--no-wait").expect(0).out.strip()
    sample.wait_for_log("worker", rf"\[{task}\] is paused at sample_app/tasks.py:\d+ .*devkit debug {task[:8]}")

    from tests.acceptance.harness import fetch

    flower = f"{sample.url('flower')}/task/{task}"
    wait_until(lambda: "PAUSED" in fetch("GET", flower).text)
    sample.devkit("down").expect(0)
    assert "Task sample_app.tasks.divide" in sample.log("worker")
    assert "runs on: sample_app.tasks.divide at" in sample.log("worker")
    assert "succeeded" in sample.log("worker")
