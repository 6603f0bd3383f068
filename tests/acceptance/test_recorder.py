"""What workers keep of the tasks that fail: each kind of failure, each pool, and a store that is there or is not."""

import json
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis

from devkit.model.failure import Failure
from devkit.store.failures import open_store
from devkit.store.places import Places
from tests.acceptance.harness import PYTHON, Foreground, Project, running_redis, wait_until
from tests.acceptance.reloading import Reloading

PROGRAM = """
import os, sys, threading, time
from celery import Celery, Task, chord
from celery.exceptions import Ignore, Reject
from celery.worker.request import Request

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(worker_prefetch_multiplier=1, accept_content=["json", "pickle"])
app.conf.broker_transport_options = {name: "messages" for name in ("data_folder_in", "data_folder_out")}
if "PLAIN" in os.environ:
    app.steps["worker"].add("devkit.agent.recorder:Recording")


class Odd(Exception):
    def __init__(self, one, other):
        self.lock = threading.Lock()  # cannot be pickled

    def __str__(self):
        raise OSError("no text")


class Counted(Request):
    def on_failure(self, *args, **kwargs):
        print("Counted has seen", self.id)
        return super().on_failure(*args, **kwargs)


class Own(Task):
    Request = "tasks:Counted"


def once(self):
    path = f"{self.request.id}.once"
    if os.path.exists(path):
        return False
    open(path, "w").close()
    return True


@app.task
def add(x, y=1):
    return x + y

@app.task
def divide(x, y, password=""):
    token = "t-0-k-e-n"
    return x / y

@app.task(ignore_result=True)
def odd():
    raise Odd(1, 2)

@app.task(autoretry_for=(OSError,), max_retries=2, default_retry_delay=0, retry_backoff=False)
def flaky():
    raise OSError("again")

@app.task(bind=True, max_retries=1)
def retries(self):
    try:
        {}["key"]
    except KeyError as error:
        raise self.retry(exc=error, countdown=0.1)

@app.task
def changes(items):
    items[0]["changed"] = True
    raise ValueError("changed")

@app.task(base=Own)
def own():
    raise ValueError("own")

@app.task(acks_late=True)
def rejects():
    raise Reject("no", requeue=False)

@app.task
def too_late():
    raise Reject("acknowledged before", requeue=True)

@app.task(bind=True, acks_late=True)
def returns(self):
    if once(self):
        raise Reject("later", requeue=True)

@app.task
def ignores():
    raise Ignore()

@app.task(bind=True)
def replaces(self):
    return self.replace(add.s(1))

@app.task
def total(numbers):
    return sum(numbers)

@app.task
def sends():
    (add.s(1) | divide.si(1, 0) | add.s(1))()
    chord([divide.s(2, 0), add.s(1)], total.s())()

@app.task
def sleeps(seconds):
    time.sleep(seconds)

@app.task(soft_time_limit=0.3)
def soft():
    time.sleep(30)

@app.task(time_limit=1)
def hard():
    time.sleep(30)

@app.task
def exits():
    sys.exit(3)

@app.task
def vanishes():
    os._exit(5)

@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def comes_again(self):
    if once(self):
        os._exit(1)

@app.task(ignore_result=True)
def notes(x):
    with open("noted", "a") as file:
        file.write("x")
    raise ValueError(x)
"""
Runs = list[tuple[str, int, str]]  # of one task: what became of each, how often it had been retried, the exception
# By pool, what becomes of each task.
ANYWHERE: dict[str, Runs] = {
    "add": [],
    "divide": [("FAILURE", 0, "ZeroDivisionError")],
    "odd": [("FAILURE", 0, "tasks.Odd")],
    "flaky": [("RETRY", 0, "OSError"), ("RETRY", 1, "OSError"), ("FAILURE", 2, "OSError")],
    "retries": [("RETRY", 0, "KeyError"), ("FAILURE", 1, "KeyError")],
    "changes": [("FAILURE", 0, "ValueError")],
    "own": [("FAILURE", 0, "ValueError")],
    "rejects": [("REJECTED", 0, "celery.exceptions.Reject")],
    "too_late": [("REJECTED", 0, "celery.exceptions.Reject")],
    "returns": [("RETRY", 0, "celery.exceptions.Reject")],
    "ignores": [],
    "replaces": [],
    "no_such_task": [("FAILURE", 0, "celery.exceptions.NotRegistered")],
}
IN_PROCESSES: dict[str, Runs] = {
    "soft": [("FAILURE", 0, "billiard.exceptions.SoftTimeLimitExceeded")],
    "hard": [("FAILURE", 0, "billiard.exceptions.TimeLimitExceeded")],
    "exits": [("FAILURE", 0, "billiard.exceptions.WorkerLostError")],
    "vanishes": [("FAILURE", 0, "billiard.exceptions.WorkerLostError")],
    "comes_again": [("RETRY", 0, "billiard.exceptions.WorkerLostError")],
}
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "add": (1,), "divide": (1, 0, "hunter2"), "changes": ([{"a": 1}],),
}  # fmt: skip


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def site(tmp_path: Path, redis_url: str) -> Iterator["Site"]:
    with closing(Site(tmp_path, redis_url, redis_url)) as site:
        yield site


