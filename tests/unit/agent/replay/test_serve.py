"""Tasks that are run again: in a real process, as devkit starts it, for an app whose broker and backend nobody runs."""

import json
import os
import signal
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.pythons import interpreter
from tests.unit.agent.replay.rerunning import Child, failure
from tests.unit.waiting import wait_for

SHOP = """
import os, subprocess, sys, threading, time
from celery import Celery, Task, chain, chord, group, signals
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded
from celery.result import AsyncResult, allow_join_result
from pydantic import BaseModel

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
seen = [os.environ.get("DEVKIT_REPLAY")]

@signals.worker_init.connect
def on_worker(sender, **_): seen.append("worker")
@signals.worker_process_init.connect
def on_process(sender, **_): seen.append("process")
@signals.task_prerun.connect
def on_task(task_id, **_): seen.append(task_id)

class QuoteError(Exception): pass
class Order(BaseModel):
    price: int
class Custom(Task):
    def before_start(self, task_id, args, kwargs): self.log = ["before"]
    def __call__(self, *args, **kwargs):
        self.log.append("call")
        return super().__call__(*args, **kwargs)
    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.log.append("failure"); print(self.log, flush=True)

@app.task
def add(x, y=0): return x + y
@app.task
def divide(x, y, items=None):
    if items is not None:
        items.append(y)
    return x / y
class Endless:
    def __repr__(self): threading.Event().wait()
@app.task
def defaults(x, y: Endless() = Endless(), z: int = 1) -> Endless(): return x
@app.task(bind=True)
def request(self, *names): return {name: self.request.get(name) for name in names}
@app.task
def started(): return seen
@app.task(bind=True, max_retries=2)
def again(self, x):
    try:
        return 1 / x
    except ZeroDivisionError as error:
        raise self.retry(exc=error, countdown=60)
@app.task(autoretry_for=(QuoteError,), max_retries=2, default_retry_delay=7)
def auto(): raise QuoteError("no quote")
@app.task(pydantic=True)
def buy(order: Order) -> Order:
    return Order(price=order.price + 1) if order.price else 1 / 0
@app.task(base=Custom)
def custom(): raise QuoteError("custom")
@app.task
def rejected(requeue): raise Reject("bad", requeue=requeue)
@app.task
def ignored(): raise Ignore("done")
@app.task
def unwritable(): return object()
@app.task
def leaves(code): sys.exit(code)
@app.task
def stops(): raise GeneratorExit
@app.task
def vanishes(): os._exit(0)
@app.task(soft_time_limit=0.1, time_limit=30)
def slow():
    time.sleep(20)
@app.task
def cleans_up(path):
    try:
        time.sleep(30)
    finally:
        open(path, "w").close()
@app.task
def deaf(path):
    while True:
        try:
            open(path, "w").close()
            time.sleep(30)
        except BaseException:
            pass
@app.task
def forks():
    pid = os.fork()
    if pid == 0:
        return "child"
    os.waitpid(pid, 0)
    return "parent"
@app.task
def leaves_a_process(): return subprocess.Popen(["sleep", "30"], close_fds=False).pid
@app.task
def leaves_a_fork():
    pid = os.fork()
    if pid == 0:
        time.sleep(30)
        os._exit(0)
    return pid
@app.task
def leaves_a_thread(): threading.Thread(target=time.sleep, args=(30,)).start()
@app.task
def binary(): os.write(1, b"\\xff\\x00"); print("printed", end=""); return 1
@app.task
def deep(n=0): return deep(n + 1)
@app.task
def half(): raise ValueError("\\udcff")
@app.task
def silent():
    class Silent(Exception):
        def __str__(self): raise RuntimeError
        __repr__ = __str__
    raise Silent(open(os.devnull))
@app.task
def size(text): return len(text)
@app.task
def secret(password, data):
    password.append("x"); data["token"] = 1
@app.task
def stopped(): breakpoint(); return 1
"""

Start = Callable[..., Child]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with ExitStack() as end:

        def start(**how: Any) -> Child:
            folder = tmp_path_factory.mktemp("shop")
            (folder / "shop.py").write_text(SHOP)
            child = Child(folder, **how)
            end.callback(child.close)
            return child

        yield start


@pytest.fixture(scope="module")
def child(start: Start) -> Child:
    """One that all the tests which leave it as it was have in common."""
    return start()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except FileNotFoundError:
        return True


