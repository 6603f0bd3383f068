"""`devkit debug` and workers that know nothing of devkit: Celery's own rdb, whose client must not just vanish."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from celery import Celery
from celery.result import AsyncResult

from tests.acceptance.dialogues import CTRL_D, Terminal, piped, plain_worker
from tests.acceptance.harness import DEADLINE_S, Project, free_port, running_redis, wait_until

PROGRAM = """
import os
import time

from celery import Celery
from celery.contrib import rdb

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])


@app.task
def divide(x, y):
    rdb.set_trace()
    result = x / y
    print(f"divided {result}")
    return result


@app.task
def twice(x):
    rdb.set_trace()
    x += 1
    rdb.set_trace()
    x += 1
    return x


@app.task
def add(x, y):
    return x + y
"""
LINE = {text.strip(): number for number, text in enumerate(PROGRAM.splitlines(), start=1)}
PROMPT = r"\(Pdb\)"
POOLS = {"prefork": ("-c", "1"), "solo": ("-P", "solo")}


class Plain:
    """A project with a plain worker whose tasks pause, and a client that sends them."""

    def __init__(self, project: Project, url: str, log: Path) -> None:
        self.project = project
        self.log = log
        self._client = Celery("client", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False)

    def send(self, task: str, *args: object) -> "AsyncResult[object]":
        return self._client.send_task(f"tasks.{task}", args)

    def paused(self, task: str, *args: object) -> "AsyncResult[object]":
        """Send a task, and wait until it waits for a client."""
        before = self.log.read_text().count("Waiting for client")
        result = self.send(task, *args)
        wait_until(lambda: self.log.read_text().count("Waiting for client") > before, why=self.log.read_text)
        return result

    def still_debugs(self) -> None:
        """Its process pauses again, and prints: a client that vanished would have taken both from it."""
        result = self.paused("divide", 9, 3)
        assert piped(self.project, "-e", "p x", "-e", "c").expect(0).out.splitlines()[2] == "9"
        assert result.get(timeout=DEADLINE_S) == 3
        wait_until(lambda: "divided 3.0" in self.log.read_text(), why=self.log.read_text)

    def close(self) -> None:
        self._client.close()


@pytest.fixture(params=POOLS, scope="module")
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    folder, redis = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("redis")
    with running_redis(redis) as url, closing(Project(folder, {"tasks.py": PROGRAM})) as project:
        project.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        project.environ["CELERY_RDB_PORT"] = str(free_port())
        with plain_worker(project, *POOLS[request.param]) as log, closing(Plain(project, url, log)) as plain:
            yield plain


def where(statement: str) -> str:
    return rf"> tasks\.py:{LINE[statement]} in "


def test_a_dialogue_on_a_terminal(plain: Plain) -> None:
    result = plain.paused("divide", 10, 4)
    shell = Terminal(plain.project, "debug")
    shell.expect("this is Celery's own rdb: it cannot be left paused")
    shell.expect(rf"tasks\.divide\(10, 4\)  {result.id}")
    shell.expect(where("result = x / y") + "divide")
    shell.expect(rf"-> {LINE['result = x / y']} +result = x / y.*{PROMPT}")
    shell.type("p x, y")
    shell.expect(rf"^\(10, 4\)\n{PROMPT}")
    shell.keys("for i in range(2):\rprint(i + y)\r\r")
    shell.expect(rf"^4\n5\n{PROMPT}")
    shell.type("n")
    shell.expect(where('print(f"divided {result}")') + f"divide.*{PROMPT}")
    shell.type("result = 7")
    shell.expect(PROMPT)
    shell.type("l")
    shell.expect(rf"return result\n.*{PROMPT}")
    shell.type("c")
    assert shell.end() == 0
    assert result.get(timeout=DEADLINE_S) == 7


def test_commands_on_a_pipe(plain: Plain) -> None:
    result = plain.paused("divide", 10, 4)

    done = piped(plain.project, "-e", "p x", "-e", "n", "-e", "r").expect(0)

    file, lines = plain.project.root / "tasks.py", done.out.splitlines()
    assert lines[:5] == [
        f"> {file}({LINE['result = x / y']})divide()", "-> result = x / y", "10",
        f"> {file}({LINE['result = x / y'] + 1})divide()", '-> print(f"divided {result}")',
    ]  # fmt: skip
    assert lines[5:] == [
        "divided 2.5", "--Return--", f"> {file}({LINE['return result']})divide()->2.5", "-> return result",
    ]  # fmt: skip
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_commands_from_standard_input(plain: Plain) -> None:
    result = plain.paused("divide", 10, 4)

    assert piped(plain.project, typed="p x + y\n").expect(0).out.splitlines()[-1] == "14"
    assert result.get(timeout=DEADLINE_S) == 2.5


@pytest.mark.parametrize("way", [CTRL_D, "detach\r", "EOF\r", "q\r"])
def test_however_one_leaves_the_worker_debugs_again(plain: Plain, way: str) -> None:
    result = plain.paused("divide", 10, 4)
    shell = Terminal(plain.project, "debug")
    shell.expect(PROMPT)
    shell.keys(way)
    assert shell.end() == 0
    assert result.get(timeout=DEADLINE_S) == 2.5
    plain.still_debugs()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_client_that_is_ended_lets_the_task_go_on(plain: Plain, signum: signal.Signals) -> None:
    result = plain.paused("divide", 10, 4)
    shell = Terminal(plain.project, "debug")
    shell.expect(PROMPT)
    shell.signal(signum)
    # `setsid`, which gives it a terminal, becomes devkit: the signal has reached devkit itself.
    assert shell.end() == 128 + signum
    assert result.get(timeout=DEADLINE_S) == 2.5
    plain.still_debugs()


def test_interact_is_refused_for_nothing_would_lead_out_of_it(plain: Plain) -> None:
    result = plain.paused("divide", 10, 4)

    done = piped(plain.project, "-e", "interact", "-e", "p y").expect(0)

    assert "nothing would lead out of it" in done.out
    assert done.out.splitlines()[-1] == "4"
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_c_ends_the_conversation_and_what_is_left_over_is_named(plain: Plain) -> None:
    result = plain.paused("twice", 1)

    done = piped(plain.project, "-e", "c", "-e", "p x").expect(0)
    assert "left over, not executed: p x" in done.err
    second = piped(plain.project, "-e", "p x").expect(0)  # it waits again

    assert second.out.splitlines()[-1] == "2"
    assert result.get(timeout=DEADLINE_S) == 3


def test_run_attaches_at_each_of_its_breakpoints(plain: Plain) -> None:
    shell = Terminal(plain.project, "debug", "--run", "twice", "--args", "[5]")
    shell.expect(r"tasks\.twice sent, id (\S+)")
    shell.expect(rf"> tasks\.py:\d+ in twice.*{PROMPT}")
    shell.type("c")
    shell.expect(rf"twice.*{PROMPT}")
    shell.type("p x")
    shell.expect(rf"^6\n{PROMPT}")
    shell.type("c")
    shell.expect(r"SUCCESS after \S+ s\n7\n")
    assert shell.end() == 0


def test_run_of_a_task_that_fails(plain: Plain) -> None:
    done = piped(plain.project, "--run", "divide", "--args", "[1, 0]", "-e", "p y").expect(1)

    assert "0" in done.out.splitlines()
    assert done.out.endswith("ZeroDivisionError: division by zero\n")
    assert "FAILURE after" in done.err


def test_run_of_a_task_that_does_not_pause(plain: Plain) -> None:
    done = piped(plain.project, "--run", "add", "--kwargs", '{"x": 1, "y": 2}').expect(0)

    assert done.out == "3\n"
    assert "tasks.add came to its end without pausing" in done.err


def test_it_is_listed_and_nobody_connects_for_that(plain: Plain) -> None:
    result = plain.paused("divide", 10, 4)
    for _ in range(2):
        (one,) = plain.project.devkit("debug", "--list", "--json").expect(0).json()
        assert psutil.pid_exists(one["pid"])
        assert (one["id"], one["plain"]) == (f"pid-{one['pid']}", True)
        assert "token" not in one
    assert "Celery's own rdb" in plain.project.devkit("debug", "-l").expect(0).out

    assert piped(plain.project, f"pid-{one['pid']}", "-e", "p x").expect(0).out.splitlines()[-1] == "10"
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_an_address_is_enough(plain: Plain) -> None:
    result = plain.paused("divide", 10, 4)
    (one,) = plain.project.devkit("debug", "--list", "--json").json()

    assert piped(plain.project, "--port", str(one["port"]), "-e", "p x").expect(0).out.splitlines()[-1] == "10"
    assert result.get(timeout=DEADLINE_S) == 2.5
    assert "nobody listens on" in piped(plain.project, "--port", str(one["port"]), "-e", "p x").expect(1).err


def test_it_waits_for_a_pause(plain: Plain) -> None:
    waiting = plain.project.start("debug", "-e", "p x")
    waiting.wait_for("waiting for one")
    result = plain.send("divide", 10, 4)

    assert waiting.end() == 0
    assert "\n10\n" in waiting.out
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_ctrl_c_ends_the_wait(plain: Plain) -> None:
    shell = Terminal(plain.project, "debug")
    shell.expect("waiting for one")
    shell.press_ctrl_c()
    assert shell.end() == 130
    assert "Traceback" not in shell.out


def test_the_wait_may_have_an_end(plain: Plain) -> None:
    done = plain.project.devkit("debug", "divide", "--timeout", "0.2").expect(1)

    assert "nothing paused within 0.2 s" in done.err
    assert "looked: the sessions in " in done.err


def test_lists_of_nothing(plain: Plain) -> None:
    assert plain.project.devkit("debug", "--list", "--json").expect(0).json() == []
    assert "no task is paused" in plain.project.devkit("debug", "--list").expect(0).err
    assert "no breakpoint is set" in plain.project.devkit("debug", "--breakpoints").expect(0).err


def test_breakpoints_are_set_and_removed(plain: Plain) -> None:
    line = LINE["result = x / y"]
    done = plain.project.devkit("debug", "--break", f"tasks.py:{line}", "--if", "y == 0", "--no-wait").expect(0)
    assert f"breakpoint 1: tasks.py:{line} if y == 0" in done.err
    plain.project.devkit("debug", "divide", "--on-failure", "--retries", "--no-wait").expect(0)

    (first, second) = plain.project.devkit("debug", "--breakpoints", "--json").expect(0).json()
    assert (first["kind"], first["file"], first["line"], first["condition"]) == ("line", "tasks.py", line, "y == 0")
    assert (second["kind"], second["task"], second["retries"]) == ("failure", "divide", True)

    assert plain.project.devkit("debug", "--clear").expect(0).out == "2 breakpoints removed\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run"], "--run needs a TASK"),
        (["--args", "[1]"], "belong to --run"),
        (["--if", "x"], "--if belongs to --break"),
        (["--retries"], "--retries belongs to --on-failure"),
        (["--no-wait"], "--no-wait belongs to"),
        (["--json"], "--json belongs to"),
        (["--break", "nowhere.py:3"], "no breakpoint at nowhere.py:3"),
        (["--break", "tasks.py:999"], "no breakpoint at tasks.py:999"),
        (["--break", "tasks.py:3", "--if", "x ="], "no breakpoint at tasks.py:3"),
        (["--run", "divide", "--args", "{"], "--args is not JSON"),
        (["--run", "divid"], "did you mean 'divide'"),
    ],
)
def test_wrong_usage(plain: Plain, arguments: list[str], message: str) -> None:
    done = plain.project.devkit("debug", *arguments).expect(2)
    assert message in done.err
    assert done.out == ""
