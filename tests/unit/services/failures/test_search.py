"""Which failures are meant, and where they are looked for without importing the project."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from devkit.errors import DevkitError, UsageError
from devkit.services.failures.search import Failures, FindRoutes, UnreadableFailure, merged
from devkit.services.reach.routes import Routes
from devkit.settings.load import load
from devkit.store.failures import open_store
from devkit.store.places import Places
from tests.unit.cli.failures.failing import ID, NOW, failure

Record = Callable[..., None]
DOWN = "redis://:secret@127.0.0.1:1/1"
# To be found, and never imported: whoever does that gets no answer.
APP = "from celery import Celery\napp = Celery()\nraise SystemExit('imported')\n"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Failures]:
    (tmp_path / "tasks.py").write_text(APP)

    def made(find_routes: FindRoutes | None = None, **flags: Any) -> Failures:
        environ = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
        return Failures(load(tmp_path, flags, environ), find_routes)

    return made


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The project's folder of failures, in which a worker notes that it keeps them there."""
    found = str(tmp_path / ".devkit" / "failures")
    Places(found).note(found)
    return found


@pytest.fixture
def record(folder: str) -> Record:
    return lambda *failures: open_store(folder).add(failures)


@pytest.fixture
def known(folder: str, make: Callable[..., Failures]) -> Failures:
    return make()


def search(known: Failures, task: str = "", **how: Any) -> Any:
    given = {"since": 0.0, "limit": 20, "results": False, "allow_pickle": False, "bodies": False}
    return known.search(task, **{**given, **how}, progress=lambda *_: None)


def test_the_records_where_a_living_worker_keeps_them(known: Failures, record: Record, folder: str) -> None:
    record(failure(id="first", failed_at=NOW), failure(id="second", failed_at=NOW + 1))

    assert [one.id for one in search(known).failures] == ["second", "first"]
    assert [one.id for one in search(known, limit=1).failures] == ["second"]
    assert [one.id for one in search(known, since=NOW + 0.5).failures] == ["second"]
    assert known.where == folder


def test_those_of_several_workers_are_one_list(tmp_path: Path, known: Failures, record: Record, folder: str) -> None:
    other = str(tmp_path / "other")
    (own,) = Path(folder).glob("worker-*.json")
    note = {**json.loads(own.read_text()), "where": other, "pid": os.getppid(), "started": None}
    own.with_name("worker-other.json").write_text(json.dumps(note))
    record(failure(id="first", failed_at=NOW), failure(id="third", failed_at=NOW + 2))
    open_store(other).add([failure(id="second", failed_at=NOW + 1)])

    assert [one.id for one in search(known, limit=2).failures] == ["third", "second"]
    assert known.find("second").id == "second"


def test_where_workers_in_containers_keep_them_that_run(
    tmp_path: Path, make: Callable[..., Failures], record: Record, folder: str
) -> None:
    record(failure())
    (own,) = Path(folder).glob("worker-*.json")
    for container, where in (("gone", "redis://gone/1"), ("there", "/app/.devkit/failures")):
        note = {**json.loads(own.read_text()), "where": where, "host": container, "container": container}
        own.with_name(f"worker-{container}.json").write_text(json.dumps(note))
    (tmp_path / "compose.yml").write_text("services: {}\n")
    routes = SimpleNamespace(
        runs=lambda container: container == "there", here=lambda where: where.replace("/app", str(tmp_path))
    )
    assert search(make(lambda *_: pytest.fail("one of this machine's runs"))).failures
    own.unlink()
    known = make(lambda *_: cast("Routes", routes))
    assert known.where == folder
    assert [one.id for one in search(known).failures] == [ID]


def test_a_task_by_its_name_or_the_end_of_it(known: Failures, record: Record) -> None:
    record(failure(id="1"), failure(id="2", task="stock.add"), failure(id="3", task="cart.add", failed_at=NOW))

    assert [one.id for one in search(known, "divide").failures] == ["1"]
    assert [one.id for one in search(known, "stock.add").failures] == ["2"]
    with pytest.raises(UsageError, match="several tasks end in 'add'") as caught:
        search(known, "add")
    assert caught.value.looked == ("cart.add", "stock.add")
    record(failure(id="4", task="add"))
    assert [one.id for one in search(known, "add").failures] == ["4"]
    assert search(known, "nothing").tasks == ("add", "cart.add", "shop.tasks.divide", "stock.add")