class Site(Reloading):
    """A project with these tasks, in an empty Redis, and workers that devkit does not run."""

    def __init__(self, folder: Path, broker: str, backend: str) -> None:
        super().__init__(Project(folder, {}), broker)
        self.project.environ |= {"CELERY_RESULT_BACKEND": f"{backend}/1", "PLAIN": "1", "C_FORCE_ROOT": "1"}
        self.project.write({"tasks.py": PROGRAM})
        self.broker.flushall()

    @contextmanager
    def worker(self, *options: str) -> Iterator[Foreground]:
        """`celery worker` with the line that the documentation has; it is told to end, and waited for."""
        argv = [PYTHON, "-m", "celery", "-A", "tasks", "worker", "-l", "info", "--without-mingle", "--without-gossip"]
        worker = Foreground([*argv, *options], cwd=self.project.root, env=self.project.environ, terminal=False)
        self.project.started().append(worker)
        worker.wait_for(r" ready\.$")
        yield worker
        worker.signal(signal.SIGTERM)
        worker.end()

    def kept(self, url: str = "") -> dict[str, list[Failure]]:
        """What is in the store, by task; all runs, the oldest first."""
        store = open_store(url or f"{self.url}/1")
        found: dict[str, list[Failure]] = {}
        for task_id in reversed(store.ids("")):
            for run in store.attempts(task_id):  # none, where the limits took it away since the ids were listed
                found.setdefault(run.task.removeprefix("tasks."), []).append(run)
        return found

    def close(self) -> None:
        super().close()
        self.project.close()


def runs_of(failures: list[Failure]) -> Runs:
    return [(one.state, one.retries, one.exception) for one in failures]


