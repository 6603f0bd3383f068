"""Breakpoints in code that runs: who is told, where, and what it costs those who are not concerned."""

import asyncio
import dis
import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devkit.agent.breakpoints.watched import WatchedBreakpoints
from devkit.model.breakpoint import Breakpoint
from devkit.store.breakpoints import Breakpoints, at_line

MONITORING: Any = getattr(sys, "monitoring", None)


def _only_if(condition: bool) -> Callable[[Callable[..., None]], Any]:
    """For tests that make sense under some Pythons only; `test_other_pythons.py` runs this file under others."""
    return lambda test: test if condition else None


needs_tracing = _only_if(MONITORING is None)
needs_monitoring = _only_if(MONITORING is not None)
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs dnotify")

Hits = list[tuple[str, str, int]]


class Project:
    """A project with one module, the process that runs it, and who stopped where in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Breakpoints(str(root / ".devkit" / "debug"))
        self.watched = WatchedBreakpoints(self.store, str(root), self.hit, self.find_task)
        self.hits: Hits = []
        self.do: Callable[[types.FrameType], object] = lambda frame: None
        self.names: dict[str, Any] = {}

    def hit(self, frame: types.FrameType, why: str) -> None:
        self.hits.append((why, frame.f_code.co_name, frame.f_lineno))
        self.do(frame)

    def find_task(self, name: str) -> list[types.CodeType]:
        found = self.names.get(name)
        return [found.__code__] if found else []

    def load(self, source: str, file: str = "", name: str = "shop.py") -> dict[str, Any]:
        """Import it, as far as Python's frames can tell; its code has `file` for a file name."""
        (self.root / name).write_text(source)
        self.names = {"__name__": "shop"}
        exec(compile(source, file or str(self.root / name), "exec"), self.names)  # noqa: S102
        return self.names

    def break_at(self, text: str, condition: str = "") -> Breakpoint:
        """At the line that ends with a comment of this text."""
        lines = (self.root / "shop.py").read_text().split("\n")
        number = next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {text}"))
        return self.set(at_line(str(self.root), str(self.root / "shop.py"), number, condition))

    def break_task(self, name: str, condition: str = "") -> Breakpoint:
        return self.set(Breakpoint(0, "task", task=name, condition=condition))

    def set(self, breakpoint_: Breakpoint) -> Breakpoint:
        added = self.store.add(breakpoint_)
        self.watched.refresh()
        return added

    def clear(self) -> None:
        self.store.remove([found.number for found in self.store.all()])
        self.watched.refresh()

    def stops(self) -> list[tuple[str, int]]:
        """The functions and lines that were stopped at since this was last asked."""
        found, self.hits = self.hits, []
        return [(function, line) for _, function, line in found]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    # What measures coverage traces, too, and would not be replaced.
    before, before_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    project = Project(tmp_path)
    yield project
    project.clear()
    left = sys.gettrace(), threading.gettrace()
    sys.settrace(before)
    threading.settrace(before_threads)  # type: ignore[arg-type,unused-ignore]
    assert left == (None, None)
    if MONITORING:
        assert [MONITORING.get_tool(tool) for tool in (3, 4)] == [None, None]


DIVIDE = """
def divide(x, y):
    result = x / y  # here
    return result  # end
"""


def test_it_stops_before_the_line(project: Project) -> None:
    names = project.load(DIVIDE)
    project.do = lambda frame: seen.append(dict(frame.f_locals))
    seen: list[dict[str, Any]] = []
    breakpoint_ = project.break_at("here")

    assert names["divide"](4, 2) == 2

    assert project.hits == [(f"breakpoint {breakpoint_.number}", "divide", 3)]
    assert seen == [{"x": 4, "y": 2}]


def test_it_stops_each_time_until_it_is_removed(project: Project) -> None:
    names = project.load(DIVIDE)
    project.break_at("here")
    other = project.break_at("end")

    names["divide"](4, 2)
    names["divide"](4, 2)
    assert project.stops() == [("divide", 3), ("divide", 4)] * 2

    project.store.remove([other.number])
    project.watched.refresh()
    names["divide"](4, 2)
    assert project.stops() == [("divide", 3)]

    project.clear()
    names["divide"](4, 2)
    assert project.stops() == []

    project.break_at("end")
    names["divide"](4, 2)
    assert project.stops() == [("divide", 4)]


