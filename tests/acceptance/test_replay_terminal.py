"""`devkit replay` on a terminal: in pdb, at each save, and when it is ended with Ctrl-C; beside a worker, which lends
it a process, and without one."""

import re
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from tests.acceptance.dialogues import CTRL_C, CTRL_D, Terminal
from tests.acceptance.harness import Project
from tests.acceptance.replaying import PROGRAM, Failing

BOTH = pytest.mark.parametrize("alone", [pytest.param(False, id="beside a worker"), pytest.param(True, id="alone")])
Where = Callable[[bool, str], tuple[Project, str]]


@pytest.fixture
def where(failed: Failing, empty: Project) -> Where:
    """A project and what is to be replayed there: the record, or in a project without a worker the saved case."""

    def chosen(alone: bool, task_id: str) -> tuple[Project, str]:
        if not alone:
            return failed.project, task_id
        case = empty.root / "case.json"
        failed.replay(task_id, "--save", str(case)).expect(0)
        empty.write({"tasks.py": PROGRAM})
        return empty, "case.json"

    return chosen


@BOTH
def test_post_mortem(where: Where, alone: bool) -> None:
    project, word = where(alone, "chain-1")
    terminal = Terminal(project, "replay", word, "--pdb")
    terminal.expect(r"ZeroDivisionError: division by zero\n> .*tasks\.py\(\d+\)divide\(\)\n-> return x / y\n\(Pdb\) $")
    terminal.type("p (x, y)")
    terminal.expect(r"\(1, 0\)\n\(Pdb\) $")
    terminal.type("u")
    terminal.expect(r"celery/app/trace\.py\(\d+\).*\(Pdb\) $")
    terminal.type("d")
    terminal.expect(r"-> return x / y\n\(Pdb\) $")
    terminal.keys("p 'half a li")
    terminal.expect(r"half a li$")  # Python's readline may miss a Ctrl-C just when it begins to wait for a key
    terminal.keys(CTRL_C)
    terminal.expect(r"\(Pdb\) $")
    terminal.type("import time; print('sl' + 'eeps'); time.sleep(600)")
    terminal.expect(r"sleeps\n")
    terminal.keys(CTRL_C)
    terminal.expect(r"KeyboardInterrupt.*\(Pdb\) $")
    terminal.type("c")
    terminal.expect(r"same failure: ZeroDivisionError in divide: division by zero \(\d+\.\d\d s\)\n")
    assert terminal.end() == 1


@BOTH
def test_steps_from_the_first_line(where: Where, alone: bool) -> None:
    project, word = where(alone, "changes-1")
    terminal = Terminal(project, "replay", word, "--break")
    terminal.expect(r"> .*tasks\.py\(\d+\)changes\(\)\n-> first = list\(items\)\n\(Pdb\) $")
    terminal.type("p items, self if 0 else options")
    terminal.expect(r"\(\[1, 2\], \{\}\)\n\(Pdb\) $")
    terminal.type("n")
    terminal.expect(r"-> items\.append\(3\)\n\(Pdb\) $")
    terminal.type("first = 'else'")
    terminal.expect(r"\(Pdb\) $")
    terminal.type("c")
    terminal.expect(r"different failure: ValueError in changes: “they were \[1, 2\]”, now “they were else”")
    assert terminal.end() == 1


def test_a_debugger_that_is_left(where: Where) -> None:
    project, word = where(False, "divide-1")
    terminal = Terminal(project, "replay", word, "--break")
    terminal.expect(r"-> return x / y\n\(Pdb\) $")
    terminal.type("q")
    terminal.expect(r"cannot replay: it was left in the debugger")
    assert terminal.end() == 125
    terminal = Terminal(project, "replay", word, "--pdb")
    terminal.expect(r"-> return x / y\n\(Pdb\) $")
    terminal.keys(CTRL_D)
    terminal.expect(r"same failure: ZeroDivisionError")
    assert terminal.end() == 1


def test_no_time_limit_in_the_debugger(where: Where) -> None:
    project, word = where(False, "soft-1")
    terminal = Terminal(project, "replay", word, "--break")
    terminal.expect(r"-> time\.sleep\(60\)\n\(Pdb\) $")
    terminal.type("time.sleep(0.6) or 'slept'")
    terminal.expect(r"'slept'\n\(Pdb\) $")
    terminal.type("q")
    terminal.expect(r"cannot replay: it was left")
    assert terminal.end() == 125


@pytest.mark.parametrize(
    ("alone", "task_id", "together"),
    [
        pytest.param(False, "hangs-1", False, id="beside a worker"),
        pytest.param(False, "hangs_on-1", True, id="beside a worker, one of two, it does not listen"),
        pytest.param(True, "hangs-1", True, id="alone, one of two"),
        pytest.param(True, "hangs_on-1", False, id="alone, it does not listen"),
        pytest.param(True, "hangs_on-1", True, id="alone, one of two, it does not listen"),
    ],
)
def test_ctrl_c_ends_it(where: Where, alone: bool, task_id: str, together: bool) -> None:
    project, word = where(alone, task_id)
    terminal = Terminal(project, "replay", word, *([word] if together else []))
    terminal.expect(r"hangs \d+\n")
    pid = int(re.findall(r"hangs (\d+)", terminal.text)[0])
    assert psutil.pid_exists(pid)
    pressed = time.monotonic()
    terminal.keys(CTRL_C)
    assert terminal.end() == 130
    assert time.monotonic() - pressed < 3
    assert "Traceback" not in terminal.text
    assert is_gone(pid)