@pytest.mark.parametrize(
    "options",
    [("-P", "prefork", "-c", "4"), ("-P", "solo"), ("-P", "threads", "-c", "4"), ("-P", "gevent", "-c", "4")],
    ids=lambda options: options[1],
)
def test_what_fails_is_kept_with_all_its_runs_and_nothing_else_is(site: Site, options: tuple[str, ...]) -> None:
    processes = options[1] == "prefork"
    expected = {**ANYWHERE, **(IN_PROCESSES if processes else {})}
    with site.worker(*options) as worker:
        threads = psutil.Process(worker.pid).num_threads()
        assert [site.run("add", x) for x in range(5)] == [1, 2, 3, 4, 5]
        if processes:  # threads are the tasks' own elsewhere
            assert psutil.Process(worker.pid).num_threads() == threads
        assert site.redis.keys("devkit:*") == []

        for name in expected:
            site.send(name, *ARGUMENTS.get(name, ()))
        expired = site.send("divide", 1, 0, expires=-1)
        if processes:
            revoked = site.send("sleeps", 60)
            wait_until(lambda: revoked.id in worker.out + worker.err)
            revoked.revoke(terminate=True)
        wait_until(lambda: {name: runs_of(runs) for name, runs in site.kept().items()} == {
            name: runs for name, runs in expected.items() if runs
        }, why=lambda: {name: runs_of(runs) for name, runs in site.kept().items()})  # fmt: skip
        wait_until(lambda: expired.state == "REVOKED")
        last = site.send("changes", [{"last": True}])
        wait_until(last.ready)

    kept = site.kept()
    assert last.id in {one.id for one in kept["changes"]}  # it has ended right after that one
    assert expired.id not in {one.id for runs in kept.values() for one in runs}
    assert "Counted has seen" in worker.out + worker.err
    assert "could not be kept" not in worker.err

    (divided,) = kept["divide"]
    assert divided.body
    assert json.loads(divided.body)[:2] == [[1, 0, "hunter2"], {}]
    assert divided.call == "x=1, y=0, password=***"
    assert divided.own_frame
    assert divided.own_frame.locals == {"x": "1", "y": "0", "password": "***", "token": "***"}
    assert divided.headers["id"] == divided.id
    assert divided.headers["root_id"] == divided.id
    assert divided.delivery_info["routing_key"] == "celery"
    assert divided.started_at
    assert 0 <= divided.failed_at - divided.started_at < 10
    assert kept["odd"][0].own_frame
    assert kept["odd"][0].message == "(1, 2)"  # what it was made with: it cannot answer itself
    assert len({run.id for run in kept["flaky"]}) == 1
    assert kept["changes"][0].call == "items=[{'a': 1}]"
    assert json.loads(kept["changes"][0].body or b"")[0] == [[{"a": 1}]]
    assert kept["rejects"][0].own_frame
    if processes:
        assert kept["exits"][0].own_frame
        assert kept["hard"][0].frames == ()
        assert "exitcode 5" in kept["vanishes"][0].message


def test_messages_of_all_kinds_are_kept_as_they_arrived(site: Site) -> None:
    app = site.send("add", 1).app
    with site.worker("-P", "solo"):
        packed = site.send("divide", 1, 0, compression="gzip")
        pickled = site.send("changes", [{"when": b"\xff"}], serializer="pickle")
        large = site.send("notes", "x" * 2**20)
        sent = site.send("sends")
        app.conf.task_protocol = 1
        old = site.send("changes", [{"a": 1}])
        unknown = site.send("no_such_task", 1)
        wait_until(lambda: sum(map(len, site.kept().values())) == 7, why=site.kept)

    found = {one.id: one for runs in site.kept().values() for one in runs}
    assert json.loads(found[packed.id].body or b"")[0] == [1, 0]
    assert found[pickled.id].pickled
    assert b"\xff" in (found[pickled.id].body or b"")
    assert len(found[large.id].body or b"") > 2**20
    assert len(found[large.id].call) <= 1000
    inside = {one.call: one.headers for one in found.values() if one.headers["root_id"] == sent.id}
    assert inside["x=1, y=0"]["group"] is None
    assert inside["x=2, y=0"]["group"]
    assert json.loads(found[old.id].body or b"")[:2] == [[[{"a": 1}]], {}]  # Celery 3's, as what Celery 4 made of it
    assert found[old.id].headers["task"] == "tasks.changes"
    assert "args" not in found[old.id].headers
    assert found[unknown.id].headers["task"] == "tasks.no_such_task"
    assert json.loads(found[unknown.id].body or b"")[0] == [1]


def test_more_than_the_settings_allow_is_not_kept_and_the_failure_says_so(site: Site) -> None:
    site.project.environ |= {"DEVKIT_FAILURES_MB": "1", "DEVKIT_FAILURES_COUNT": "2", "DEVKIT_FAILURES_DAYS": "inf"}

    def arrived(size: int) -> bool:
        return ("x" * size)[:4000] in {one.message for one in site.kept().get("notes", [])}

    with site.worker("-P", "solo") as worker:
        worker.wait_for("DEVKIT_FAILURES_DAYS=inf is no number above zero; 14 is taken")
        for size in (1, 10, 2**20):
            site.send("notes", "x" * size)
            wait_until(partial(arrived, size))

    last, first = open_store(f"{site.url}/1").newest()
    assert (last.body, last.missing) == (
        None,
        "the arguments are 1 MB, more than the 0.5 MB (half of failures_mb) that are kept",
    )
    assert (first.missing, first.message) == ("", "x" * 10)