def test_nothing_is_installed_where_there_is_none(project: Project) -> None:
    project.load(DIVIDE)

    project.watched.refresh()
    assert (project.watched.active, sys.gettrace(), threading.gettrace()) == (False, None, None)

    project.break_at("here")
    assert project.watched.active

    project.clear()  # the fixture looks at what is left
    assert not project.watched.active


KINDS = """
import contextlib, functools
def calls(function):
    return [function(x) for x in (1, 2)]
def outer():
    def inner(x):
        return x + 1  # nested
    return calls(inner)
def numbers():
    for x in (1, 2):
        yield x  # generator
def comprehends(xs):
    return [
        x + 1
        for x in xs if
        x > 1  # comprehension
    ]
def one_line(xs):
    return [x for x in xs], sum(x for x in xs)  # one line
def uses_lambda():
    act = (lambda x:
        x + 1)  # lambda
    return act(1)
def makes_class():
    class Made:
        x = 1  # class body
    return Made
def decorated():
    @functools.wraps(
        calls  # decorator
    )
    def inner(): pass
    return inner
def catches():
    try:
        return 1 / 0
    except ZeroDivisionError:
        return 0  # handler
    finally:
        calls(str)  # finally
def manages():
    with contextlib.suppress(ValueError):
        int("x")  # with
def matches(x):
    match x:
        case 1:
            return 1  # case
async def waits():
    async for x in steps():
        last = x  # async
    return last
async def steps():
    import asyncio
    for x in (1, 2):
        await asyncio.sleep(0)  # async generator
        yield x
"""


@pytest.mark.parametrize(
    ("where", "run", "stops"),
    [
        ("nested", lambda names: names["outer"](), ["inner", "inner"]),
        ("generator", lambda names: list(names["numbers"]()), ["numbers", "numbers"]),
        ("one line", lambda names: names["one_line"]([1, 2, 3]), ["one_line"]),
        ("lambda", lambda names: names["uses_lambda"](), ["<lambda>"]),
        ("class body", lambda names: names["makes_class"](), ["Made"]),
        ("decorator", lambda names: names["decorated"](), ["decorated"]),
        ("handler", lambda names: names["catches"](), ["catches"]),
        ("finally", lambda names: names["catches"](), ["catches"]),
        ("with", lambda names: names["manages"](), ["manages"]),
        ("case", lambda names: names["matches"](1), ["matches"]),
        ("case", lambda names: names["matches"](2), []),
        ("async", lambda names: asyncio.run(names["waits"]()), ["waits", "waits"]),
        ("async generator", lambda names: asyncio.run(names["waits"]()), ["steps", "steps"]),
    ],
)
def test_any_code_can_stop(project: Project, where: str, run: Callable[[Any], object], stops: list[str]) -> None:
    names = project.load(KINDS)
    project.break_at(where)

    run(names)

    assert [function for _, function, _ in project.hits] == stops


def test_a_line_of_a_comprehension_stops(project: Project) -> None:
    names = project.load(KINDS)
    project.break_at("comprehension")

    assert names["comprehends"]([1, 2]) == [3]

    assert project.stops() != []


def test_code_of_a_module_stops_when_it_is_imported(project: Project) -> None:
    source = "x = 1\ny = 2  # here\n"
    (project.root / "shop.py").write_text(source)
    project.break_at("here")

    project.load(source)

    assert project.stops() == [("<module>", 2)]


def test_a_coroutine_that_waits_already_stops(project: Project) -> None:
    names = project.load("""
async def work(event):
    await event.wait()
    x = 1  # here
    return x
""")

    async def main() -> None:
        event = asyncio.Event()
        task = asyncio.ensure_future(names["work"](event))
        await asyncio.sleep(0)
        project.break_at("here")
        event.set()
        assert await task == 1

    asyncio.run(main())

    assert project.stops() == [("work", 4)]


def test_a_function_that_runs_already_stops(project: Project) -> None:
    names = project.load("""
def outer(act):
    for turn in range(3):
        inner(act if turn == 1 else int)
        x = turn  # outer
def inner(act):
    act()
    return 1  # inner
""")

    def set_both() -> None:
        project.break_at("outer")
        project.break_at("inner")

    names["outer"](set_both)

    assert project.stops() == [("inner", 8), ("outer", 5), ("inner", 8), ("outer", 5)]