def test_where_nothing_is_recorded_stored_results_are_asked(known: Failures, record: Record) -> None:
    found = search(known)

    assert found.failures == []
    assert "importing tasks" in str(found.problem)
    with pytest.raises(DevkitError, match="importing tasks"):
        search(known, results=True)
    record(failure())
    assert search(known, since=NOW * 2).problem is None


@pytest.mark.parametrize("word", ["4f1c", ID])
def test_by_the_beginning_of_its_id(known: Failures, record: Record, word: str) -> None:
    record(failure(), failure(id="99"), failure(id=f"{ID}-and-more"))

    if word == ID:
        assert known.find(word).body == failure().body
    else:
        with pytest.raises(UsageError, match="several ids begin with '4f1c'") as caught:
            known.find(word)
        assert set(caught.value.looked) == {ID, f"{ID}-and-more"}


def test_of_several_runs_the_newest_that_counts(known: Failures, record: Record) -> None:
    tried = failure(state="RETRY", failed_at=NOW)
    record(tried)
    assert known.find(ID[:4]) == tried
    failed = failure(retries=1, failed_at=NOW + 1)
    record(failed, failure(retries=2, state="RETRY", failed_at=NOW + 2))
    assert known.find(ID[:4]) == failed
    assert [run.retries for run in known.attempts(ID)] == [0, 1, 2]


def test_an_id_that_nothing_has_says_where_it_was_looked_for(known: Failures, folder: str) -> None:
    with pytest.raises(UsageError, match="no failed task whose id begins with 'abcd'") as caught:
        known.find("abcd")

    assert caught.value.looked[0] == f"the records in {folder}"
    assert caught.value.looked[1].startswith("stored results, which cannot be read: importing tasks")


def test_too_few_characters(known: Failures) -> None:
    with pytest.raises(UsageError, match="too short"):
        known.find("4f1")


def test_many_ids_are_not_all_named(known: Failures, record: Record) -> None:
    record(*(failure(id=f"same-{number}") for number in range(30)))

    with pytest.raises(UsageError) as caught:
        known.find("same")
    assert caught.value.looked[-1] == "and 20 more"


def test_a_record_that_cannot_be_read(known: Failures, record: Record, folder: str) -> None:
    record(failure())
    (path,) = Path(folder).glob("*-failure-*.json")
    path.write_text(path.read_text().replace('"schema":1', '"schema":2'))

    with pytest.raises(UnreadableFailure, match="a newer devkit wrote it") as caught:
        known.find(ID[:8])
    assert caught.value.exit_code == 1
    assert search(known).failures == []
    assert known.unreadable == 1


def test_a_url_that_was_asked_for_comes_before_workers(
    make: Callable[..., Failures], record: Record, folder: str
) -> None:
    record(failure())
    for flags in ({"broker": DOWN}, {"result_backend": DOWN}, {"broker": "redis://other", "result_backend": DOWN}):
        known = make(**flags)
        assert known.where == "redis://127.0.0.1:1/1"
        with pytest.raises(DevkitError, match=r"redis://127\.0\.0\.1:1/1 does not answer") as caught:
            search(known)
        assert "secret" not in str(caught.value)
        assert "devkit up" in caught.value.mend[0]
    assert make(broker="amqp://rabbit").where == folder


def test_completion_does_not_import_the_project(make: Callable[..., Failures], folder: str, record: Record) -> None:
    record(failure(), failure(id="99"))
    assert make().quick_ids("4f") == [ID]
    for note in Path(folder).glob("worker-*.json"):
        note.unlink()
    assert make().quick_ids("") == []


def test_a_record_knows_more_than_a_result() -> None:
    recorded, result = failure(failed_at=NOW), failure(failed_at=NOW + 1, source="result")
    other = failure(id="99", failed_at=NOW + 2, source="result")

    assert merged([recorded, result, other], None) == [other, recorded]
    assert merged([result, recorded, other], 1) == [other]
