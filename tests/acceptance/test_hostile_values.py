"""A task that fails ends as soon as without devkit, whatever the values are that it leaves behind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.model.failure import Failure
from devkit.store.failures import open_store
from tests.acceptance.harness import Project, wait_until
from tests.acceptance.reloading import Reloading, reloading

# Each method notes that it was called; most of them never return.
PROGRAM = '''
import os, sqlite3, threading, time
from dataclasses import dataclass, field
from celery import Celery

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])


def called(*_, **__):
    with open("called", "a") as file:
        file.write("x")


def hangs(*_, **__):
    called()
    threading.Event().wait()


def exits(*_, **__):
    called()
    raise SystemExit(1)


class Hangs:
    __repr__ = __str__ = __format__ = __len__ = __bool__ = __iter__ = __eq__ = __hash__ = __getattr__ = hangs
    def __init__(self, password):
        self.amount, self.password = 42, password


class Exits:
    amount = property(exits)
    __class__ = property(exits)
    __dict__ = property(exits)
    __repr__ = __getattribute__ = exits


class Meta(type):
    __name__ = __mro__ = property(hangs)
    __eq__ = __hash__ = __instancecheck__ = __subclasscheck__ = __getattribute__ = hangs


class Rows:
    """As the lazy results of an ORM are."""
    def __init__(self, table):
        self.table = table
    def __iter__(self):
        called()
        return iter(sqlite3.connect(":memory:").execute(f"select * from {self.table}").fetchall())
    def __len__(self):
        return len(list(self))
    def __repr__(self):
        return repr(list(self))


class Text(str):
    __repr__ = __str__ = __len__ = __getitem__ = __eq__ = __hash__ = isprintable = hangs


class Items(dict):
    __repr__ = __len__ = __iter__ = items = keys = __getitem__ = hangs


class Others(list):
    __repr__ = __len__ = __iter__ = __getitem__ = hangs


@dataclass
class Order:
    id: int
    token: str
    rows: Rows
    hidden: int = field(repr=False, default=0)
    __repr__ = hangs


@app.task
def fails(password):
    thing, gone, rows, order = Hangs(password), Exits(), Rows("orders"), Order(7, password, Rows("items"))
    odd = type.__call__(type.__new__(Meta, "Odd", (), {}))
    text, items, others = Text("abc"), Items(count=1, secret=password), Others([1, 2])
    around = []
    around.append(around)
    big, number, wide = b"x" * 2**26, 1 << 10**8, list(range(10**6))
    deep = []
    for _ in range(10**5):
        deep = [deep]
    raise ValueError("the reason")


@app.task
def returns(password):
    return {"done": True}
'''
SHOWN = {
    "thing": "<Hangs amount=42, password=***>",
    "gone": "<Exits>",
    "rows": "<Rows table='orders'>",
    "order": "Order(id=7, token=***, rows=<Rows table='items'>)",
    "odd": "<Odd>",
    "text": "Text('abc')",
    "items": "Items({'count': 1, 'secret': ***})",
    "others": "Others([1, 2])",
}


@pytest.fixture
def site(empty: Project, tmp_path: Path) -> Iterator[Reloading]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with reloading(empty, folder) as made:
        empty.write({"tasks.py": PROGRAM})
        yield made


@pytest.mark.parametrize("pool", [("-c", "1"), ("-P", "threads", "-c", "1"), ("-P", "solo")], ids=lambda it: it[1])
def test_nothing_of_the_users_runs_while_a_failure_is_described(site: Reloading, pool: tuple[str, ...]) -> None:
    def kept() -> "Failure | None":
        return next(iter(open_store(f"{site.url}/1").attempts(sent.id)), None)

    site.start(*pool)
    sent = site.send("fails", "hunter2")
    wait_until(lambda: sent.state == "FAILURE")
    failure = wait_until(kept)

    assert not (site.project.root / "called").exists()
    assert (failure.exception, failure.message) == ("ValueError", "the reason")
    assert failure.own_frame
    values = failure.own_frame.locals
    assert {name: values[name] for name in SHOWN} == SHOWN
    assert "hunter2" not in json.dumps([failure.call, failure.traceback, values])
    assert site.run("returns", "p") == {"done": True}  # the process is free for the next one
