"""`devkit up` in the foreground: the table, the output, the sample app at work, and Ctrl-C."""

import re
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.harness import (
    OWN_FRAME,
    Foreground,
    Project,
    copy_of_sample_app,
    fetch,
    is_free,
    port_of,
    task_through_api,
    tasks_in_flower,
    wait_until,
)

COLOUR = "\x1b["
# One page of this report takes longer than any test.
LONG_TASK = ("build_report", "--args", "[1]", "--kwargs", '{"seconds_per_page": 300}', "--no-wait")

Stack = tuple[Project, Foreground]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The sample app with its whole stack, in the foreground, its output on pipes."""
    with closing(Project(tmp_path_factory.mktemp("foreground"), copy_of_sample_app())) as project:
        yield project, project.start("up").wait_for_all_ready()


def test_the_table_shows_the_four_services(stack: Stack) -> None:
    project, up = stack
    up.wait_for("all is ready")
    rows = {}
    for line in up.out.splitlines():
        if match := re.match(r" (\w+) +(\d+\.\d\d s) +(\S+://\S+)? +(\S.*)", line):
            rows[match[1]] = match[3]
    assert rows == {name: service["url"] for name, service in project.services().items()}
    assert list(rows) == ["redis", "api", "worker", "flower"]


def test_a_task_sent_through_the_api_returns_its_result(stack: Stack) -> None:
    status = task_through_api(stack[0].url("api"), "/divide", x=5, y=2)
    assert (status["state"], status["result"]) == ("SUCCESS", 2.5)


def test_a_task_that_fails_shows_its_exception_through_the_api(stack: Stack) -> None:
    status = task_through_api(stack[0].url("api"), "/divide", x=1, y=0)
    assert (status["state"], status["error"]) == ("FAILURE", "ZeroDivisionError: division by zero")


def test_a_workflow_of_several_tasks_comes_out_right(stack: Stack) -> None:
    status = task_through_api(stack[0].url("api"), "/workflows", numbers=[1, 2, 3])
    assert (status["state"], status["result"]) == ("SUCCESS", "1² + 2² + 3² = 14")


def test_flowers_page_lists_a_task(stack: Stack) -> None:
    flower = stack[0].url("flower")
    task_id = task_through_api(stack[0].url("api"), "/divide", x=5, y=2)["task_id"]

    assert "tasks-table" in fetch("GET", f"{flower}/tasks").text
    row = wait_until(lambda: tasks_in_flower(flower).get(task_id, {}))
    assert row["name"] == "sample_app.tasks.divide"


def test_flower_shows_a_tasks_arguments_and_result(stack: Stack) -> None:
    flower = stack[0].url("flower")
    task_id = task_through_api(stack[0].url("api"), "/divide", x=7, y=2)["task_id"]

    row = wait_until(lambda: {r["uuid"]: r for r in tasks_in_flower(flower).values() if r["result"]}.get(task_id, {}))
    assert (row["state"], row["result"]) == ("SUCCESS", "3.5")
    assert row["args"] == "(7, 2)"


def test_each_line_of_output_names_its_service(stack: Stack) -> None:
    project, up = stack
    task_id = task_through_api(project.url("api"), "/divide", x=5, y=2)["task_id"]

    up.wait_for(rf"^worker \| .*Task sample_app\.tasks\.divide\[{task_id}\] succeeded")
    up.wait_for(r'^api    \| INFO: .*"POST /divide HTTP/1.1" 202')
    output = up.out.rpartition("\n\n")[2].splitlines()  # after the table
    assert [line for line in output if not re.match(r"(redis |api   |worker|flower) \| ", line)] == []


def test_devkits_own_words_go_to_standard_error(stack: Stack) -> None:
    _, up = stack
    assert not re.search("^devkit: ", up.out, re.MULTILINE)
    assert all(line.startswith("devkit: ") for line in up.err.splitlines())


def test_output_into_a_pipe_has_no_colour(stack: Stack) -> None:
    _, up = stack
    assert COLOUR not in up.out + up.err


def test_ctrl_c_stops_everything(sample: Project) -> None:
    sample.ask_for_ports()
    up = sample.start("up").wait_for_all_ready()
    ports = [port_of(service["url"]) for service in sample.services().values() if service["url"]]
    assert len(ports) == 3

    up.press_ctrl_c()

    assert up.end() == 0
    assert sample.processes() == {}
    assert all(map(is_free, ports))


def test_ctrl_c_typed_on_a_terminal_stops_everything_and_the_terminal_shows_colour(sample: Project) -> None:
    up = sample.start("up", terminal=True).wait_for_all_ready()
    task_through_api(sample.url("api"), "/divide", x=5, y=2)
    up.wait_for(r"^\x1b\[\d+mworker \| \x1b\[0m.*succeeded")

    up.press_ctrl_c()

    assert up.end() == 0
    assert sample.processes() == {}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_it_too(small: Project, signum: signal.Signals) -> None:
    up = small.start("up", "redis").wait_for_all_ready()
    up.signal(signum)
    assert up.end() == 0
    assert small.processes() == {}


def test_the_first_ctrl_c_lets_a_running_task_finish(small: Project) -> None:
    up = small.start("up", "worker").wait_for_all_ready()
    small.devkit("run", "rest", "--args", "[2]", "--no-wait").expect(0)
    up.wait_for(r"tasks\.rest\[\S+\] received")

    up.press_ctrl_c()

    up.wait_for(r"tasks\.rest\[\S+\] succeeded")
    assert up.end() == 0


def test_a_second_ctrl_c_kills(sample: Project) -> None:
    up = sample.start("up", "worker").wait_for_all_ready()
    sample.devkit("run", *LONG_TASK).expect(0)
    up.wait_for("build_report.* received")
    up.press_ctrl_c()
    up.wait_for("Ctrl-C again kills")

    up.press_ctrl_c()

    assert up.end(timeout=5) == 130
    assert sample.processes() == {}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_stack_starts_stops_it(small: Project, signum: signal.Signals) -> None:
    up = small.start("up")
    wait_until(lambda: len(small.processes()) > 1)  # the first services' processes are there
    up.signal(signum)
    assert up.end() in {0, 130}
    small.wait_until_gone()


def test_ctrl_c_while_the_services_start_shows_no_traceback_through_devkits_code(sample: Project) -> None:
    """They are importing, and have not yet said what an interrupt is to do."""
    up = sample.start("up")
    sample.wait_for_state("redis", "ready")
    up.press_ctrl_c()
    assert up.end() == 0
    assert OWN_FRAME not in up.out + up.err


@pytest.mark.parametrize(
    ("terminal", "env", "coloured"),
    [
        pytest.param(False, {}, False, id="pipe"),
        pytest.param(False, {"FORCE_COLOR": "1"}, True, id="pipe with FORCE_COLOR"),
        pytest.param(True, {}, True, id="terminal"),
        pytest.param(True, {"NO_COLOR": "1"}, False, id="terminal with NO_COLOR"),
        pytest.param(False, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, id="pipe with both"),
    ],
)
def test_colour(stack: Stack, terminal: bool, env: dict[str, str], coloured: bool) -> None:
    for command in (["status"], ["logs", "-n", "1"], ["restart", "nosuch"]):
        shown = stack[0].start(*command, terminal=terminal, env=env)
        shown.end()
        if coloured:
            shown.wait_for(r"\x1b\[\d+(;\d+)?m")
        else:
            shown.wait_for(r"\S")
            assert COLOUR not in shown.out + shown.err, command


def test_the_table_on_a_terminal_is_as_wide_as_the_terminal(stack: Stack) -> None:
    shown = stack[0].start("status", terminal=True, env={"NO_COLOR": "1"})
    shown.end()
    assert max(map(len, shown.out.splitlines())) <= 250