@BOTH
def test_a_signal_ends_it_off_a_terminal(where: Where, alone: bool) -> None:
    project, word = where(alone, "hangs-1")
    runner = project.start("replay", word)
    pid = int(runner.wait_for(r"hangs (\d+)$")[1])
    runner.press_ctrl_c()
    assert runner.end() == 130
    assert is_gone(pid)


@pytest.mark.parametrize(("alone", "signum"), [(False, signal.SIGHUP), (True, signal.SIGTERM)])
def test_ended_it_leaves_no_process(where: Where, alone: bool, signum: int) -> None:
    project, word = where(alone, "hangs-1")
    runner = project.start("replay", word)
    pid = int(runner.wait_for(r"hangs (\d+)$")[1])
    runner.signal(signum)
    assert runner.end() == 128 + signum
    assert is_gone(pid)


def is_gone(pid: int) -> bool:
    """Whether it has ended; somebody else may have to take note of it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


SHOP = PROGRAM.split("NOW =")[0] + 'app = Celery("tasks")\n\n\n@app.task\ndef divide(x, y):\n    {}\n    return x / y\n'


@BOTH
def test_again_at_each_save_until_it_passes(failed: Failing, empty: Project, alone: bool) -> None:
    failed.replay("divide-1", "--save", str(empty.root / "case.json")).expect(0)
    empty.write({"tasks.py": SHOP.format("pass"), "helper.py": ""})
    if not alone:
        empty.environ |= {"CELERY_BROKER_URL": f"{failed.url}/5", "CELERY_RESULT_BACKEND": f"{failed.url}/6"}
        empty.start("worker", "-P", "solo").wait_for("generation 1 is live")
    terminal = Terminal(empty, "replay", "case.json", "--watch")
    terminal.expect(r"same failure: ZeroDivisionError in divide: division by zero .*waiting for a save; Ctrl-C ends\n")
    empty.write({"tasks.py": SHOP.format("raise KeyError(x)")})
    terminal.expect(r"tasks\.py was saved\n.*different failure: ZeroDivisionError in divide, now KeyError in divide")
    empty.write({"tasks.py": SHOP.format("return (")})
    terminal.expect(r"tasks\.py was saved\n.*SyntaxError.*waiting for a save")
    empty.write({"tasks.py": SHOP.format("import time; print('hangs'); time.sleep(600)")})
    terminal.expect(r"tasks\.py was saved\n.*hangs\n")
    empty.write({"tasks.py": SHOP.format("import helper; y = helper.y(y)")})
    terminal.expect(r"tasks\.py was saved\n.*different failure: .*now AttributeError.*waiting for a save")
    empty.write({"notes.txt": "no code"})
    empty.write({"helper.py": "def y(value):\n    return value + 4\n"})
    terminal.expect(r"helper\.py was saved\n.*passes now: divide returned 0\.25 \(\d\.\d\d s\)\n")
    assert terminal.end() == 0
    assert "notes.txt" not in terminal.text
    assert "devkit/agent" not in terminal.text, terminal.text


def test_watching_ends_with_ctrl_c(failed: Failing) -> None:
    terminal = Terminal(failed.project, "replay", "divide-1", "--watch")
    terminal.expect("waiting for a save")
    terminal.keys(CTRL_C)
    assert terminal.end() == 130
    hanging = Terminal(failed.project, "replay", "hangs-1", "--watch")
    hanging.expect(r"hangs \d+\n")
    hanging.keys(CTRL_C)
    assert hanging.end() == 130


def test_many_are_asked_about(failed: Failing) -> None:
    many = ["replay", "divide-1", "other-1", "--send", "--queue", "aside"]
    failed.queue("aside")
    terminal = Terminal(failed.project, *many)
    terminal.expect(r"Send 2 failed tasks back to redis://127\.0\.0\.1:\d+/0\? \[y/N\]: ")
    terminal.type("n")
    assert terminal.end() == 1
    assert failed.queue("aside") == []
    terminal = Terminal(failed.project, *many)
    terminal.expect(r"\[y/N\]: ")
    terminal.type("y")
    terminal.expect("sent tasks.other")
    assert terminal.end() == 0
    assert [message["headers"]["id"] for message in failed.queue("aside")] == ["divide-1", "other-1"]


def test_tracebacks_fit_the_terminal(failed: Failing) -> None:
    terminal = Terminal(failed.project, "replay", "other-1")
    terminal.expect("different failure")
    assert terminal.end() == 1
    assert re.search(r"^then +now$", terminal.text, re.MULTILINE)
    assert max(map(len, terminal.text.splitlines())) <= 250
