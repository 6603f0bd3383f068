"""`devkit run`: one task through the real broker."""

import re
import time
from uuid import UUID

import pytest

from tests.acceptance.harness import SMALL_APP, Project

DIVIDE = "sample_app.tasks.divide"


@pytest.mark.parametrize("name", ["divide", "tasks.divide", DIVIDE])
def test_a_result(running: Project, name: str) -> None:
    done = running.devkit("run", name, "--args", "[5, 2]").expect(0)
    assert done.out == "2.5\n"
    assert re.search(rf"^{re.escape(DIVIDE)} sent, id \S+$", done.err, re.MULTILINE)
    assert "SUCCESS" in done.err


def test_keyword_arguments(running: Project) -> None:
    assert running.devkit("run", "divide", "--kwargs", '{"x": 5, "y": 2}').expect(0).out == "2.5\n"


def test_a_failure_shows_the_traceback(running: Project) -> None:
    done = running.devkit("run", "divide", "--args", "[1, 0]").expect(1)
    assert "Traceback (most recent call last)" in done.out
    assert re.search(r'File ".*sample_app/tasks\.py", line \d+, in divide', done.out)
    assert done.out.endswith("ZeroDivisionError: division by zero\n")
    assert "FAILURE" in done.err


def test_a_result_as_json(running: Project) -> None:
    outcome = running.devkit("run", "divide", "--args", "[5, 2]", "--json").expect(0).json()
    assert UUID(outcome.pop("id"))
    assert 0 <= outcome.pop("runtime_s") < 30
    assert outcome == {"task": DIVIDE, "state": "SUCCESS", "result": 2.5, "exception": None, "traceback": None}


def test_a_failure_as_json(running: Project) -> None:
    outcome = running.devkit("run", "divide", "--args", "[1, 0]", "--json").expect(1).json()
    assert set(outcome) == {"id", "task", "state", "result", "exception", "traceback", "runtime_s"}
    assert (outcome["state"], outcome["result"]) == ("FAILURE", None)
    assert outcome["exception"] == "ZeroDivisionError: division by zero"
    assert outcome["traceback"].startswith("Traceback (most recent call last)")


def test_progress_is_shown_while_it_waits(running: Project) -> None:
    kwargs = '{"seconds_per_page": 0.3}'
    done = running.devkit("run", "build_report", "--args", "[3]", "--kwargs", kwargs).expect(0)
    assert 'PROGRESS {"done": 1, "total": 3}' in done.err
    assert done.out == '{"pages": 3}\n'


def test_no_wait_prints_the_id_alone(running: Project) -> None:
    assert UUID(running.devkit("run", "divide", "--args", "[5, 2]", "--no-wait").expect(0).out.strip())


def test_no_wait_as_json(running: Project) -> None:
    outcome = running.devkit("run", "divide", "--args", "[5, 2]", "--no-wait", "--json").expect(0).json()
    assert UUID(outcome["id"])
    assert (outcome["task"], outcome["state"]) == (DIVIDE, "PENDING")


def test_ctrl_c_ends_the_wait(running: Project) -> None:
    run = running.start("run", "divide", "--args", "[5, 2]", "--queue", "nobody-listens", terminal=True)
    run.wait_for("sent, id")
    run.press_ctrl_c()
    assert run.end() == 130
    assert "Traceback" not in run.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["divid"], "did you mean 'divide'", id="unknown task"),
        pytest.param(["ivide"], "no task 'ivide'", id="a suffix has to be dotted"),
        pytest.param(["divide", "--args", "[5, 2"], "--args is not JSON", id="bad JSON"),
        pytest.param(["divide", "--args", '{"x": 5}'], "--args has to be a JSON array", id="args not a list"),
        pytest.param(["divide", "--kwargs", "[5]"], "--kwargs has to be a JSON object", id="kwargs not an object"),
        pytest.param(["divide", "--args", "[5]"], "do not fit", id="too few arguments"),
        pytest.param(["divide", "--args", "[5, 2, 1]"], "do not fit", id="too many arguments"),
        pytest.param(["divide", "--args", "[5]", "--kwargs", '{"z": 1}'], "do not fit", id="unknown keyword"),
        pytest.param([], "Missing argument 'TASK'", id="no task"),
    ],
)
def test_wrong_usage(running: Project, arguments: list[str], message: str) -> None:
    done = running.devkit("run", *arguments).expect(2)
    assert message in done.err
    assert done.out == ""


def test_a_name_that_two_tasks_end_in_is_refused(empty: Project) -> None:
    app = "from celery import Celery\napp = Celery()\n"
    task = "@app.task(name='{0}.add')\ndef {0}_add(x): return x\n"
    empty.write({"tasks.py": app + task.format("cart") + task.format("stock")})
    done = empty.devkit("run", "add").expect(2)
    assert "cart.add" in done.err
    assert "stock.add" in done.err


def test_without_a_stack_it_says_how_to_start_one(small: Project) -> None:
    began = time.monotonic()
    done = small.devkit("run", "add", "--args", "[1, 2]").expect(1)
    assert "127.0.0.2:1" in done.err
    assert "devkit up" in done.err
    assert time.monotonic() - began < 10  # Celery itself tries for 20 seconds


def test_what_the_project_prints_is_not_in_the_result(small: Project) -> None:
    small.write({"tasks.py": "print('hello from the import')\n" + (small.root / "tasks.py").read_text()})
    small.up("worker", "-P", "solo")
    done = small.devkit("run", "add", "--args", "[1, 2]").expect(0)
    assert done.out == "3\n"


SLOW_RECORDER = """
import sys
from celery.signals import worker_init


@worker_init.connect
def be_slow(**_):
    (writer,) = (module for name, module in sys.modules.items() if name.endswith("agent.recorder.writer"))
    writer.GATHER_S = 1.5
"""


def test_a_failure_that_is_told_can_be_looked_at(small: Project) -> None:
    """The worker keeps it in a thread of its own, after the result."""
    small.write({"tasks.py": SLOW_RECORDER + SMALL_APP["tasks.py"]})
    small.up("worker", "-P", "solo")

    small.devkit("run", "add", "--args", '[1, "2"]').expect(1)

    (failure,) = small.devkit("failures", "--json").expect(0).json()
    assert failure["task"] == "tasks.add"
