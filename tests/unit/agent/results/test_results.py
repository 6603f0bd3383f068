"""Failed tasks found in result backends: what real workers stored there, and what others may have put there."""

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import redis
import sqlalchemy as sa
from celery import Celery
from kombu import serialization

from devkit.agent.app.load import Problem
from devkit.agent.results import search
from devkit.agent.tell.traceback import read_traceback
from devkit.model.failure import Failure
from devkit.model.wire import ResultsNews, ResultsOrder, Trouble

AGENT = Path(search.__file__).parents[1]

# A project, with a worker to which it gives tasks that fail, each in another way.
PROJECT = """
import json, os, sys, time
from datetime import datetime, timezone
from decimal import Decimal
from uuid import UUID

from celery import Celery, chain, chord

app = Celery("shop", broker="memory://", backend=os.environ["BACKEND"])
app.conf.result_extended = os.environ["EXTENDED"] == "yes"
app.conf.timezone = "Asia/Tokyo"
app.conf.broker_connection_retry_on_startup = True

class OddError(Exception):
    def __str__(self):
        return f"odd: {self.args[0]}, {self.args[1]}"

@app.task
def fails(x, pair=(), password=None):
    raise ValueError(f"no {x}")

@app.task
def changes(items):
    items.append("changed")
    raise OddError(1, "two")

@app.task
def key_error():
    {}["a"]

@app.task
def ok(*_):
    return 1

@app.task(bind=True)
def comes_again(self):
    raise self.retry(countdown=1000, exc=ValueError("later"))

@app.task(ignore_result=True)
def silent():
    raise ValueError("nobody knows")

ODD = [datetime(2024, 2, 3, tzinfo=timezone.utc), Decimal("1.10"), UUID(int=7)]

def run():
    from celery.contrib.testing.worker import start_worker

    sent = {
        "fails": fails.s(1, pair=(2, 3), password="hunter2"), "changes": changes.s(["a"]), "key_error": key_error.s(),
        "odd": fails.s(ODD), "ok": ok.s(), "comes_again": comes_again.s(), "silent": silent.s(),
        "unknown": app.signature("shop.gone", args=(1,)), "expired": ok.s().set(expires=-1),
        "chain": chain(fails.s("in chain"), ok.s(5), ok.s(6)),
    }
    if os.environ["BACKEND"].startswith("redis"):
        sent["chord"] = chord([fails.s("in chord"), ok.s()], ok.s())
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="CRITICAL"):
        given = {name: signature.apply_async() for name, signature in sent.items()}
        ids = {name: result.id for name, result in given.items()}
        ids["chain middle"], ids["chain first"] = given["chain"].parent.id, given["chain"].parent.parent.id
        waited = dict(given)
        del waited["silent"]
        deadline = time.monotonic() + 20
        while any(result.state == "PENDING" for result in waited.values()) and time.monotonic() < deadline:
            time.sleep(0.02)
    print(json.dumps(ids))
"""


class Backend:
    """A result backend in which workers left their results, and the app as seen by somebody who reads them."""

    def __init__(self, url: str, ids: dict[str, str]) -> None:
        self.url = url
        self.ids = ids

    def ask(self, app: Celery | None = None, **order: Any) -> list[dict[str, Any]]:
        return ask(app or reading(self.url), **order)

    def listed(self, **order: Any) -> list[Failure]:
        return failures(self.ask(**{"do": "list", "task": "", "since": 0.0, "limit": None, **order}))

    def found(self, name: str) -> Failure:
        answers = self.ask(do="find", id=self.ids[name])
        assert answers[0]["ids"] == [self.ids[name]]
        (failure,) = failures(answers)
        return failure


def ask(app: Celery, **order: Any) -> list[dict[str, Any]]:
    told: list[ResultsNews] = []
    defaults = {"allow_pickle": False, **({"task": "", "since": 0.0, "limit": None} if order["do"] == "list" else {})}
    search.answer(app, cast("ResultsOrder", {**defaults, **order}), told.append)
    return [json.loads(json.dumps(message)) for message in told]


def failures(answers: list[dict[str, Any]]) -> list[Failure]:
    return [Failure.from_record(answer["record"]) for answer in answers if "record" in answer]


def reading(url: str, **conf: Any) -> Celery:
    app = Celery("shop", broker="memory://", backend=url, set_as_current=False)
    app.conf.update(timezone="Asia/Tokyo", **conf)

    def fails(x: Any, pair: Any = (), password: Any = None) -> None:
        """As the worker's."""

    app.task(name="made.fails", shared=False)(fails)
    app.finalize()
    return app