@needs_monitoring
def test_a_function_that_runs_already_in_another_thread_stops(project: Project) -> None:
    names = project.load("""
def work(begun, go):
    begun.set()
    go.wait(10)
    return 1  # here
""")
    begun, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=names["work"], args=(begun, go))
    thread.start()
    begun.wait(10)

    project.break_at("here")
    go.set()
    thread.join()

    assert project.stops() == [("work", 5)]


def test_other_threads_stop(project: Project) -> None:
    """A new one; and one that was there before, where the task that it starts refreshes."""
    names = project.load(DIVIDE)
    ready, go = threading.Event(), threading.Event()

    def work() -> None:
        ready.set()
        go.wait(10)
        project.watched.refresh()
        names["divide"](4, 2)
        project.clear()

    old = threading.Thread(target=work)
    old.start()
    ready.wait(10)
    project.break_at("here")
    new = threading.Thread(target=names["divide"], args=(4, 2))
    new.start()
    new.join()
    assert project.stops() == [("divide", 3)]
    go.set()
    old.join()

    assert project.stops() == [("divide", 3)]
    project.watched.refresh()


BODIES = '''
def deco(function): return function
@deco
@deco
def several_lines(
    x,
    y=1,
):
    """Text.

    More.
    """
    # a comment

    x + y  # several_lines
    return x
def one_line(x): return 1 / x  # one_line
def text_only(x):  # text_only
    """Text."""
def loops(x):
    for _ in range(3):  # loops
        x + 1
def loops_ever(x):
    while True:  # loops_ever
        x += 1
        if x > 5: break
def loops_while(x):
    while x < 5:  # loops_while
        x += 1
def loops_in_one_line(x):
    for _ in range(3): x + 1  # loops_in_one_line
def closes(
    x
):
    y = x  # closes
    def inner(): return x, y
    return inner()
def yields(x):
    yield x  # yields
    yield x
def yields_in_cell(x):
    z = lambda: x  # yields_in_cell
    yield z()
async def waits(x):
    """Text."""
    x + 1  # waits
def does_nothing(x):
    pass  # does_nothing
def tries(x):
    try:
        x + 1  # tries
    finally:
        pass
def contains(x):
    with open("/dev/null"):  # contains
        pass
def says_global(x):
    global X
    X = x  # says_global
def comprehends(x):
    return [y for y in range(3)]  # comprehends
act = lambda x: x + 1  # act
def nothing_at_all(x): ...  # nothing_at_all
'''
TASKS = [line.rpartition("# ")[2] for line in BODIES.split("\n") if "  # " in line.strip()]


def call(function: Any) -> None:
    """Run it to its end, of whatever kind it is."""
    result = function(1)
    if hasattr(result, "__await__"):
        asyncio.run(result)
    elif hasattr(result, "__next__"):
        list(result)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_stops_once_where_its_body_begins(project: Project, task: str) -> None:
    names = project.load(BODIES)
    lines = BODIES.split("\n")
    body = next(number for number, line in enumerate(lines, 1) if line.endswith(f"  # {task}"))
    if task == "tries":
        body -= 1  # `try` is a line that is executed
    for _ in range(100):  # Python changes code that runs often
        call(names[task])

    project.break_task(task)
    call(names[task])
    call(names[task])

    assert [line for _, line in project.stops()] == [body, body]


def test_a_task_that_is_imported_later_stops(project: Project) -> None:
    project.break_task("divide")
    names = project.load(DIVIDE)
    project.watched.refresh()

    names["divide"](4, 2)

    assert project.stops() == [("divide", 3)]


def test_a_task_and_its_first_line_stop_once(project: Project) -> None:
    names = project.load(DIVIDE)
    project.break_task("divide")
    line = project.break_at("here")

    names["divide"](4, 2)

    assert project.hits == [(f"breakpoint {line.number}", "divide", 3)]


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("y == 0", []),
        ("y == 2", ["breakpoint 1"]),
        ("   y == 2", ["breakpoint 1"]),
        ("any(x > limit for limit in (3, 9))", ["breakpoint 1"]),
        ("divide(x, 1) == 4", ["breakpoint 1"]),
        ("divide(x, 1) == 5", []),
        ("nothing", ["breakpoint 1 (its condition raised NameError: name 'nothing' is not defined)"]),
        ("1 / 0", ["breakpoint 1 (its condition raised ZeroDivisionError: division by zero)"]),
    ],
)
def test_a_condition_decides(project: Project, condition: str, why: list[str]) -> None:
    names = project.load(DIVIDE)
    project.break_at("here", condition)

    names["divide"](4, 2)

    assert [why for why, _, _ in project.hits] == why


