"""Tasks in an editor: debugpy in a worker's processes, and an editor that attaches to it."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from celery.result import AsyncResult

from devkit.model.breakpoint import Breakpoint
from devkit.store.breakpoints import Breakpoints
from tests.acceptance.debugging import Debugging, debugging
from tests.acceptance.editor import Editor
from tests.acceptance.harness import DEADLINE_S, Json, Project, free_port, wait_until

pytest.importorskip("debugpy", reason="debugpy is not installed")

POOLS = [
    pytest.param(["-c", "1"], id="prefork"),
    pytest.param(["-P", "solo"], id="solo"),
    pytest.param(["-P", "threads", "-c", "2"], id="threads"),
]
each_pool = pytest.mark.parametrize("pool", POOLS)
PROGRAM = """
import os, time
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(task_track_started=True, worker_prefetch_multiplier=1)


def half(y):
    return y / 2


@app.task(soft_time_limit=2)
def scale(x):
    y = x * 10
    y += 1
    return half(y)


@app.task
def short(x): return x + 1


@app.task
def other(x):
    x += 1
    return half(x)


@app.task
def asks(x):
    x *= 2
    breakpoint()
    x *= 3
    return x
"""
LINE = {text.strip(): number for number, text in enumerate(PROGRAM.splitlines(), start=1)}


class Desk:
    """A worker whose tasks are for an editor."""

    def __init__(self, worker: Debugging) -> None:
        self.worker = worker
        self.port = free_port()
        self.file = worker.project.root / "tasks.py"
        self._folder = worker.project.root / ".devkit" / "debug"
        self._editors: list[Editor] = []
        worker.project.write({"tasks.py": PROGRAM})

    def wants(self, task: str) -> None:
        """As `devkit debug TASK --ide` does."""
        self._add(Breakpoint(0, "ide", task=task, port=self.port))

    def stops_in_devkit(self, task: str) -> None:
        """As `devkit debug --break TASK` does."""
        self._add(Breakpoint(0, "task", task=task))

    def _add(self, breakpoint_: Breakpoint) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        Breakpoints(str(self._folder)).add(breakpoint_)

    def waits(self, result: "AsyncResult[Any]") -> Json:
        """Wait until the task is for an editor, and debugpy has started; returns its session."""
        wait_until(lambda: self.worker.paused(result)["port"])
        return self.worker.paused(result)

    def attach(self, session: Json, *lines: int) -> Editor:
        editor = Editor(session["port"])
        self._editors.append(editor)
        editor.attach(self.file, *lines)
        return editor

    def close(self) -> None:
        for editor in self._editors:
            editor.vanishes()


@pytest.fixture
def desk(empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with debugging(empty, tmp_path_factory.mktemp("redis")) as worker:
        made = Desk(worker)
        try:
            yield made
        finally:
            made.close()


@each_pool
def test_breakpoints_of_an_editor(desk: Desk, pool: list[str]) -> None:
    desk.wants("scale")
    started = desk.worker.start(*pool)
    result = desk.worker.send("scale", 3)
    session = desk.waits(result)
    assert session["why"] == "waits for an editor"
    assert session["port"] == desk.port
    assert (session["line"], session["function"], session["args"]) == (LINE["y = x * 10"], "scale", "x=3")
    started.wait_for(rf"tasks\.scale\[{result.id}\] waits for an editor on 127\.0\.0\.1:{desk.port}")

    editor = desk.attach(session, LINE["y += 1"], LINE["return y / 2"])

    assert editor.stops_at() == ("scale", LINE["y = x * 10"])
    wait_until(lambda: desk.waits(result)["why"] == "in the editor")
    editor.goes_on()
    assert editor.stops_at() == ("scale", LINE["y += 1"])
    assert editor.value_of("y") == "30"
    editor.goes_on("next")
    assert editor.stops_at() == ("scale", LINE["return half(y)"])
    assert editor.value_of("y") == "31"
    editor.goes_on()
    assert editor.stops_at() == ("half", LINE["return y / 2"])
    editor.goes_on()
    assert result.get(timeout=DEADLINE_S) == 15.5
    wait_until(lambda: desk.worker.sessions() == [])


@each_pool
def test_the_next_call_stops_too_and_waits_only_if_no_editor_is_there(desk: Desk, pool: list[str]) -> None:
    desk.wants("short")
    desk.worker.start(*pool)
    first = desk.worker.send("short", 1)
    session = desk.waits(first)
    editor = desk.attach(session)
    assert editor.stops_at()[0] == "short"
    assert editor.value_of("x") == "1"
    editor.goes_on()
    assert first.get(timeout=DEADLINE_S) == 2

    second = desk.worker.send("short", 2)
    assert editor.stops_at()[0] == "short"
    assert editor.value_of("x") == "2"
    assert desk.waits(second)["why"] == "in the editor"
    editor.leaves()
    assert second.get(timeout=DEADLINE_S) == 3

    third = desk.worker.send("short", 3)
    again = desk.attach(desk.waits(third))
    assert again.stops_at()[0] == "short"
    again.vanishes()
    assert third.get(timeout=DEADLINE_S) == 4

    fourth = desk.worker.send("short", 4)
    assert desk.waits(fourth)["why"] == "waits for an editor"


@each_pool
def test_other_tasks_of_the_process_are_left_alone(desk: Desk, pool: list[str]) -> None:
    desk.wants("scale")
    desk.worker.start(*pool)
    before = desk.worker.send("other", 1)
    assert before.get(timeout=DEADLINE_S) == 1
    result = desk.worker.send("scale", 3)
    editor = desk.attach(desk.waits(result), LINE["return y / 2"])
    editor.stops_at()
    if "threads" in pool:  # there is another thread for it
        assert desk.worker.send("other", 2).get(timeout=DEADLINE_S) == 1.5
    editor.goes_on()
    editor.stops_at()
    editor.goes_on()
    assert result.get(timeout=DEADLINE_S) == 15.5

    for x in range(4):
        assert desk.worker.send("other", x).get(timeout=DEADLINE_S) == (x + 1) / 2
    editor.asks("setBreakpoints", source={"path": str(desk.file)}, breakpoints=[{"line": LINE["return half(x)"]}])
    for x in range(4):
        assert desk.worker.send("other", x).get(timeout=DEADLINE_S) == (x + 1) / 2
    again = desk.worker.send("scale", 3)
    assert editor.stops_at() == ("scale", LINE["y = x * 10"])
    editor.goes_on()
    assert again.get(timeout=DEADLINE_S) == 15.5


@each_pool
def test_what_pauses_in_devkit_still_does_afterwards(desk: Desk, pool: list[str]) -> None:
    desk.wants("scale")
    desk.stops_in_devkit("other")
    desk.worker.start(*pool)
    result = desk.worker.send("scale", 3)
    editor = desk.attach(desk.waits(result))
    editor.stops_at()
    editor.goes_on()
    assert result.get(timeout=DEADLINE_S) == 15.5

    other, asks = desk.worker.send("other", 1), desk.worker.send("asks", 1)
    for paused, line in ((other, LINE["x += 1"]), (asks, LINE["breakpoint()"] + 1)):
        person = desk.worker.attach(desk.worker.paused(paused))
        assert person.position()[0] == line
        person.says("c")
    assert (other.get(timeout=DEADLINE_S), asks.get(timeout=DEADLINE_S)) == (1, 6)


@each_pool
def test_breakpoint_in_the_code_stops_in_the_editor(desk: Desk, pool: list[str]) -> None:
    desk.wants("asks")
    desk.worker.start(*pool)
    result = desk.worker.send("asks", 1)
    editor = desk.attach(desk.waits(result))

    assert editor.stops_at()[0] == "asks"
    editor.goes_on()
    assert editor.stops_at() == ("asks", LINE["breakpoint()"] + 1)
    editor.goes_on()
    assert result.get(timeout=DEADLINE_S) == 6


def test_time_limits_stand_still_in_an_editor(desk: Desk) -> None:
    desk.wants("scale")
    desk.worker.start("-c", "1")
    result = desk.worker.send("scale", 3)
    editor = desk.attach(desk.waits(result))
    editor.stops_at()

    editor.value_of("__import__('time').sleep(4)")  # the soft limit is 2
    assert desk.waits(result)["why"] == "in the editor"
    editor.goes_on()
    assert result.get(timeout=DEADLINE_S) == 15.5


@each_pool
@pytest.mark.parametrize("attached", [False, True], ids=["waiting", "attached"])
def test_the_worker_ends(desk: Desk, pool: list[str], attached: bool) -> None:
    desk.wants("other")
    started = desk.worker.start(*pool)
    result = desk.worker.send("other", 3)
    session = desk.waits(result)
    if attached:
        desk.attach(session, LINE["return half(x)"]).stops_at()

    started.signal(signal.SIGTERM)

    assert started.end() == 0
    assert result.get(timeout=DEADLINE_S) == 2
    assert desk.worker.sessions() == []


def test_a_port_that_is_taken(desk: Desk) -> None:
    """Two processes of one pool, each with the task."""
    desk.wants("other")
    started = desk.worker.start("-c", "2")
    results = [desk.worker.send("other", x) for x in (1, 3)]
    sessions = [desk.waits(result) for result in results]

    ports = sorted(session["port"] for session in sessions)
    assert ports[0] == desk.port < ports[1]
    started.wait_for(rf"port {desk.port} is taken, debugpy listens on {ports[1]}")
    editors = [desk.attach(session) for session in sessions]
    for editor in editors:
        assert editor.stops_at() == ("other", LINE["x += 1"])
        editor.goes_on()
    assert [result.get(timeout=DEADLINE_S) for result in results] == [1, 2]


def test_new_code_while_a_task_is_in_an_editor(desk: Desk) -> None:
    desk.wants("other")
    started = desk.worker.start("-c", "1")
    old = desk.worker.send("other", 1)
    before = desk.attach(desk.waits(old))
    before.stops_at()
    desk.worker.project.write({"tasks.py": PROGRAM.replace("return half(x)", "return half(x) + 100")})
    started.wait_for("generation 2 is live")

    new = desk.worker.send("other", 3)
    session = desk.waits(new)
    assert session["port"] != desk.port
    after = desk.attach(session)
    after.stops_at()
    after.goes_on()
    assert new.get(timeout=DEADLINE_S) == 102
    before.goes_on()
    assert old.get(timeout=DEADLINE_S) == 1


def test_without_debugpy_the_task_runs_on(desk: Desk) -> None:
    desk.worker.project.write({"debugpy.py": "raise ImportError('not here')"})
    desk.wants("other")
    started = desk.worker.start("-c", "1")

    assert desk.worker.send("other", 3).get(timeout=DEADLINE_S) == 2

    started.wait_for(r"tasks\.other runs on, without an editor: (\S+) lacks debugpy: \1 -m pip install debugpy")


def test_the_command(desk: Desk) -> None:
    """It sets the breakpoint, prints what VS Code needs, and with --run follows the task to its result."""
    project = desk.worker.project
    desk.worker.start("-c", "1")
    launch = project.root / ".vscode" / "launch.json"

    done = project.devkit("debug", "other", "--ide", "--ide-port", str(desk.port)).expect(0)

    entry = json.loads(done.out)
    assert entry["connect"] == {"host": "127.0.0.1", "port": desk.port}
    assert json.loads(launch.read_text())["configurations"] == [entry]
    assert f"first line of other, in an editor on port {desk.port}" in project.devkit("debug", "--breakpoints").out

    running = project.start(
        "debug", "other", "--ide", "--ide-port", str(desk.port), "--run", "--args", "[3]", "-A", "tasks:app"
    )
    running.wait_for(rf"tasks\.other waits for an editor on 127\.0\.0\.1:{desk.port}")
    refused = project.devkit("debug", "other").expect(1)
    assert "waits for an editor: nobody else can attach to it" in refused.err
    (session,) = desk.worker.sessions()
    editor = desk.attach(session)
    editor.stops_at()
    editor.goes_on()
    assert running.end() == 0
    assert running.out.endswith("}\n2.0\n")

    assert project.devkit("debug", "--clear", "other").expect(0).out == "1 breakpoint removed\n"
    assert desk.worker.send("other", 5).get(timeout=DEADLINE_S) == 3


def test_a_launch_file_of_ones_own_is_left_alone(desk: Desk) -> None:
    own = '{\n    // my own\n    "configurations": []\n}\n'
    desk.worker.project.write({".vscode/launch.json": own})

    done = desk.worker.project.devkit("debug", "other", "--ide").expect(0)

    assert "to be added to the configurations in .vscode/launch.json" in done.err
    assert json.loads(done.out)["connect"]["port"] == 5678
    assert (desk.worker.project.root / ".vscode" / "launch.json").read_text() == own


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ide"], "--ide needs a TASK"),
        (["other", "--ide-port", "5000"], "--ide-port belongs to --ide"),
        (["other", "--ide", "--on-failure"], "--ide goes without"),
    ],
)
def test_wrong_usage(empty: Project, options: list[str], said: str) -> None:
    assert said in empty.devkit("debug", *options).expect(2).err
