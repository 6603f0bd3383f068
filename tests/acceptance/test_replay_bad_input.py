"""`devkit replay` of what cannot be replayed, and options that make no sense: a clear answer each time."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from devkit.store.failures import open_store
from tests.acceptance.harness import DEAD_REDIS, Project
from tests.acceptance.replaying import PROGRAM, Failing


def damaged(failed: Failing, task_id: str, change: Callable[[str], str]) -> str:
    """The address of a Redis with one record in it, which is not as it should be."""
    url = f"{failed.url}/7"
    (failure,) = open_store(f"{failed.url}/1").attempts("divide-1")
    open_store(url).add([replace(failure, id=task_id)])
    with closing(Redis.from_url(url)) as redis:
        key = f"devkit:failure:{task_id}:0"
        meta: Any = redis.hget(key, "meta")
        redis.hset(key, "meta", change(meta.decode()))
    return url


@pytest.mark.parametrize(
    ("task_id", "change", "why"),
    [
        pytest.param("cut-1", lambda text: text[:200], "", id="cut short"),
        pytest.param("later-1", lambda text: text.replace('"schema":1', '"schema":9'), "newer devkit", id="later"),
        pytest.param("lists-1", lambda _: "[1]", "no record", id="something else"),
        pytest.param(
            "half-1", lambda text: text.replace('"worker":', '"walker":'), "not whole", id="a field is missing"
        ),
    ],
)
def test_records_that_cannot_be_read(failed: Failing, task_id: str, change: Callable[[str], str], why: str) -> None:
    url = damaged(failed, task_id, change)
    done = failed.replay(task_id[:4], "--result-backend", url).expect(125)
    assert done.out.startswith(f"cannot replay: the record of {task_id} cannot be read: ")
    assert why in done.out
    every = failed.replay("--all", "--task", "divide", "--result-backend", url).expect(0)
    assert "records that cannot be read" in every.err


def test_an_exception_that_cannot_be_imported(failed: Failing, empty: Project) -> None:
    """Another version of a library has no such class."""
    empty.write({"tasks.py": PROGRAM})
    failed.replay("two-1", "--save", str(empty.root / "case.json")).expect(0)
    case = json.loads((empty.root / "case.json").read_text())
    empty.write({"case.json": json.dumps(case | {"exception": "shop.errors.Gone"})})
    done = empty.devkit("replay", "case.json").expect(1)
    assert "different failure: Gone in two, now Two in two" in done.out
    empty.write({"tasks.py": PROGRAM.replace("raise Two(1, 2)", "return None")})
    assert "passes now" in empty.devkit("replay", "case.json", "--to-test", "test_it.py").expect(0).out


def test_ids_that_mean_none_or_several(failed: Failing) -> None:
    several = failed.replay("hang").expect(2)
    assert "several ids begin with 'hang'" in several.err
    assert "hangs_on-1" in several.err
    assert "too short" in failed.replay("di").expect(2).err
    unknown = failed.replay("0123abcd").expect(125)
    assert unknown.out == "cannot replay: there is no failed task whose id begins with '0123abcd'\n"
    assert "looked: the records in redis://127.0.0.1:" in unknown.err
    assert "mend: see them: devkit failures\n" in unknown.err
    document = failed.replay("0123abcd", "--json").expect(125).json()
    assert (document["id"], document["verdict"]) == ("0123abcd", "cannot replay")
    assert document["original_exception"] is None


@pytest.mark.parametrize(
    ("code", "why"),
    [
        pytest.param("import no_such_module\n", "No module named 'no_such_module'", id="import"),
        pytest.param("x = (\n", "(line 3)", id="syntax"),
        pytest.param("import sys; sys.exit('no settings')\n", "", id="exit"),
        pytest.param("import os; os._exit(4)\n", "exitcode 4", id="_exit"),
        pytest.param("", "No Celery app", id="no app"),
    ],
)
def test_code_that_cannot_be_imported(failed: Failing, empty: Project, code: str, why: str) -> None:
    """Of such a commit nothing can be said."""
    failed.replay("divide-1", "--save", str(empty.root / "case.json")).expect(0)
    empty.write({"tasks.py": code and f"from celery import Celery\napp = Celery()\n{code}"})
    done = empty.devkit("replay", "case.json", "--same").expect(125)
    assert done.out.startswith("cannot replay: ")
    assert why in done.out + done.err


def test_a_store_that_does_not_answer(empty: Project) -> None:
    empty.write({"tasks.py": PROGRAM})
    done = empty.devkit("replay", "divide-1", "--result-backend", f"{DEAD_REDIS}/1").expect(125)
    assert "does not answer" in done.out
    assert "does not answer" in empty.devkit("replay", "--all", "--result-backend", f"{DEAD_REDIS}/1").err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "which failure?"),
        (["divide-1", "--all"], "--all is every failure"),
        (["divide-1", "--queue", "q"], "--queue goes with --send only"),
        (["divide-1", "--with-secrets"], "--with-secrets goes with --save"),
        (["divide-1", "--task", "divide"], "--task goes with --all only"),
        (["divide-1", "--send", "--save", "x.json"], "--send and --save do not go together"),
        (["divide-1", "--watch", "--check"], "--check and --watch do not go together"),
        (["divide-1", "other-1", "--pdb"], "--pdb is for one failure"),
        (["--all", "--to-test", "test_x.py"], "--to-test is for one failure"),
        (["divide-1", "--pdb", "--json"], "--pdb is for people"),
        (["divide-1", "--save", "x.json", "--json"], "--save is for people"),
        (["divide-1", "--send", "--args", "[1, 2]"], "--send runs nothing here: --args does not go with it"),
        (["divide-1", "--save", "x.json", "--pdb"], "--save runs nothing here: --pdb does not go with it"),
        (["divide-1", "--args", '{"x": 1}'], "--args has to be a JSON array"),
        (["divide-1", "--kwargs", "[1]"], "--kwargs has to be a JSON object"),
    ],
)
def test_what_makes_no_sense(small: Project, options: list[str], why: str) -> None:
    done = small.devkit("replay", *options).expect(2)
    assert why in done.err
    assert done.out == ""