def test_the_same_failure(child: Child) -> None:
    started = time.monotonic()
    ended = child.run("divide", 10, 0)

    assert child.first["ready"] is True
    assert (ended["state"], ended["exception"], ended["message"]) == (
        "FAILURE",
        "ZeroDivisionError",
        "division by zero",
    )
    assert (ended["task"], ended["call"], ended["sent"], ended["mutated"]) == ("shop.divide", "x=10, y=0", [], [])
    (frame,) = ended["frames"]
    assert (frame["function"], frame["own"], frame["locals"]["y"]) == ("divide", True, "0")
    assert frame["source"] == "return x / y"
    assert ended["traceback"].startswith('Traceback (most recent call last):\n  File "/')
    assert "celery" not in ended["traceback"]
    assert 0 < ended["runtime_s"] < 1
    # Neither broker nor backend is asked for: that would take seconds.
    assert time.monotonic() - started < 2


def test_no_failure_any_more(child: Child) -> None:
    ended = child.run("add", 1, kwargs={"y": 2})

    assert (ended["state"], ended["result"], ended["result_literal"]) == ("SUCCESS", "3", "3")
    assert (ended["exception"], ended["message"], ended["traceback"], ended["frames"]) == (None, "", "", [])
    assert ended["call"] == "x=1, y=2"


def test_as_in_a_worker(child: Child) -> None:
    seen = child.ask(failure("shop.started"))["outcome"]["result"]

    assert seen.startswith("['1', 'worker', 'process', 'original'")
    assert child.run("started")["result"].count("process") == 1


def test_the_request_is_complete(child: Child) -> None:
    headers = {
        "retries": 2, "root_id": "root", "parent_id": "parent", "group": "group", "group_index": 3, "origin": "gen1@x",
        "timelimit": [9, None], "expires": "2030-01-01", "eta": "2029-01-01", "customer": "ann",
    }  # fmt: skip
    ended = child.run(
        "request", *headers, "id", "hostname", "delivery_info", "correlation_id", "reply_to", "is_eager",
        "devkit_replay", "time_limit", "called_directly", "headers",
        headers=headers, retries=2, properties={"correlation_id": "c", "reply_to": "r", "priority": 4},
        delivery_info={"exchange": "e", "routing_key": "k", "redelivered": True, "delivery_tag": 1},
    )  # fmt: skip

    # The text is short; the literal has it all.
    told = eval(ended["result_literal"])  # noqa: S307
    assert {name: told[name] for name in headers if name != "customer"} == {
        k: v for k, v in headers.items() if k != "customer"
    }
    assert (told["id"], told["hostname"], told["correlation_id"], told["reply_to"]) == (
        "original",
        "celery@there",
        "c",
        "r",
    )
    assert told["delivery_info"] == {"exchange": "e", "routing_key": "k", "priority": 4, "redelivered": True}
    assert (told["is_eager"], told["devkit_replay"], told["time_limit"], told["called_directly"]) == (
        False,
        True,
        9,
        False,
    )
    # As in a worker; that it is a replay goes along with nothing.
    assert told["headers"]["customer"] == "ann"
    assert "devkit_replay" not in told["headers"]


def test_the_request_of_a_stored_result_has_few_headers(child: Child) -> None:
    ended = child.ask(failure("shop.request", ["id", "task", "retries"], retries=1, headers={}, delivery_info={}))

    assert ended["outcome"]["result"] == "{'id': 'original', 'retries': 0, 'task': 'shop.request'}"
    bare = failure("shop.request", ["id", "retries"], retries=1)
    bare.headers.clear()
    assert child.ask(bare)["outcome"]["result"] == "{'id': 'original', 'retries': 1}"


@pytest.mark.parametrize(("retries", "state"), [(0, "RETRY"), (1, "RETRY"), (2, "FAILURE")])
def test_retries(child: Child, retries: int, state: str) -> None:
    ended = child.run("again", 0, retries=retries, headers={"retries": retries})

    assert (ended["state"], ended["exception"]) == (state, "ZeroDivisionError")
    assert "return 1 / x" in [frame["source"] for frame in ended["frames"]]
    # What is left of its minute: the longer it takes to tell, the less.
    assert [(sent["kind"], sent["id"], 30 < sent["countdown"] <= 60) for sent in ended["sent"]] == (
        [("retry", "original", True)] if state == "RETRY" else []
    )


@pytest.mark.parametrize(("retries", "state"), [(1, "RETRY"), (2, "FAILURE")])
def test_autoretry(child: Child, retries: int, state: str) -> None:
    ended = child.run("auto", retries=retries, headers={"retries": retries})

    assert (ended["state"], ended["exception"], ended["message"]) == (state, "shop.QuoteError", "no quote")
    assert [sent["kind"] for sent in ended["sent"]] == (["retry"] if state == "RETRY" else [])