def test_a_condition_that_no_python_understands_stops(project: Project) -> None:
    names = project.load(DIVIDE)
    project.break_task("divide", "x ==")

    names["divide"](4, 2)

    assert project.hits[0][0].startswith("breakpoint 1 (its condition raised SyntaxError: ")


def test_of_several_at_a_line_one_that_holds_is_enough(project: Project) -> None:
    names = project.load("x = 1  # a\ndef f():\n    return 2  # b\n")
    project.break_at("a", "False")
    project.break_at("b", "False")
    project.store.add(Breakpoint(0, "task", task="f", condition="True"))
    project.watched.refresh()

    names["f"]()

    assert project.hits == [("breakpoint 3", "f", 3)]


def test_what_runs_during_a_stop_does_not_stop(project: Project) -> None:
    names = project.load(DIVIDE)
    project.break_at("here")
    project.do = lambda frame: names["divide"](8, 2)

    names["divide"](4, 2)
    names["divide"](4, 2)

    assert project.stops() == [("divide", 3)] * 2


def test_what_a_stop_raises_is_raised_there(project: Project) -> None:
    names = project.load("""
def work():
    try:
        x = 1  # here
    except KeyError as error:
        return error
""")
    project.break_at("here")
    expected = KeyError("quit")

    def quit_(frame: types.FrameType) -> None:
        raise expected

    project.do = quit_

    assert names["work"]() is expected
    project.watched.refresh()
    assert names["work"]() is expected
    project.do = lambda frame: None
    project.watched.refresh()
    names["work"]()
    assert project.stops() == [("work", 4)] * 3


def test_a_stop_may_change_what_is_set(project: Project) -> None:
    """As somebody does who is paused, and sets another one from a second terminal."""
    names = project.load(DIVIDE)
    project.break_at("here")
    project.do = lambda frame: project.break_at("end")

    names["divide"](4, 2)
    assert project.stops() == [("divide", 3), ("divide", 4)]

    project.do = lambda frame: project.clear()
    names["divide"](4, 2)
    assert project.stops() == [("divide", 3)]