def test_a_store_that_is_full_or_gone_disturbs_no_task(
    tmp_path: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    noted = tmp_path / "a project" / "noted"
    count = 0

    def fails(site: Site) -> None:
        nonlocal count
        site.send("notes", 1)
        count += 1
        wait_until(lambda: noted.exists() and len(noted.read_text()) == count, timeout=5)

    with (
        running_redis(tmp_path_factory.mktemp("backend")) as backend,
        closing(Site(tmp_path, redis_url, backend)) as site,
    ):
        admin = Redis.from_url(backend)
        admin.config_set("maxmemory", "1")
        with site.worker("-P", "prefork", "-c", "1") as worker:
            fails(site)
            worker.wait_for(r"^devkit: 1 failure could not be kept in redis://127.0.0.1:\d+/1: .*maxmemory")
            admin.config_set("maxmemory", "0")
            fails(site)
            wait_until(lambda: len(site.kept(f"{backend}/1").get("notes", [])) == 1)
            admin.shutdown(nosave=True)
            for _ in range(5):
                fails(site)
            begun = time.monotonic()
        assert time.monotonic() - begun < 3 + 4  # of which three are devkit's, at most
        assert worker.err.count("could not be kept") == 1
        admin.close()


def test_a_project_without_redis_keeps_them_in_a_folder(tmp_path: Path, redis_url: str) -> None:
    with closing(Site(tmp_path, redis_url, redis_url)) as site:
        site.project.environ |= {"CELERY_BROKER_URL": "filesystem://", "CELERY_RESULT_BACKEND": "disabled://"}
        site.project.write({".devkit/failures": "a file", "messages/here": ""})
        send = [PYTHON, "-c", "import tasks; tasks.notes.delay(1)"]
        with site.worker("-P", "solo") as worker:
            site.project.run(*send).expect(0)
            worker.wait_for("^devkit: 1 failure could not be kept in .*failures: ")
            folder = site.project.root / ".devkit" / "failures"
            folder.unlink()
            site.project.run(*send).expect(0)
            wait_until(lambda: site.kept(str(folder)))

        (one,) = site.kept(str(folder))["notes"]
        assert one.own_frame
        assert one.own_frame.locals["x"] == "1"
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert worker.err.count("could not be kept") == 1


def test_under_devkit_what_fails_at_a_reload_is_kept_and_the_log_says_how_to_run_it_again(
    tmp_path: Path, redis_url: str
) -> None:
    with closing(Site(tmp_path, redis_url, redis_url)) as site:
        for command in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c"],
        ):
            site.project.run("git", *command).expect(0)
        revision = site.project.run("git", "rev-parse", "HEAD").out.strip()
        site.project.environ |= {"DEVKIT_DRAIN_TIMEOUT": "1"}
        worker = site.start("-c", "2")
        site.send("divide", 1, 0)
        worker.wait_for(r"devkit: tasks\.divide failed, ZeroDivisionError: division by zero · devkit replay \w{8}$")
        assert Places(str(site.project.root / ".devkit" / "failures")).living() == [f"{redis_url}/1"]

        abandoned = site.send("sleeps", 60)
        wait_until(lambda: f"{abandoned.id}] received" in worker.out + worker.err)
        site.project.write({"tasks.py": PROGRAM + "\n# edited\n"})
        failed = site.send("changes", [{}])
        worker.wait_for("generation 2 is live")
        wait_until(lambda: "sleeps" in site.kept(), why=lambda: worker.shown)

        kept = site.kept()
        assert kept["divide"][0].revision == revision
        assert failed.id in {one.id for one in kept["changes"]}
        assert runs_of(kept["sleeps"]) == [("FAILURE", 0, "billiard.exceptions.WorkerLostError")]
        assert "drain_timeout" in kept["sleeps"][0].message