def test_a_task_with_models(child: Child) -> None:
    assert child.run("buy", {"price": 1})["result"] == "{'price': 2}"
    assert child.run("buy", {"price": 0})["exception"] == "ZeroDivisionError"
    ended = child.run("buy", {"price": "much"})
    assert ended["exception"].endswith("ValidationError")


def test_a_custom_class(child: Child) -> None:
    assert child.run("custom")["exception"] == "shop.QuoteError"
    assert "['before', 'call', 'failure']" in child.out


@pytest.mark.parametrize(("requeue", "state"), [(False, "REJECTED"), (True, "RETRY")])
def test_rejected(child: Child, requeue: bool, state: str) -> None:
    ended = child.run("rejected", requeue)

    assert (ended["state"], ended["exception"]) == (state, "celery.exceptions.Reject")
    assert ended["frames"][-1]["function"] == "rejected"


def test_ignored(child: Child) -> None:
    ended = child.run("ignored")

    assert (ended["state"], ended["exception"], ended["message"]) == ("IGNORED", None, "done")


def test_a_result_that_cannot_be_stored_fails_as_in_a_worker(child: Child) -> None:
    ended = child.run("unwritable")

    assert (ended["state"], ended["exception"]) == ("FAILURE", "kombu.exceptions.EncodeError")


@pytest.mark.parametrize(("code", "told"), [(3, 3), (None, 0), ("bye", 1)])
def test_sys_exit_is_a_lost_process(child: Child, code: Any, told: int) -> None:
    ended = child.run("leaves", code)

    assert (ended["state"], ended["exception"]) == ("FAILURE", "billiard.exceptions.WorkerLostError")
    assert ended["message"] == f"Worker exited prematurely: exitcode {told}."
    assert ended["frames"] == []
    assert "SystemExit" in ended["traceback"]


def test_what_is_no_exception_ends_the_process_too(child: Child) -> None:
    assert child.run("stops")["message"] == "Worker exited prematurely: exitcode 1."


def test_the_soft_time_limit(child: Child) -> None:
    child.order(failure("shop.slow"))
    running = child.answer()["running"]
    ended = child.answer()["outcome"]

    assert (running["soft"], running["hard"], running["pid"]) == (0.1, 30, child.process.pid)
    assert ended["exception"] == "billiard.exceptions.SoftTimeLimitExceeded"
    assert [frame["function"] for frame in ended["frames"]] == ["slow", "soft_timeout_sighandler"]


def test_the_messages_time_limits_come_first(child: Child) -> None:
    child.order(failure("shop.slow", headers={"timelimit": [20, 0.05]}))

    assert child.answer()["running"]["hard"] == 20
    assert child.answer()["outcome"]["runtime_s"] < 0.1


def test_other_arguments(child: Child) -> None:
    original = failure("shop.add", [1], {"y": 2})

    assert child.ask(original, args=[5])["outcome"]["call"] == "x=5, y=2"
    assert child.ask(original, kwargs={"y": 7})["outcome"]["result"] == "8"
    assert child.ask(failure("shop.add", body=None, missing="gone"), args=[1], kwargs={})["outcome"]["result"] == "1"


@pytest.mark.parametrize(
    ("made", "order", "kind", "says"),
    [
        (failure("shop.ad", [1]), {}, "no task", "shop.add"),
        (failure("old.add", [1]), {}, "no task", "shop.add"),
        (failure("shop.divide", [1]), {}, "unbound", "(x, y, items=None)"),
        (failure("shop.divide", [1]), {"do": "check"}, "unbound", "missing a required argument: 'y'"),
        (failure("shop.defaults", []), {}, "unbound", "shop.defaults(x, y=Ellipsis, z: int = 1): missing"),
        (failure("shop.divide", body=None, missing="set result_extended"), {}, "no body", "set result_extended"),
        (failure("shop.divide", body=b'[[1'), {}, "unreadable body", "cannot be read"),
        (failure("shop.divide", body=b'{"x": 1}'), {}, "unreadable body", "not one of a task"),
        (failure("shop.divide", body=b"[[],{},{}]", content_type="application/x-own"), {}, "unreadable body", "x-own"),
        (failure("shop.divide", content_type="application/x-yaml"), {}, "unreadable body", "yaml"),
        (failure("shop.divide", content_type="application/x-python-serialize"), {}, "pickle", "any code"),
        (failure("shop.divide", content_type="application/x-python-serialize"), {"args": [1]}, "pickle", "any code"),
    ],
)  # fmt: skip
def test_what_cannot_be_run(child: Child, made: Any, order: dict[str, Any], kind: str, says: str) -> None:
    cannot = child.ask(made, **order)["cannot"]

    assert cannot["kind"] == kind
    assert says in f"{cannot['why']} {cannot['mend']}"


