"""Tasks that pause in `devkit worker`: what people see and do there, and what the task makes of it."""

import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.debugging import LINE, PLAIN, PROGRAM, Debugging, debugging
from tests.acceptance.harness import DEADLINE_S, Project, wait_until

POOLS = [
    pytest.param(["-c", "2"], id="prefork"),
    pytest.param(["-P", "solo"], id="solo"),
    pytest.param(["-P", "threads", "-c", "2"], id="threads"),
]
GREEN = [pytest.param(["-P", name, "-c", "2"], id=name) for name in ("gevent", "eventlet")]
each_pool = pytest.mark.parametrize("pool", POOLS)
each_way = pytest.mark.parametrize("by_hand", [True, False], ids=["telnet", "client"])


@pytest.fixture
def worker(empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugging]:
    with debugging(empty, tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.mark.parametrize("pool", [*POOLS, *GREEN])
@each_way
def test_a_dialogue(worker: Debugging, pool: list[str], by_hand: bool) -> None:
    for name in {"gevent", "eventlet"}.intersection(pool):
        pytest.importorskip(name)
    worker.start(*pool)
    result = worker.send("divide", 10, 4)
    session = worker.paused(result)

    person = worker.attach(session, by_hand=by_hand)

    if by_hand:
        assert f"tasks.py({LINE['result = x / y']})divide()\n-> result = x / y\n" in person.greeting
    else:
        assert person.position() == (LINE["result = x / y"], "divide")
        assert person.told("welcome")["session"]["args"] == "x=10, y=4"
    assert person.says("p x, y") == "(10, 4)\n"
    assert person.says("y = 5") == ""
    assert person.says("nonsense") == "*** NameError: name 'nonsense' is not defined\n"
    person.says("n")
    assert "divided 2.0\n" in person.says("n")
    assert person.says("w").count("tasks.py(") == 1  # nothing of Celery's
    assert "2.0" in person.says("p locals()")
    if not by_hand:
        assert person.position()[0] == LINE["return result"]
    person.says("c")
    assert person.over
    assert result.get(timeout=DEADLINE_S) == 2.0
    wait_until(lambda: worker.sessions() == [])


@each_pool
def test_continue_stops_at_the_next_breakpoint_and_those_set_at_the_prompt_are_kept(
    worker: Debugging, pool: list[str]
) -> None:
    worker.start(*pool)
    result = worker.send("twice", 1)
    person = worker.attach(worker.paused(result))
    first = LINE["x += 1"]  # the later one of the two

    assert person.position()[0] == first - 2
    person.says("c")
    assert person.position()[0] == first
    person.says(f"b {first + 1}")
    person.says("c")
    assert person.position()[0] == first + 1
    assert person.says("p x") == "3\n"
    person.says("c")

    assert person.told("ended") == {"kind": "ended", "state": "SUCCESS", "result": "3", "exception": None}
    assert result.get(timeout=DEADLINE_S) == 3


@each_pool
@each_way
def test_a_client_that_vanishes_leaves_the_task_paused(worker: Debugging, pool: list[str], by_hand: bool) -> None:
    worker.start(*pool)
    result = worker.send("twice", 1)
    session = worker.paused(result)

    for command in ("", "p x", "n"):
        person = worker.attach(session, by_hand=by_hand)
        if command:
            person.says(command)
        person.leaves()
    person = worker.attach(session, by_hand=by_hand)
    assert person.says("p x") == "2\n"
    person.says("c")
    person.leaves()  # it waits at the second breakpoint by now

    again = worker.attach(worker.paused(result))
    again.says("c")
    assert result.get(timeout=DEADLINE_S) == 3
    later = worker.send("divide", 1, 1)
    worker.attach(worker.paused(later)).says("c")
    assert later.get(timeout=DEADLINE_S) == 1


@each_pool
def test_recursion(worker: Debugging, pool: list[str]) -> None:
    worker.start(*pool)
    result = worker.send("descend", 2)
    person = worker.attach(worker.paused(result))

    depths = []
    for _ in range(3):
        depths.append(person.says("p depth").strip())
        person.says("c")

    assert depths == ["2", "1", "0"]
    assert result.get(timeout=DEADLINE_S) == 2


@each_pool
def test_a_thread_of_the_task(worker: Debugging, pool: list[str]) -> None:
    worker.start(*pool)
    result = worker.send("in_a_thread")

    session = worker.paused(result, thread="helper")
    person = worker.attach(session)
    assert person.position()[1] == "work"
    assert session["task"] == "tasks.in_a_thread"
    person.says("c")
    assert result.get(timeout=DEADLINE_S) == ["helper"]


@pytest.mark.parametrize("pool", [POOLS[0], POOLS[2]])
def test_several_tasks_at_once(worker: Debugging, pool: list[str]) -> None:
    worker.start(*pool)
    results = [worker.send("divide", 10, divisor) for divisor in (2, 5)]
    people = [worker.attach(worker.paused(result)) for result in results]

    assert [person.says("p y") for person in people] == ["2\n", "5\n"]
    assert "divided 5.0\n" in people[0].says("c")
    assert results[0].get(timeout=DEADLINE_S) == 5
    assert people[1].says("p y") == "5\n"
    assert "divided 2.0\n" in people[1].says("c")
    assert results[1].get(timeout=DEADLINE_S) == 2


def test_time_limits_stand_still(worker: Debugging) -> None:
    """Two of three seconds pass in the debugger, with a soft limit of one: the hard limit is due meanwhile."""
    worker.start("-c", "2")
    limited, slow = worker.send("limited"), worker.send("slow_after_all")
    session, other = worker.paused(limited), worker.paused(slow)
    person = worker.attach(session)
    person.says("import time; time.sleep(4)")

    assert worker.paused(limited) == session
    person.says("c")
    assert limited.get(timeout=DEADLINE_S) == "in time"
    worker.attach(other).says("c")
    assert slow.get(timeout=DEADLINE_S) == "out of time"  # the limit is only put off


def test_q_ends_the_task_for_good(worker: Debugging) -> None:
    worker.start("-c", "1")
    result = worker.send("tries_again")

    person = worker.attach(worker.paused(result))
    person.says("q")

    assert person.told("ended")["state"] == "FAILURE"
    with pytest.raises(Exception, match="ended by q in the debugger"):
        result.get(timeout=DEADLINE_S)
    later = worker.send("divide", 4, 2)
    worker.attach(worker.paused(later)).says("c")
    assert later.get(timeout=DEADLINE_S) == 2


@each_pool
def test_ctrl_c_stops_what_runs(worker: Debugging, pool: list[str]) -> None:
    worker.start(*pool)
    result = worker.send("sleeps", 0.2)
    person = worker.attach(worker.paused(result))

    person.tell("command", text="while True: pass")
    assert "KeyboardInterrupt" in person.interrupts()
    if "threads" not in pool:
        person.says("seconds = 600")
        person.tell("command", text="n")
        person.hears("running")
        person.interrupts()
        assert person.position()[0] == LINE["time.sleep(seconds)"]
        assert person.told("stopped")["event"] == "interrupt"
        person.says("q")
        with pytest.raises(Exception, match="ended by q"):
            result.get(timeout=DEADLINE_S)
    else:
        person.says("c")
        assert result.get(timeout=DEADLINE_S) == "awake"


def test_leaving_and_coming_back(worker: Debugging) -> None:
    worker.start("-c", "1")
    result = worker.send("divide", 10, 4)
    session = worker.paused(result)

    person = worker.attach(session)
    person.says("detach")
    assert person.told("goodbye")["why"] == "detached"
    by_hand = worker.attach(session, by_hand=True)
    by_hand.send(b"\x04")  # Ctrl-D
    assert "detached" in by_hand.read()
    again = worker.attach(session)
    refused = worker.attach(session, by_hand=True)
    assert "somebody is attached already" in refused.greeting
    again.says("c")
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_several_lines_at_once_and_completion(worker: Debugging) -> None:
    worker.start("-c", "1")
    person = worker.attach(worker.paused(worker.send("divide", 10, 4)))

    assert person.says("for n in range(2):\n    print(n, x)") == "0 10\n1 10\n"
    assert person.says("def f():\n    return 7\ng = f()") == ""
    assert person.says("p g") == "7\n"
    person.says("class Trap:\n    ran = []\n    @property\n    def prop(self): self.ran.append(1)\ntrap = Trap()")
    person.tell("complete", id=1, text="p trap.prop.")
    assert person.hears("completions")["matches"] == []
    person.tell("complete", id=2, text="p trap.")
    assert person.hears("completions") == {"kind": "completions", "id": 2, "start": 7, "matches": ["prop", "ran"]}
    assert person.says("p trap.ran") == "[]\n"
    person.tell("complete", id=3, text="whe")
    assert person.hears("completions")["matches"] == ["where"]
    person.says("c")


def test_secrets_are_masked(worker: Debugging) -> None:
    runner = worker.start("-c", "1")
    result = worker.send("secret", "ann", kwargs={"password": "hunter2"})
    session = worker.paused(result)

    assert session["args"] == "name='ann', password=***"
    assert "hunter2" not in runner.err
    folder = worker.project.root / ".devkit" / "debug" / "sessions"
    modes = {path.stat().st_mode & 0o777 for path in [folder, folder.parent, *folder.iterdir()]}
    assert modes == {0o700, 0o600}
    worker.attach(session).says("c")


@each_pool
def test_ending_the_worker_lets_go(worker: Debugging, pool: list[str]) -> None:
    runner = worker.start(*pool)
    result = worker.send("twice", 1)
    person = worker.attach(worker.paused(result))

    runner.press_ctrl_c()

    assert person.hears("goodbye")["why"] == "the worker ends: the task runs on"
    assert runner.end() == 0
    assert "let go from the debugger, runs on: tasks.twice at" in runner.err
    assert result.get(timeout=DEADLINE_S) == 3
    assert worker.sessions() == []


@pytest.mark.parametrize("pool", [POOLS[0], POOLS[1]])
def test_a_worker_that_is_told_to_end_by_a_signal_lets_go(worker: Debugging, pool: list[str]) -> None:
    worker.start(*pool)
    result = worker.send("twice", 1)

    os.kill(worker.paused(result)["main_pid"], signal.SIGTERM)

    assert result.get(timeout=DEADLINE_S) == 3


def test_a_worker_that_is_killed_leaves_no_session(worker: Debugging) -> None:
    worker.start("-c", "1")
    result = worker.send("divide", 1, 1)
    session = worker.paused(result)

    os.kill(session["pid"], signal.SIGKILL)

    from devkit.store.sessions import Sessions

    folder = worker.project.root / ".devkit" / "debug" / "sessions"
    wait_until(lambda: Sessions(str(folder)).all() == [])
    assert list(folder.iterdir()) == []


@each_pool
def test_what_must_not_get_in_is_cut_off(worker: Debugging, pool: list[str]) -> None:
    """A browser that posts, a client that talks before it is asked, one with a wrong token: the task notices none."""
    worker.start(*pool)
    result = worker.send("divide", 10, 4)
    session = worker.paused(result)
    posts = [b"POST / HTTP/1.1\r\nHost: x\r\n\r\nc\r\nq\r\n", b"c\r\n", b"\x16\x03\x01\x02\x00"]
    posts += [
        b"\xff\xff\xff\xf4\x00" * 9,
        b"\0" * 70000,
        b"a" * (1 << 20),
        os.urandom(4096),
        b"\xff\xfa\xc9devkit.command {}\xff\xf0",
    ]
    for data in posts:
        with socket.create_connection(("127.0.0.1", session["port"])) as connection:
            connection.settimeout(DEADLINE_S)
            try:
                connection.sendall(data)
                answer = connection.recv(4096)
            except ConnectionError:
                answer = b""
            assert answer == b"", data[:40]

    late = worker.attach(session, by_hand=True)  # it waited for the prompt, as a browser that connects ahead does
    late.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nq\r\n")
    assert late.read() == ""

    person = worker.attach({**session, "token": "0" * 32})
    assert "token" in person.told("refused")["why"]
    person = worker.attach(session)
    assert person.says("p x / y") == "2.5\n"
    person.says("c")
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_whatever_bytes_arrive_at_the_prompt_never_reach_the_task(worker: Debugging) -> None:
    worker.start("-c", "1")
    result = worker.send("divide", 10, 4)
    session = worker.paused(result)
    junk = [b"\xff\xf4", b"\xc3(\r\n", b"\0\0\r\n", b"\xff\xfd\x06\r\n", b"a" * (1 << 20) + b"\r\n", b"\xff\xfa\xc9"]
    for data in junk:
        person = worker.attach(session, by_hand=True)
        person.send(data)
        person.leaves()

    person = worker.attach(session, by_hand=True)
    assert "a line of more than" in person.says("a" * 70000)
    assert person.over
    person = worker.attach(session, by_hand=True)
    assert person.says("p x") == "10\n"
    person.says("c")
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_a_breakpoint_without_editing_code_takes_effect_at_once_and_follows_its_line(worker: Debugging) -> None:
    from devkit.store.breakpoints import Breakpoints, at_line

    worker.project.write({"tasks.py": PLAIN})
    runner = worker.start("-c", "2")
    root = str(worker.project.root)
    store = Breakpoints(f"{root}/.devkit/debug")
    running = worker.send("counts", 10_000)
    wait_until(lambda: running.state == "STARTED")

    line = PLAIN.splitlines().index("        total += n") + 1
    kept = store.add(at_line(root, "tasks.py", line, "n % 7 == 3"))
    person = worker.attach(worker.paused(running))  # it ran already
    assert int(person.says("p n")) % 7 == 3
    person.says("c")
    assert int(person.says("p n")) % 7 == 3
    person.says("n")
    store.remove([kept.number])
    person.says("c")
    assert running.get(timeout=DEADLINE_S) == sum(range(10_000))

    store.add(at_line(root, "tasks.py", line))
    worker.project.write({"tasks.py": "# one more line\n" + PLAIN})
    runner.wait_for("generation 2 is live")
    result = worker.send("counts", 3)
    person = worker.attach(worker.paused(result))
    assert person.position()[0] == line + 1
    assert worker.sessions()[0]["why"] == "breakpoint 1"
    for _ in range(3):
        person.says("c")
    assert result.get(timeout=DEADLINE_S) == 3


@each_pool
def test_a_breakpoint_at_a_task_and_one_at_its_failure(worker: Debugging, pool: list[str]) -> None:
    from devkit.model.breakpoint import Breakpoint
    from devkit.store.breakpoints import Breakpoints

    worker.project.write({"tasks.py": PLAIN})
    worker.start(*pool)
    store = Breakpoints(f"{worker.project.root}/.devkit/debug")
    store.add(Breakpoint(0, "task", task="fails"))
    store.add(Breakpoint(0, "failure", task="fails"))

    result = worker.send("fails", 0)
    person = worker.attach(worker.paused(result))
    assert person.position() == (PLAIN.splitlines().index("    return helper(x)") + 1, "fails")
    person.says("n")  # the exception, in the line that called
    person.says("c")
    assert person.told("stopped")["event"] == "failure"
    assert person.position()[1] == "helper"
    assert person.says("p y") == "10\n"
    assert result.state == "STARTED"
    person.says("c")
    assert person.told("ended")["exception"] == "ZeroDivisionError: division by zero"
    with pytest.raises(ZeroDivisionError):
        result.get(timeout=DEADLINE_S)


def test_q_where_a_task_fails_lets_it_fail(worker: Debugging) -> None:
    from devkit.model.breakpoint import Breakpoint
    from devkit.store.breakpoints import Breakpoints

    worker.project.write({"tasks.py": PLAIN})
    worker.start("-c", "1")
    Breakpoints(f"{worker.project.root}/.devkit/debug").add(Breakpoint(0, "failure"))

    for _ in range(2):
        result = worker.send("fails", 0)
        person = worker.attach(worker.paused(result))
        person.says("q")
        assert person.told("ended")["state"] == "FAILURE"
        with pytest.raises(ZeroDivisionError):
            result.get(timeout=DEADLINE_S)


def test_a_failure_that_is_tried_again_pauses_only_when_asked(worker: Debugging) -> None:
    from devkit.model.breakpoint import Breakpoint
    from devkit.store.breakpoints import Breakpoints

    worker.project.write({"tasks.py": PLAIN})
    worker.start("-c", "1")
    store = Breakpoints(f"{worker.project.root}/.devkit/debug")
    store.add(Breakpoint(0, "failure", task="flaky"))

    result = worker.send("flaky")
    person = worker.attach(worker.paused(result))
    assert person.says("p self.request.retries") == "2\n"
    person.says("c")

    store.add(Breakpoint(0, "failure", task="flaky", retries=True))
    result = worker.send("flaky")
    for retries in range(3):
        person = worker.attach(worker.paused(result))
        assert person.says("p self.request.retries") == f"{retries}\n"
        person.says("c")
    with pytest.raises(Exception, match="not this time"):
        result.get(timeout=DEADLINE_S)


@pytest.mark.parametrize("pool", [POOLS[0], POOLS[1]])
def test_the_broker_does_not_deliver_a_paused_task_again(worker: Debugging, pool: list[str]) -> None:
    """kombu gives back what has been unacknowledged for longer than visibility_timeout: its age begins anew."""
    late = PROGRAM.replace(
        "app.conf.update(", "app.conf.update(task_acks_late=True, broker_transport_options={'visibility_timeout': 3}, "
    )
    worker.project.write({"tasks.py": late})
    worker.start(*pool)
    result = worker.send("divide", 10, 4)
    session = worker.paused(result)

    def delivered_at() -> float:
        found: Any = worker.broker.zrange("unacked_index", 0, -1, withscores=True)
        return max(float(at) for _, at in found)

    first = delivered_at()
    wait_until(lambda: delivered_at() > first + 4)
    assert len(worker.sessions()) == 1
    worker.attach(session).says("c")
    assert result.get(timeout=DEADLINE_S) == 2.5
    wait_until(lambda: worker.broker.zcard("unacked_index") == 0)