def problem(app: Celery, **order: Any) -> Trouble:
    with pytest.raises(Problem) as raised:
        ask(app, **order)
    return raised.value.report


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A Redis; the port."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if not program:
        pytest.skip("needs redis-server or valkey-server on PATH")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([program, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
    try:
        with closing(redis.Redis(port=port)) as client:
            deadline = time.monotonic() + 10
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def backends(server: int, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Backend]:
    """Each kind of backend, with what a worker stored in it: all of a result, or what is stored by default."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "made.py").write_text(PROJECT)
    workers = {}
    for number, extended in enumerate(("extended", "plain")):
        (folder / extended).mkdir()
        urls = {
            "redis": f"redis://127.0.0.1:{server}/{number}",
            "sqlite": f"db+sqlite:///{folder}/{extended}.db",
            "file": f"file://{folder}/{extended}",
        }
        for kind, url in urls.items():
            env = {**os.environ, "BACKEND": url, "EXTENDED": "yes" if extended == "extended" else ""}
            process = subprocess.Popen(
                [sys.executable, "-c", "import made; made.run()"],
                cwd=folder,
                env=env,
                stdout=subprocess.PIPE,
                text=True,
            )
            workers[f"{kind} {extended}"] = (url, process)
    found = {}
    try:
        for name, (url, process) in workers.items():
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            found[name] = Backend(url, json.loads(out.splitlines()[-1]))
    finally:
        for _, process in workers.values():
            process.kill()
            process.wait()
    return found


KINDS = ["redis", "sqlite", "file"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_list(backends: dict[str, Backend], kind: str) -> None:
    backend = backends[f"{kind} extended"]
    answers = backend.ask(do="list")
    listed = failures(answers)

    expected = {"fails", "changes", "key_error", "odd", "unknown", "chain first"}
    ids = {one.id for one in listed}
    assert {backend.ids[name] for name in expected} <= ids
    # What was to follow in the chain is not shown, and the chord only by its task that failed.
    others = {"ok", "comes_again", "silent", "expired", "chain", "chain middle", "chord"}
    assert not ids & {backend.ids[name] for name in others if name in backend.ids}
    assert len(listed) == len(expected) + (kind == "redis")
    times = [one.failed_at for one in listed]
    assert times == sorted(times, reverse=True)
    assert 0 <= time.time() - times[0] < 120
    done = answers[-1]["done"]
    assert done["never_ran"] == (3 if kind == "redis" else 2)
    assert (done["unreadable"], done["nameless"]) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_which_are_listed(backends: dict[str, Backend], kind: str) -> None:
    backend = backends[f"{kind} extended"]
    every = backend.listed()

    assert [one.id for one in backend.listed(limit=2)] == [one.id for one in every[:2]]
    assert [one.id for one in backend.listed(since=every[1].failed_at)] == [one.id for one in every[:2]]
    assert {one.task for one in backend.listed(task="fails")} == {"made.fails"}
    assert {one.task for one in backend.listed(task="made.fails")} == {"made.fails"}
    assert not backend.listed(task="ails")


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure(backends: dict[str, Backend], kind: str) -> None:
    failure = backends[f"{kind} extended"].found("fails")

    assert failure.body is not None
    assert json.loads(failure.body) == [[1], {"pair": [2, 3], "password": "hunter2"}, {}]
    assert (failure.content_type, failure.content_encoding) == ("application/json", "utf-8")
    assert failure.call == "x=1, pair=[2, 3], password=***"
    assert failure.names == ("x",)
    assert (failure.task, failure.exception, failure.message) == ("made.fails", "ValueError", "no 1")
    assert (failure.source, failure.state, failure.retries, failure.missing) == ("result", "FAILURE", 0, "")
    assert failure.headers["id"] == failure.id
    assert failure.headers["task"] == "made.fails"
    assert failure.delivery_info == {"routing_key": "celery"}
    assert failure.worker == socket.gethostname()
    assert (failure.frames[-1].function, failure.frames[-1].source) == ("fails", 'raise ValueError(f"no {x}")')
    assert failure.frames[0].file.endswith("celery/app/trace.py")
    assert "tuples became lists" in failure.limits


@pytest.mark.parametrize("kind", KINDS)
def test_what_json_does_not_know(backends: dict[str, Backend], kind: str) -> None:
    failure = backends[f"{kind} extended"].found("odd")

    assert failure.body is not None
    args, _, _ = serialization.loads(failure.body, failure.content_type, failure.content_encoding)  # type: ignore[no-untyped-call]
    assert repr(args[0]).startswith("[datetime.datetime(2024, 2, 3, 0, 0")
    assert repr(args[0][1:]) == "[Decimal('1.10'), UUID('00000000-0000-0000-0000-000000000007')]"
    assert "Decimal('1.10')" in failure.call


@pytest.mark.parametrize("kind", KINDS)
def test_exceptions_that_say_something_else(backends: dict[str, Backend], kind: str) -> None:
    backend = backends[f"{kind} extended"]
    odd, key_error = backend.found("changes"), backend.found("key_error")

    assert (odd.exception, odd.message) == ("made.OddError", "odd: 1, two")
    assert odd.call == "['a', 'changed']"  # the reader's app has no such task
    assert "as the task left them: what it changed in place shows changed" in odd.limits
    assert (key_error.exception, key_error.message) == ("KeyError", "'a'")


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_that_never_ran(backends: dict[str, Backend], kind: str) -> None:
    backend = backends[f"{kind} extended"]
    for name in ("chain", "chain middle", *(["chord"] if kind == "redis" else [])):
        failure = backend.found(name)
        assert failure.body is None
        assert failure.missing.startswith("it never ran")
    unknown = backend.found("unknown")
    assert (unknown.task, unknown.exception) == ("shop.gone", "celery.exceptions.NotRegistered")
    assert unknown.body is None
    assert "the worker itself" in unknown.missing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extended", [True, False])
def test_results_that_hold_no_arguments(backends: dict[str, Backend], kind: str, extended: bool) -> None:
    backend = backends[f"{kind} plain"]
    app = reading(backend.url, result_extended=extended)  # of who reads them, this says nothing of them
    answers = backend.ask(app, do="find", id=backend.ids["fails"])
    (failure,) = failures(answers)

    assert (failure.task, failure.exception, failure.message) == ("", "ValueError", "no 1")
    assert failure.body is None
    assert "result_extended=True" in failure.missing
    assert failure.frames[-1].function == "fails"
    # By its name none can be found; that there are some is said.
    answers = backend.ask(app, do="list", task="fails")
    assert not failures(answers)
    assert answers[-1]["done"]["nameless"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_by_the_beginning_of_an_id(backends: dict[str, Backend], kind: str) -> None:
    backend = backends[f"{kind} extended"]
    whole = backend.ids["fails"]
    ids = {one.id for one in backend.listed()} | {backend.ids[name] for name in ("chain", "chain middle")}

    unique = next(whole[:size] for size in range(4, 37) if sum(one.startswith(whole[:size]) for one in ids) == 1)
    assert [one.id for one in failures(backend.ask(do="find", id=unique))] == [whole]
    every = backend.ask(do="find", id="")
    assert ids <= set(every[0]["ids"])
    assert len(every) == 1  # of several, none is told
    # Nothing in an id is a pattern; and a task that did not fail is none.
    for nothing in ("*", "%", "????????", whole[:4].upper() + "?", backend.ids["ok"], backend.ids["comes_again"]):
        assert backend.ask(do="find", id=nothing)[0]["ids"] == []


def test_reading_changes_no_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/empty.db"
    engine = sa.create_engine(url)
    app = reading(f"db+{url}", result_extended=True)

    assert failures(ask(app, do="list")) == []
    assert ask(app, do="find", id="x")[0]["ids"] == []
    assert not sa.inspect(engine).get_table_names()
    engine.dispose()


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def older_table(path: Path, table_name: str, **values: Any) -> None:
    """A database as Celery before 5.7 made it, with one result in it."""
    engine = sa.create_engine(f"sqlite:///{path}")
    text = dict.fromkeys(("task_id", "status", "traceback", "name", "worker", "queue"), sa.Text)
    blob = dict.fromkeys(("result", "args", "kwargs"), sa.LargeBinary)
    columns: list[sa.Column[Any]] = [sa.Column(column, kind) for column, kind in {**text, **blob}.items()]
    table = sa.Table(
        table_name, sa.MetaData(), *columns, sa.Column("date_done", sa.DateTime), sa.Column("retries", sa.Integer)
    )
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert().values(task_id="one", status="FAILURE", **values))
    engine.dispose()


TRACEBACK = """Traceback (most recent call last):
  File "/app/shop.py", line 3, in fails
    1 / 0
    ~~^~~
shop.OutOfStockError: none left
of it
"""


def test_a_pickled_result_in_a_database(tmp_path: Path) -> None:
    poisoned = pickle.dumps(Bomb(tmp_path / "boom"))
    columns: dict[str, Any] = {"traceback": TRACEBACK, "name": "made.fails", "worker": "w@h", "retries": 2}
    older_table(tmp_path / "old.db", "ours", result=poisoned, args=b"[1]", kwargs=b'{"pair": 2}', **columns)
    older_table(tmp_path / "pickled.db", "ours", result=poisoned, args=poisoned, kwargs=poisoned, **columns)
    tables = {"database_table_names": {"task": "ours"}, "result_extended": True}

    (failure,) = failures(ask(reading(f"db+sqlite:///{tmp_path}/old.db", **tables), do="list"))
    assert (failure.exception, failure.message) == ("shop.OutOfStockError", "none left\nof it")
    assert failure.body == b'[[1], {"pair": 2}, {}]'
    assert failure.headers["retries"] == 2
    app = reading(f"db+sqlite:///{tmp_path}/pickled.db", result_serializer="pickle", **tables)
    (failure,) = failures(ask(app, do="list"))
    assert failure.body is None
    assert "--allow-pickle" in failure.missing
    assert not (tmp_path / "boom").exists()


def test_pickled_results_in_redis(server: int, tmp_path: Path) -> None:
    app = reading(f"redis://:@127.0.0.1:{server}/5", result_serializer="pickle", accept_content=["pickle", "json"])
    meta = {"status": "FAILURE", "name": "made.fails", "worker": "w", "kwargs": {}, "result": KeyError("a")}
    app.backend.client.set("celery-task-meta-fine", pickle.dumps({**meta, "args": ((1, 2),)}))
    for order in ({"do": "list"}, {"do": "find", "id": "fine"}):
        assert problem(app, **order)["problem"] == "pickled"
    app.backend.client.set("celery-task-meta-bad", pickle.dumps({**meta, "args": [Bomb(tmp_path / "boom")]}))
    assert problem(app, do="list")["problem"] == "pickled"
    # Pickled where JSON is expected: nothing that can be read, and nothing that is run.
    json_app = reading(f"redis://127.0.0.1:{server}/5")
    assert ask(json_app, do="list")[-1]["done"]["unreadable"] == 2
    assert not (tmp_path / "boom").exists()

    (failure,) = failures(ask(app, do="find", id="fine", allow_pickle=True))
    assert (failure.exception, failure.message) == ("KeyError", "'a'")
    assert failure.content_type == "application/x-python-serialize"
    assert failure.body is not None
    assert pickle.loads(failure.body) == [[(1, 2)], {}, {}]  # noqa: S301
    assert "tuples became lists" not in failure.limits


def test_other_keys_and_broken_results(server: int) -> None:
    url = f"redis://127.0.0.1:{server}/6"
    app = reading(url, result_backend_transport_options={"global_keyprefix": "shop*"})
    fine = {"status": "FAILURE", "result": {"exc_type": "E", "exc_message": ["m"], "exc_module": "shop"}}
    with closing(redis.Redis(port=server, db=6)) as client:
        client.set("shop*_celery-task-meta-fine", json.dumps(fine))
        client.set("shop*_celery-task-meta-cut", json.dumps(fine)[:-5])
        client.set("shop*_celery-task-meta-list", '["FAILURE"]')
        client.set("shop*_celery-task-meta-odd", json.dumps({**fine, "stamped_headers": 3}))
        client.set("shops_celery-task-meta-other", json.dumps(fine))
        client.set("shop*_celery-taskset-meta-group", json.dumps(fine))
        client.hset("shop*_celery-task-meta-hash", "FAILURE", "1")
        client.set("celery-task-meta-other", json.dumps(fine))
    answers = ask(app, do="list")

    assert [one.id for one in failures(answers)] == ["fine"]
    assert answers[-1]["done"]["unreadable"] == 3
    assert ask(app, do="find", id="cut")[0] == {"ids": [], "where": url, "unreadable": 1}


def test_what_only_older_versions_or_the_worker_itself_write(server: int) -> None:
    app = reading(f"redis://127.0.0.1:{server}/9")
    raised = {"exc_type": "TimeLimitExceeded", "exc_message": [1], "exc_module": "billiard.exceptions"}
    meta = {"status": "FAILURE", "result": raised, "traceback": None, "name": "made.fails", "worker": "w"}
    meta |= {"args": None, "kwargs": None, "date_done": "2024-02-03T04:05:06"}
    app.backend.client.set("celery-task-meta-one", json.dumps(meta))

    (failure,) = failures(ask(app, do="list"))
    assert failure.failed_at == datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC).timestamp()
    assert failure.exception == "billiard.exceptions.TimeLimitExceeded"
    assert failure.message == "TimeLimitExceeded(1,)"
    assert "the worker itself" in failure.missing


def test_arguments_that_are_only_text(server: int) -> None:
    app = reading(f"redis://127.0.0.1:{server}/7")
    meta = {"status": "FAILURE", "name": "made.fails", "worker": "w", "args": "(1,)", "kwargs": "{}"}
    app.backend.client.set("celery-task-meta-one", json.dumps({**meta, "result": {"exc_type": "E", "exc_message": []}}))

    (failure,) = failures(ask(app, do="list"))
    assert failure.body is None
    assert "only as text for people" in failure.missing
    assert (failure.call, failure.exception, failure.message) == ("", "E", "")


def test_a_serializer_of_the_projects_own(server: int) -> None:
    def backwards(data: Any) -> str:
        return json.dumps(data)[::-1]

    serialization.register("backwards", backwards, lambda data: json.loads(data[::-1]), "application/x-back", "utf-8")  # type: ignore[no-untyped-call]
    try:
        url = f"redis://127.0.0.1:{server}/8"
        app = reading(url, result_serializer="backwards", result_accept_content=["backwards"])
        meta = {"status": "FAILURE", "name": "made.fails", "worker": "w", "args": [1], "kwargs": {}}
        app.backend.client.set("celery-task-meta-one", app.backend.encode(meta))

        (failure,) = failures(ask(app, do="list"))
        assert (failure.body, failure.content_type) == (b"[[1], {}, {}]", "application/json")  # as its tasks are sent
        app.conf.accept_content = ["backwards"]
        (failure,) = failures(ask(app, do="list"))
        assert failure.content_type == "application/x-back"
    finally:
        serialization.unregister("backwards")  # type: ignore[no-untyped-call]


def test_backends_that_cannot_be_asked(tmp_path: Path) -> None:
    assert problem(Celery("shop", set_as_current=False), do="list") == {"problem": "no result backend"}
    report = problem(reading("redis://:sesame@127.0.0.1:1/0"), do="list")
    assert report["problem"] == "backend down"
    assert "sesame" not in json.dumps(report)
    assert problem(reading(f"db+sqlite:///{tmp_path}/none/x.db"), do="list")["problem"] == "backend down"
    assert problem(reading(f"file://{tmp_path}/none"), do="list")["problem"] == "backend down"
    report = problem(reading("rpc://"), do="find", id="x")
    assert (report["problem"], report["backend"]) == ("cannot list", "RPCBackend")


def test_a_backend_that_knows_whole_ids_only() -> None:
    app = reading("cache+memory://")
    app.backend.set(app.backend.get_key_for_task("whole"), json.dumps({"status": "FAILURE", "result": None}))

    assert problem(app, do="list")["problem"] == "cannot list"
    assert [one.id for one in failures(ask(app, do="find", id="whole"))] == ["whole"]
    assert ask(app, do="find", id="who")[0]["ids"] == []


def test_tracebacks() -> None:
    chained = (
        f"{TRACEBACK}\nDuring handling of the above exception, another exception occurred:\n\n"
        + TRACEBACK.replace("shop.OutOfStockError: none left\nof it", "KeyError: 'it'")
    )
    told = read_traceback(chained)
    assert [(one.file, one.line, one.function, one.source) for one in told.frames] == [
        ("/app/shop.py", 3, "fails", "1 / 0")
    ]
    assert told[1:] == ("KeyError", "'it'")
    # A message may hold another's traceback.
    told = read_traceback(f"{TRACEBACK.replace('none left', 'there:')}{TRACEBACK}")
    assert told.exception == "shop.OutOfStockError"
    assert told.message == f"there:\nof it\n{TRACEBACK}".strip()
    assert len(told.frames) == 1
    assert read_traceback("")[:2] == ((), "")
    assert (
        read_traceback("billiard.exceptions.WorkerLostError: it is gone.")[1] == "billiard.exceptions.WorkerLostError"
    )


def test_as_a_program(backends: dict[str, Backend], tmp_path: Path) -> None:
    backend = backends["redis extended"]
    (tmp_path / "made.py").write_text(PROJECT + "\nprint('imported')\nos.write(1, b'loud')\n")
    order = {"do": "find", "id": backend.ids["fails"], "allow_pickle": False}
    ended = subprocess.run(
        [sys.executable, AGENT, "results", "made", "app"],
        input=json.dumps(order) + "\n",
        cwd=tmp_path,
        env={**os.environ, "BACKEND": backend.url, "EXTENDED": "yes"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    first, second = (json.loads(line) for line in ended.stdout.splitlines())
    assert first["ids"] == [backend.ids["fails"]]
    assert second["record"]["failure"]["call"] == "x=1, pair=[2, 3], password=***"
    assert "loud" in ended.stderr