def test_pickled_arguments(start: Start) -> None:
    import pickle

    made = failure(
        "shop.add", body=pickle.dumps([(1,), {"y": 2}, {}]), content_type="application/x-python-serialize",
        content_encoding="binary",
    )  # fmt: skip
    child = start()

    assert child.ask(made)["cannot"]["kind"] == "pickle"
    assert child.ask(made, args=[3], kwargs={})["outcome"]["result"] == "3"
    assert child.ask(made, allow_pickle=True)["outcome"]["result"] == "3"


def test_a_call_that_did_not_fit_even_then_is_made_again(child: Child) -> None:
    assert child.ask(failure("shop.divide", [1], exception="TypeError"))["outcome"]["exception"] == "TypeError"


def test_arguments_that_the_task_changed(child: Child) -> None:
    assert child.run("divide", 1, 0, [2])["mutated"] == [{"name": "items", "before": "[2]", "after": "[2, 0]"}]
    assert child.run("divide", 1, 0, kwargs={"items": [2]})["mutated"][0]["name"] == "items"
    mutated = child.run("secret", [], {"token": "old"})["mutated"]
    assert mutated[0] == {"name": "password", "before": "***", "after": "***"}
    assert mutated[1] == {"name": "data", "before": "{'token': ***}", "after": "{'token': ***}"}


def test_not_a_number_is_no_change(child: Child) -> None:
    assert child.run("divide", 1, float("nan"))["mutated"] == []


def test_a_task_that_forks(child: Child) -> None:
    assert child.run("forks")["result"] == "'parent'"
    assert child.run("add", 1)["result"] == "1"


@pytest.mark.parametrize("task", ["leaves_a_process", "leaves_a_fork"])
def test_what_a_task_leaves_behind_has_no_part_in_the_talk(start: Start, task: str) -> None:
    child = start()
    pid = int(child.run(task)["result"])
    try:
        child.order(failure("shop.vanishes"))
        assert "running" in child.answer()
        assert child.answer() is None
        assert not gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_threads_that_are_left_behind_are_not_waited_for(start: Start) -> None:
    child = start()
    assert child.run("leaves_a_thread")["state"] == "SUCCESS"

    assert child.end() == 0


def test_what_it_prints(start: Start) -> None:
    child = start()
    assert child.run("binary")["result"] == "1"

    assert (child.folder / "out").read_bytes() == b"\xff\x00printed"
    assert child.end() == 0
    assert child.err == ""


def test_errors_without_end_or_words(child: Child) -> None:
    ended = child.run("deep")
    assert ended["exception"] == "RecursionError"
    assert len(ended["frames"]) < 100
    assert child.run("half")["message"] == "\udcff"
    assert child.run("silent")["exception"].endswith("Silent")


def test_a_large_argument(child: Child) -> None:
    ended = child.run("size", "x" * 50_000_000)

    assert ended["result"] == "50000000"
    assert len(ended["call"]) < 1000


def test_one_process_for_each(child: Child) -> None:
    child.order(failure("shop.divide", [1, 0]), fork=True)
    running, ended = child.answer()["running"], child.answer()["outcome"]

    assert running["pid"] != child.process.pid
    assert ended["exception"] == "ZeroDivisionError"
    assert child.ask(failure("shop.vanishes"), fork=True) == {"died": 0}
    assert child.ask(failure("shop.divide", [1]), fork=True)["cannot"]["kind"] == "unbound"
    assert child.run("add", 1)["result"] == "1"


@pytest.mark.parametrize(("task", "fork"), [("cleans_up", False), ("cleans_up", True), ("deaf", True)])
def test_ctrl_c_ends_all(start: Start, tmp_path: Path, task: str, fork: bool) -> None:
    child = start()
    path = tmp_path / "there"
    child.order(failure(f"shop.{task}", [str(path)]), fork=fork)
    pid = child.answer()["running"]["pid"]
    if task == "deaf":
        wait_for(path.exists)
    else:
        wait_for(lambda: "sleep" in Path(f"/proc/{pid}/wchan").read_text())
    os.killpg(child.process.pid, signal.SIGINT)

    assert child.answer() is None
    assert child.end() == 130
    assert path.exists()
    assert gone(pid)
    assert child.err == ""


def test_ctrl_c_between_the_tasks_ends_it_without_a_word(start: Start) -> None:
    child = start()
    os.kill(child.process.pid, signal.SIGINT)

    assert child.answer() is None
    assert child.end() == -signal.SIGINT
    assert child.err == ""


