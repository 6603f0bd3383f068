"""A worker that reloads: new code is live at once, and no task is lost or run twice."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import celery
import psutil
import pytest

from tests.acceptance.harness import Project, environment, wait_until
from tests.acceptance.reloading import WORKER, Reloading, generations, reloading, wait_for_one_generation, zygotes


@pytest.fixture
def worker(empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloading]:
    with reloading(empty, tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-c", "2"], id="prefork"),
        pytest.param(["-P", "solo"], id="solo"),
        pytest.param(["-P", "threads", "-c", "2"], id="threads"),
        pytest.param(["-P", "gevent", "-c", "2"], id="gevent"),
        pytest.param(["-P", "eventlet", "-c", "2"], id="eventlet"),
    ],
)
def test_what_runs_ends_as_it_began_and_what_waits_runs_new_code(worker: Reloading, options: list[str]) -> None:
    for pool in {"gevent", "eventlet"}.intersection(options):
        pytest.importorskip(pool)
    runner = worker.start(*options)
    running = [worker.send("rest", 3) for _ in range(1 if "solo" in options else 2)]
    wait_until(lambda: all(map(worker.runs, running)))
    waiting = [worker.send("rest", 0.1) for _ in range(4)]
    later = [worker.send("version", countdown=2), worker.send("version", eta=datetime.now(UTC) + timedelta(seconds=2))]

    worker.save(2)
    runner.wait_for("tasks.py: generation 2 is live")

    assert [result.get(timeout=20) for result in running] == [1] * len(running)
    assert [result.get(timeout=20) for result in [*waiting, *later]] == [2] * 6
    assert {worker.runs(result) for result in [*running, *waiting, *later]} == {1}
    runner.press_ctrl_c()
    assert runner.end() == 0


def test_fifty_reloads_under_load_lose_no_task_and_run_none_twice(worker: Reloading) -> None:
    runner = worker.start("-c", "2")
    sent = []
    for version in range(2, 52):
        worker.save(version)
        while f"generation {version} is live" not in runner.err:
            sent.append(worker.send("version"))
            time.sleep(0.01)  # a steady load, not a wait

    results = [result.get(timeout=30) for result in sent]

    assert {worker.runs(result) for result in sent} == {1}
    assert results[-1] >= 50
    wait_for_one_generation(runner.pid)
    assert worker.run() == 51


def test_a_hundred_saves_in_a_row_end_with_the_last_code(worker: Reloading) -> None:
    runner = worker.start("-c", "2")
    for version in range(2, 102):
        worker.save(version)
        time.sleep(0.05)

    worker.wait_for_version(101)

    wait_for_one_generation(runner.pid)
    assert len(zygotes(runner.pid)) == 1
    runner.press_ctrl_c()
    assert runner.end() == 0
    worker.project.wait_until_gone()


def test_code_that_does_not_import_changes_nothing(worker: Reloading) -> None:
    runner = worker.start("-c", "2")

    worker.project.write({"tasks.py": WORKER + "\nimport no_such_module\n"})
    runner.wait_for("generation 1 stays live; the next save tries again")
    assert "File" in runner.err
    assert "devkit/agent" not in runner.err
    assert worker.run() == 1

    worker.save(3)
    runner.wait_for("generation 3 is live")
    assert worker.run() == 3
    assert runner.err.count("No module named 'no_such_module'") == 1  # in the traceback
    assert runner.err.count("has no no_such_module, and ") == 1  # in the message, which names the interpreter


def test_broken_code_at_the_start_waits_for_a_save(worker: Reloading) -> None:
    worker.project.write({"tasks.py": WORKER + "\nx = (\n"})
    runner = worker.project.start("worker", "-A", "tasks:app", "-P", "solo")
    runner.wait_for("SyntaxError")

    worker.save(2)

    assert worker.run() == 2


def test_an_app_that_does_not_exist_is_wrong_usage(worker: Reloading) -> None:
    for app, why in (
        ("nosuch:app", "there is no module nosuch"),
        ("tasks:nosuch", "No .nosuch. at the top level of tasks.py"),
    ):
        done = worker.project.devkit("worker", "-A", app)
        assert (done.code, re.search(why, done.err) is not None, "the next save" in done.err) == (2, True, False)


def test_two_saves_of_the_same_length_within_a_second(worker: Reloading) -> None:
    """Python would take the bytecode of the first for that of the second."""
    runner = worker.start("-P", "solo")
    for version in range(2, 8):
        worker.save(version)
        runner.wait_for(f"generation {version} is live")
        assert worker.run() == version


def test_code_that_ends_the_worker_right_after_its_start_gives_way_to_the_old(worker: Reloading) -> None:
    runner = worker.start("-c", "2")
    crash = "\nimport threading\nthreading.Timer(0.5, lambda: os._exit(3)).start()\n"

    worker.project.write({"tasks.py": WORKER.replace("VERSION = 1", "VERSION = 2") + crash})

    runner.wait_for("generation 2 ended with exit code 3; generation 1 is live again, the next save tries anew")
    assert worker.run() == 1
    worker.save(3)
    worker.wait_for_version(3)
    wait_for_one_generation(runner.pid)


def test_a_broker_that_restarts_while_a_generation_finishes(worker: Reloading) -> None:
    """The old generation reconnects, too, but takes no task any more."""
    runner = worker.start("-c", "2")
    running = worker.send("rest", 4)
    wait_until(lambda: worker.runs(running))
    worker.save(2)
    runner.wait_for("generation 1 finishes 1 task")

    worker.broker.client_kill_filter(_type="normal", skipme=True)
    worker.broker.client_kill_filter(_type="pubsub", skipme=True)

    assert [worker.run() for _ in range(20)] == [2] * 20
    assert running.get(timeout=20) == 1
    wait_for_one_generation(runner.pid)


def test_an_installed_package_starts_afresh(worker: Reloading) -> None:
    python = environment(worker.project.root / ".venv", str(Path(celery.__file__).parents[1]))
    runner = worker.start("-P", "solo")
    (zygote,) = zygotes(runner.pid)
    assert zygote.cmdline()[0] == str(python)
    (packages,) = (worker.project.root / ".venv" / "lib").glob("*/site-packages")

    (packages / "new-1.0.dist-info").mkdir()

    runner.wait_for("installed: new: starting afresh")
    runner.wait_for("generation 2 is live")
    wait_until(lambda: [it.pid for it in zygotes(runner.pid)] != [zygote.pid] and len(zygotes(runner.pid)) == 1)
    assert worker.run() == 1


def test_a_killed_generation_is_replaced(worker: Reloading) -> None:
    runner = worker.start("-c", "2")
    (first,) = generations(runner.pid)

    first.kill()

    wait_for_one_generation(runner.pid, lambda it: it.pid == first.pid)
    assert worker.run() == 1
    worker.save(2)
    worker.wait_for_version(2)


def test_a_killed_zygote_is_replaced_and_its_tasks_finish(worker: Reloading) -> None:
    runner = worker.start("-c", "2")
    running = worker.send("rest", 2)
    wait_until(lambda: worker.runs(running))
    (zygote,) = zygotes(runner.pid)

    zygote.kill()

    runner.wait_for("another one takes its place")
    worker.save(2)
    worker.wait_for_version(2)
    assert running.get(timeout=20) == 1
    assert worker.runs(running) == 1


def test_when_the_runner_is_killed_what_runs_finishes_and_nothing_stays(worker: Reloading) -> None:
    runner = worker.start("-c", "2")
    running = worker.send("rest", 2)
    wait_until(lambda: worker.runs(running))

    os.kill(runner.pid, signal.SIGKILL)

    assert running.get(timeout=20) == 1
    worker.project.wait_until_gone(timeout=15)


def test_a_second_ctrl_c_kills(worker: Reloading) -> None:
    runner = worker.start("-c", "2")
    running = worker.send("rest", 60)
    wait_until(lambda: worker.runs(running))

    runner.press_ctrl_c()
    runner.wait_for(r"waiting for 1 task \(tasks.rest\); Ctrl-C again kills")
    runner.press_ctrl_c()

    assert runner.end() == 130
    worker.project.wait_until_gone()


def test_a_task_that_takes_too_long_is_named_and_fails(worker: Reloading) -> None:
    worker.project.environ["DEVKIT_DRAIN_TIMEOUT"] = "1"
    runner = worker.start("-c", "2")
    running = worker.send("rest", 60)
    wait_until(lambda: worker.runs(running))

    worker.save(2)

    runner.wait_for(rf"generation 1 has not finished in 1 s; abandoned: tasks.rest\[{running.id}\]")
    with pytest.raises(Exception, match="drain_timeout"):
        running.get(timeout=20)
    wait_for_one_generation(runner.pid)
    assert worker.runs(running) == 1


def test_a_task_in_the_debugger_is_not_abandoned(worker: Reloading) -> None:
    worker.project.environ["DEVKIT_DRAIN_TIMEOUT"] = "1"
    code = WORKER.replace("    time.sleep(seconds)", "    from celery.contrib import rdb; rdb.set_trace()\n    x = 1")
    worker.project.write({"tasks.py": code})
    runner = worker.start("-c", "1")
    paused = worker.send("rest", 0)
    port = int(runner.wait_for(r"telnet 127.0.0.1 (\d+)")[1])

    worker.save(2)
    runner.wait_for("generation 2 is live.*paused in the debugger: tasks.rest at .*tasks.py:")
    running = worker.send("rest", 60)
    wait_until(lambda: worker.runs(running))
    worker.save(3)
    runner.wait_for("generation 2 has not finished in 1 s; abandoned")  # so the limit of the one before is over, too

    with pytest.raises(Exception, match="drain_timeout"):
        running.get(timeout=20)
    assert "generation 1 has not finished" not in runner.err
    with socket.create_connection(("127.0.0.1", port)) as telnet:
        wait_until(lambda: b"(Pdb) " in telnet.recv(4096))
        telnet.sendall(b"c\r\n")
        assert paused.get(timeout=20) == 1


def test_the_environment_is_read_again(worker: Reloading) -> None:
    worker.code = WORKER.replace("VERSION = 1", 'VERSION = int(os.environ.get("MY_VERSION", "1"))')
    worker.project.write({"tasks.py": worker.code})
    runner = worker.start("-P", "solo")
    assert worker.run() == 1

    worker.project.write({".env": "MY_VERSION=5\n"})

    runner.wait_for(r"\.env changed: starting afresh")
    worker.wait_for_version(5)
    worker.project.write({"pyproject.toml": "[tool.devkit]\nconcurency = 3\n"})
    runner.wait_for("unknown key 'concurency'")
    assert worker.run() == 5


def test_without_forking_each_generation_is_a_process_of_its_own(worker: Reloading) -> None:
    worker.project.environ["DEVKIT_FORK"] = "false"
    runner = worker.start("-c", "2")

    worker.save(2)
    runner.wait_for("generation 2 is live")

    worker.wait_for_version(2)
    runner.press_ctrl_c()
    assert runner.end() == 0
    worker.project.wait_until_gone()


def test_no_reload_watches_nothing(worker: Reloading) -> None:
    runner = worker.project.start("worker", "-P", "solo", "--no-reload")
    runner.wait_for("generation 1 is live")

    worker.save(2)
    assert worker.run() == 1

    (generation,) = generations(runner.pid)
    generation.kill()
    assert runner.end() == 1


def test_what_celerys_worker_takes_goes_through(worker: Reloading) -> None:
    runner = worker.start("-n", "mailer@%h", "-c", "1", "-Q", "celery,mails", "-l", "DEBUG")

    result = worker.send("version", queue="mails")

    assert result.get(timeout=20) == 1
    runner.wait_for(r"mailer\.1@\S+ ready")
    for refused in ("--detach", "-B", "--pidfile=x"):
        done = worker.project.devkit("worker", refused)
        assert (done.code, f"takes no {refused.partition(chr(61))[0]}" in done.err) == (2, True)


def test_memory_and_files_stay_as_they_are(worker: Reloading) -> None:
    runner = worker.start("-P", "solo")

    def state() -> list[tuple[int, int]]:
        wait_for_one_generation(runner.pid)
        return [
            (process.num_fds(), process.num_threads()) for process in (psutil.Process(runner.pid), *zygotes(runner.pid))
        ]

    for version in (2, 3):
        worker.save(version)
        runner.wait_for(f"generation {version} is live")
    before = state()
    for version in range(4, 24):
        worker.save(version)
        runner.wait_for(f"generation {version} is live")
    assert state() == before
