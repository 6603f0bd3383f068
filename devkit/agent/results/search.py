"""Finds failed tasks in the result backend of the project's Celery app, where nothing of devkit's recorded them."""

import heapq
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from ...model.text import is_named
from ...model.wire import ResultsNews, ResultsOrder
from ..app.describe import refuse_anothers
from ..app.errand import take_order
from ..app.load import Problem, load_app
from .backends import BackendReader, Meta, down, reader_for
from .meta import failed_at, failure_of, name_of, never_ran

Tell = Callable[[ResultsNews], None]
PROGRESS_EVERY_S = 0.2


def main(arguments: "list[str]") -> None:
    """Answer the order on standard input about the app MODULE ATTRIBUTE."""
    take_order(ResultsOrder, lambda order, tell: answer(load_app(*arguments), order, tell))


def answer(app: Any, order: ResultsOrder, tell: Tell) -> None:
    """Raises Problem."""
    refuse_anothers(app)
    reader = reader_for(app, order["allow_pickle"], _progress(tell))
    if order["do"] == "list":
        _list(app, reader, order, tell)
    else:
        _find(app, reader, order["id"], tell)


def _list(app: Any, reader: BackendReader, order: ResultsOrder, tell: Tell) -> None:
    """The newest failures of this task, since then; not those that only show another task's."""
    left_out: Counter[str] = Counter()
    try:
        newest = _newest(reader, order, left_out)
    except Problem:
        raise
    except Exception as error:
        raise down(app, error) from error
    for meta in newest:
        _tell_failure(app, reader, meta, tell)
    tell({"done": {
        "read": reader.read, "where": reader.where, "unreadable": reader.unreadable,
        "never_ran": left_out["never_ran"], "nameless": left_out["nameless"],
    }})  # fmt: skip


def _newest(reader: BackendReader, order: ResultsOrder, left_out: "Counter[str]") -> "list[Meta]":
    task, since, limit = order["task"], order["since"], order["limit"]
    # The oldest first, so that it makes way: of a million results only those that are told are kept.
    newest: list[tuple[float, str, Meta]] = []
    kept: set[str] = set()  # Redis may name a key twice
    for meta in reader.failed():
        at, name = failed_at(meta), name_of(meta)
        if reader.newest_first and (at < since or len(newest) == limit):
            break
        if at < since or meta["task_id"] in kept or (task and name and not is_named(name, task)):
            continue
        if never_ran(meta):
            left_out["never_ran"] += 1
        elif task and not name:
            left_out["nameless"] += 1
        else:
            heapq.heappush(newest, (at, meta["task_id"], meta))
            kept.add(meta["task_id"])
            if limit is not None and len(newest) > limit:
                kept.remove(heapq.heappop(newest)[1])
    return [meta for _, _, meta in sorted(newest, key=lambda one: one[:2], reverse=True)]


def _find(app: Any, reader: BackendReader, prefix: str, tell: Tell) -> None:
    """The one of that id, or all whose id begins so."""
    try:
        whole = reader.one(prefix) if prefix else None
        if whole or reader.unreadable:
            found = {prefix: whole} if whole else {}
        else:
            found = {meta["task_id"]: meta for meta in reader.failed(prefix)}
    except Problem as problem:
        if problem.report["problem"] != "cannot list":
            raise
        found = {}
    except Exception as error:
        raise down(app, error) from error
    tell({"ids": sorted(found), "where": reader.where, "unreadable": reader.unreadable})
    for meta in found.values() if len(found) == 1 else ():
        _tell_failure(app, reader, meta, tell)


def _tell_failure(app: Any, reader: BackendReader, meta: Meta, tell: Tell) -> None:
    try:
        failure = failure_of(app, reader.backend, meta)
    except Exception:  # whoever wrote it, it was not Celery
        reader.unreadable += 1
        return
    tell({"record": failure.to_record()})


def _progress(tell: Tell) -> "Callable[[int, int | None], None]":
    last = time.monotonic()

    def progress(read: int, of: "int | None") -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_EVERY_S:
            last = time.monotonic()
            tell({"read": read, "of": of})

    return progress