def test_post_mortem(start: Start) -> None:
    child = start()
    child.type("p ('x is', x)\nup\nw\nq\n")
    ended = child.run("divide", 10, 0, order={"pdb": True})

    assert ended["exception"] == "ZeroDivisionError"
    assert child.out.startswith("ZeroDivisionError: division by zero\n> ")
    assert "-> return x / y" in child.out
    assert "('x is', 10)" in child.out
    assert "trace.py" in child.out, "all frames can be reached"


def test_post_mortem_is_in_the_projects_own_code(start: Start) -> None:
    child = start()
    child.type("p order\nq\n")
    child.run("unwritable", order={"pdb": True})
    child.type("q\n")
    child.run("buy", {"price": 0}, order={"pdb": True})

    assert "-> return Order(price=order.price + 1) if order.price else 1 / 0" in child.out


def test_no_time_limits_in_the_debugger(start: Start) -> None:
    child = start()
    child.type("c\n")
    child.order(failure("shop.slow", headers={"timelimit": [20, 0.001]}), pdb=True)

    assert child.answer()["running"] == {"pid": child.process.pid, "soft": None, "hard": None}


@pytest.mark.parametrize(("task", "args", "line"), [
    ("divide", [10, 1], "-> if items is not None:"),
    ("auto", [], '-> def auto(): raise QuoteError("no quote")'),
    ("buy", [{"price": 1}], "-> return Order(price=order.price + 1)"),
    ("again", [1], "-> try:"),
])  # fmt: skip
def test_stepping_from_the_first_line(start: Start, task: str, args: list[Any], line: str) -> None:
    child = start()
    child.type("p 'at' + ' prompt'\nn\nn\nn\nn\nn\nn\n")
    ended = child.run(task, *args, order={"breaks": True})

    assert ended["state"] in ("SUCCESS", "RETRY")
    assert line in child.out.splitlines()[1]
    assert "'at prompt'" in child.out
    assert "celery" not in child.out, "it stops no longer when the function has returned"


def test_leaving_the_debugger_ends_the_replay(start: Start) -> None:
    child = start()
    child.type("q\n")
    assert child.ask(failure("shop.auto"), breaks=True)["cannot"]["kind"] == "interrupted"
    child.type("q\n")
    assert child.ask(failure("shop.stopped"))["cannot"]["kind"] == "interrupted"
    child.type("c\n")
    assert child.run("stopped")["result"] == "1"
    assert "Traceback" not in child.err


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
def test_the_debugger_under_another_python(tmp_path: Path, version: str) -> None:
    python = interpreter(version)
    if not python:
        pytest.skip(f"needs Python {version}")
    (tmp_path / "shop.py").write_text(
        "from celery import Celery\napp = Celery('shop', broker='memory://')\n"
        "@app.task\ndef divide(x, y):\n    print('now')\n    return x / y\n"
    )
    # Celery is pure Python: that which is installed here does.
    child = Child(tmp_path, python, PYTHONPATH=sysconfig.get_path("purelib"), PYTHONDONTWRITEBYTECODE="1")
    child.type("n\nc\np ('x is', x)\nup\nc\n")
    ended = child.run("divide", 7, 0, order={"breaks": True, "pdb": True})
    child.type("q\n")
    left = child.ask(failure("shop.divide", [7, 0]), breaks=True)
    out = child.out
    child.close()

    assert ended["exception"] == "ZeroDivisionError"
    assert left["cannot"]["kind"] == "interrupted"
    assert (
        out.index("-> print('now')") < out.index("ZeroDivisionError: division by zero\n> ") < out.index("('x is', 7)")
    )


def test_check_and_argue(child: Child) -> None:
    assert child.ask(failure("shop.add", [1]), do="check") == {"checked": "x=1"}
    assert child.ask(failure("shop.auto", exception="shop.QuoteError"), do="argue")["literals"] == {
        "module": "shop", "name": "auto", "app": ["shop", "app"], "task": "shop.auto", "bound": False, "args": [],
        "kwargs": {}, "imports": [], "exception": {"module": "shop", "name": "QuoteError"},
    }  # fmt: skip


def test_an_app_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("raise RuntimeError('not today')")
    child = Child(tmp_path)

    assert child.first["problem"] == "raises"
    assert child.answer() is None
    assert child.end() == 0


def test_what_is_no_failure_at_all(child: Child) -> None:
    broken = json.loads(json.dumps(failure("shop.add").to_wire())) | {"schema": 99}
    os.write(child._orders, json.dumps({"record": {"failure": broken, "body": None}, "do": "run"}).encode() + b"\n")

    assert "schema 99" in child.answer()["cannot"]["why"]