@pytest.mark.parametrize("way", ["relative", "link", "linked root"])
def test_a_file_is_known_by_whatever_name(project: Project, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link = project.root.parent / f"{project.root.name}-link"
    link.symlink_to(project.root)
    monkeypatch.chdir(project.root)
    names = project.load(DIVIDE, {"relative": "shop.py", "link": f"{link}/shop.py", "linked root": ""}[way])
    if way == "linked root":
        project.watched = WatchedBreakpoints(project.store, str(link), project.hit, project.find_task)
    project.break_at("here")

    names["divide"](4, 2)

    assert project.stops() == [("divide", 3)]


def test_another_file_with_the_same_lines_does_not_stop(project: Project) -> None:
    names = project.load(DIVIDE)
    divide = names["divide"]
    names = project.load(DIVIDE, name="other.py")
    project.break_at("here")

    names["divide"](4, 2)
    assert project.stops() == []
    divide(4, 2)
    assert project.stops() == [("divide", 3)]


def test_it_follows_the_file(project: Project) -> None:
    project.load(DIVIDE)
    found = project.break_at("here")
    project.clear()
    names = project.load("# more\n\n" + DIVIDE)

    project.set(found)
    names["divide"](4, 2)

    assert project.stops() == [("divide", 5)]


def test_a_line_that_is_gone_stops_nobody(project: Project) -> None:
    project.load(DIVIDE)
    found = project.break_at("here")
    project.clear()
    names = project.load(DIVIDE.replace("x / y", "x // y"))

    project.set(found)
    names["divide"](4, 2)

    assert project.stops() == []


@pytest.mark.parametrize("content", ["", "[", "null", "[{}]"])
def test_a_broken_file_is_no_breakpoint(project: Project, content: str) -> None:
    names = project.load(DIVIDE)
    project.break_at("here")

    Path(project.store.path).write_text(content)
    project.watched.refresh()
    names["divide"](4, 2)

    assert project.stops() == []
    assert not project.watched.active


@pytest.mark.parametrize(
    ("task", "retries", "asked", "state", "wanted"),
    [
        ("", False, "shop.divide", "FAILURE", True),
        ("", False, "shop.divide", "RETRY", False),
        ("", True, "shop.divide", "RETRY", True),
        ("", True, "shop.divide", "FAILURE", True),
        ("", True, "shop.divide", "SUCCESS", False),
        ("divide", False, "shop.divide", "FAILURE", True),
        ("shop.divide", False, "shop.divide", "FAILURE", True),
        ("vide", False, "shop.divide", "FAILURE", False),
        ("shop.half", False, "shop.divide", "FAILURE", False),
    ],
)
def test_failures(project: Project, task: str, retries: bool, asked: str, state: str, wanted: bool) -> None:
    added = project.set(Breakpoint(0, "failure", task=task, retries=retries))

    assert project.watched.failure_wanted(asked, state) == (added if wanted else None)
    assert not project.watched.active


class Stepper:
    """A debugger that traces by itself, and asks at each line."""

    def __init__(self, watched: WatchedBreakpoints) -> None:
        self.watched = watched
        self.found: list[tuple[str, int]] = []

    def trace(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        if event == "call":
            return self.trace if self.watched.in_frame(frame) else None
        if event == "line" and (why := self.watched.here(frame)):
            self.found.append((why, frame.f_lineno))
        return self.trace


def test_who_traces_already_is_not_replaced_and_may_ask(project: Project) -> None:
    names = project.load(DIVIDE)
    stepper = Stepper(project.watched)
    sys.settrace(stepper.trace)
    threading.settrace(stepper.trace)
    try:
        project.break_at("end", "x == 4")
        names["divide"](4, 2)
        names["divide"](5, 2)
        assert sys.gettrace() == stepper.trace
        assert threading.gettrace() == stepper.trace
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type,unused-ignore]

    assert stepper.found == [("breakpoint 1", 4)]


@needs_tracing
def test_who_traced_for_a_while_gives_back_the_thread(project: Project) -> None:
    names = project.load("""
def work(act):
    act()
    return 1  # here
""")
    project.break_at("here")

    def steps_for_a_while() -> None:
        sys.settrace(lambda *_: None)
        frame = sys._getframe(1)
        frame.f_trace = None
        sys.settrace(None)
        project.watched.follow()

    names["work"](steps_for_a_while)

    assert project.stops() == [("work", 4)]


def test_from_a_stop_the_debugger_can_step(project: Project) -> None:
    names = project.load("""
def work():
    x = 1  # here
    inner()
    return x
def inner():
    return 2
""")
    project.break_at("here")
    stepped: list[tuple[str, int]] = []

    def trace(frame: types.FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            stepped.append((frame.f_code.co_name, frame.f_lineno))
        return trace

    def step(frame: types.FrameType) -> None:
        frame.f_trace = trace
        sys.settrace(trace)

    project.do = step
    names["work"]()
    sys.settrace(None)

    assert project.stops() == [("work", 3)]
    # Where lines are watched, the debugger hears of this line as well.
    assert stepped[-3:] == [("work", 4), ("inner", 7), ("work", 5)]


def test_the_debugger_may_stop_to_trace(project: Project) -> None:
    """As pdb does at a `continue`."""
    names = project.load(DIVIDE)
    project.break_at("here")
    project.break_at("end")
    project.do = lambda frame: sys.settrace(None)

    names["divide"](4, 2)

    assert project.stops() == [("divide", 3), ("divide", 4)]


def test_the_tracer_can_be_chained(project: Project) -> None:
    names = project.load(DIVIDE)
    project.break_at("here")
    divide = names["divide"]
    frame = types.SimpleNamespace(f_code=divide.__code__)
    other = types.SimpleNamespace(f_code=call.__code__)

    assert project.watched.tracer(frame, "call", None) is not None  # type: ignore[arg-type]
    assert project.watched.tracer(other, "call", None) is None  # type: ignore[arg-type]
    assert project.watched.in_frame(frame)  # type: ignore[arg-type]
    assert not project.watched.in_frame(other)  # type: ignore[arg-type]


@needs_monitoring
def test_lines_without_a_breakpoint_are_as_fast_as_ever(project: Project) -> None:
    names = project.load(DIVIDE + "def other():\n    return 1\n")
    project.break_at("here")
    names["divide"](4, 2)
    names["other"]()

    def instrumented(function: Any) -> int:
        return sum("INSTRUMENTED" in found.opname for found in dis.get_instructions(function, adaptive=True))

    assert MONITORING.get_local_events(3, names["divide"].__code__) == MONITORING.events.LINE
    assert MONITORING.get_local_events(3, names["other"].__code__) == 0
    assert instrumented(names["other"]) == 0
    assert instrumented(names["divide"]) == 1


@needs_monitoring
def test_others_keep_their_tools(project: Project) -> None:
    names = project.load(DIVIDE)
    MONITORING.use_tool_id(3, "somebody")
    try:
        project.break_at("here")
        assert [MONITORING.get_tool(tool) for tool in (3, 4)] == ["somebody", "devkit"]
        names["divide"](4, 2)
        project.clear()
        assert MONITORING.get_tool(3) == "somebody"
    finally:
        MONITORING.free_tool_id(3)

    assert project.stops() == [("divide", 3)]


@needs_monitoring
def test_without_a_free_tool_lines_are_traced(project: Project) -> None:
    names = project.load(DIVIDE)
    MONITORING.use_tool_id(3, "somebody")
    MONITORING.use_tool_id(4, "somebody else")
    try:
        project.break_at("here")
        names["divide"](4, 2)
        assert sys.gettrace() is not None
        project.clear()
        assert sys.gettrace() is None
    finally:
        MONITORING.free_tool_id(3)
        MONITORING.free_tool_id(4)

    assert project.stops() == [("divide", 3)]


# Waits in a loop until it stops at a breakpoint that somebody else sets meanwhile; tells what it did in lines.
NOTIFIED = """
import os, signal, sys, time
from devkit.agent.breakpoints.watched import WatchedBreakpoints
from devkit.store.breakpoints import Breakpoints

root, mode = sys.argv[1:]
sys.path.insert(0, root)
import shop

def hit(frame, why):
    print(why, frame.f_code.co_name, frame.f_lineno, flush=True)
    os._exit(0)

if mode == "taken":
    signal.signal(signal.SIGURG, lambda *_: print("disturbed", flush=True))
watched = WatchedBreakpoints(Breakpoints(os.path.join(root, ".devkit", "debug")), root, hit, lambda name: [])
watched.notify()
watched.refresh()
if mode == "fork" and (child := os.fork()):
    os.waitpid(child, 0)
    sys.exit()
if mode == "fork":
    watched.notify()
if mode == "twice":
    watched.notify()
if mode == "end":
    print("ready", flush=True)
    sys.stdin.readline()
    sys.exit()
def step(frame, event, arg):
    if not frame.f_globals["__name__"].startswith(("devkit.agent", "shop")):
        print("led into", frame.f_code.co_qualname, flush=True)
    if event == "line" and (why := watched.here(frame)):
        hit(frame, why)
    return step

print("ready", flush=True)
if mode == "stepped":
    sys.settrace(step)
shop.work()
"""
WORK = """
import time
def work():
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        time.sleep(0.001)  # here
"""


@needs_linux
@pytest.mark.parametrize("mode", ["plain", "fork", "twice", "taken", "stepped"])
def test_a_change_is_noticed_in_the_middle_of_a_task(project: Project, mode: str) -> None:
    (project.root / "shop.py").write_text(WORK)
    with running(project, mode) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        project.store.add(at_line(str(project.root), str(project.root / "shop.py"), 6))

        assert process.stdout.read() == "breakpoint 1 work 6\n"
        assert process.wait() == 0


@needs_linux
def test_a_process_that_ends_is_not_killed_by_a_change(project: Project) -> None:
    (project.root / "shop.py").write_text(WORK)
    with running(project, "end") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(20):
            project.store.add(Breakpoint(0, "failure"))
        process.communicate("\n", timeout=10)

        assert process.returncode == 0


def running(project: Project, mode: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", NOTIFIED, str(project.root), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_only_the_main_thread_can_be_told(project: Project) -> None:
    thread = threading.Thread(target=project.watched.notify)
    thread.start()
    thread.join()

    assert not Path(project.store.folder).exists()
