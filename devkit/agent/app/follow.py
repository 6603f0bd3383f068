"""Tells what becomes of a task that was sent, by its result, its events, its record, and its worker."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...model.failure import Failure
from ...model.wire import SendNews, SendOrder, TaskEnd
from ...store.failures import choose, open_store
from ...store.places import Places
from ...store.records import newest_run
from ...store.sessions import PAUSED, Sessions
from ..structure import is_plain
from ..tell.stored import raised_in
from ..tell.traceback import read_traceback
from ..tell.values import short
from .consumers import Consumers
from .events import ENDS, TaskEvents
from .load import Problem
from .stored import PENDING, READY, Away, Meta, is_doubtful, stored

Tell = Callable[[SendNews], None]
POLL_S = 0.05
ASK_AGAIN_S, SILENT_S, ANSWER_S = 1.0, 5.0, 0.5  # so often the worker is asked whether it still has the task
LATE_S = 2.0  # a result may come so much later than the event, a start than the receipt
RECORD_S = 1.0  # and the record of a failure than its end
KEPT_S = 5.0  # on a busy machine; only where a worker of devkit's runs, which makes one
AWAY_S = 60.0


class Follow:
    """One task's. `result` is Celery's; None where it keeps none."""

    def __init__(
        self, app: Any, task: Any, result: Any, events: TaskEvents, consumers: Consumers, order: SendOrder, tell: Tell
    ) -> None:
        self._app, self._task, self._events, self._consumers, self._tell = app, task, events, consumers, tell
        self._id: str = result.id
        self._backend = result.backend if keeps_results(app, task) else None
        self._order = order
        self._sessions = Sessions(order["sessions"]) if order["sessions"] else None
        self._began = time.monotonic()
        self._since: dict[str, float] = {}  # what is so, and since when
        self._told: set[object] = set()
        self._last: object = None
        self._ask_after = 0.0
        self._gone = False

    def to_its_end(self) -> None:
        """Raises Problem where the result backend stays away."""
        while not (end := self._end()):
            self._tell_pause()
            self._tell_who_waits()
            self._events.wait(POLL_S)
        self._tell({"done": end})

    # How it ended

    def _end(self) -> "TaskEnd | None":
        meta = self._stored()
        if meta is None:
            return None
        if "unread" not in meta and meta["status"] in READY and not is_doubtful(meta):
            return self._of_result(meta) if self._is_kept(meta["status"]) else None
        event = self._events.end
        if event and (self._backend is None or self._is_for("ended", LATE_S)):
            if meta["status"] == "RETRY":  # which may have come together with the end
                self._tell_state(meta)
            return self._of_event(event, meta)
        if is_doubtful(meta):
            return self._of_doubtful(meta)
        self._tell_state(meta)
        return self._of_lost()

    def _stored(self) -> "Meta | None":
        """None where the backend does not answer."""
        if self._backend is None:
            retried = self._events.retried
            return {"status": "RETRY", "result": retried.get("exception")} if retried else {"status": PENDING}
        try:
            meta = stored(self._app, self._backend, self._id)
        except Away as away:
            url = str(self._app.conf.result_backend)
            if not self._is_for("away", 0.0):
                self._tell({"away": str(away), "url": url})
            elif self._is_for("away", AWAY_S):
                raise Problem("stays away", url=url, message=str(away), task=self._id) from away
            return None
        self._since.pop("away", None)
        return meta

    def _of_result(self, meta: Meta) -> TaskEnd:
        told = meta.get("traceback")
        if meta["status"] == "SUCCESS":
            return self._made("SUCCESS", result=meta.get("result"), told=told)
        return self._made(meta["status"], said=_in_short(meta), told=told)

    def _of_event(self, event: "dict[str, Any]", meta: Meta) -> TaskEnd:
        """What the worker told, where no result does."""
        state = ENDS[event["type"]]
        if state == "SUCCESS":
            return self._made(state, note=f"ran, {self._why_no_result}", said=self._unrun(str(event.get("result"))))
        if state == "FAILURE" and (found := self._recorded()):
            return found
        told = event.get("traceback")
        said = {"REVOKED": "expired" if event.get("expired") else "revoked", "REJECTED": "rejected"}.get(state)
        raised = read_traceback(str(told or ""))
        text = _named(raised.exception, raised.message) if raised.exception else str(event.get("exception"))
        note = f"as stored: {short(meta.get('result'))}" if is_doubtful(meta) else ""
        return self._made(state, said=said or text, told=told, note=note)

    def _of_doubtful(self, meta: Meta) -> "TaskEnd | None":
        """It is over if there is a record of its failure, or if no worker has it any more."""
        if found := self._recorded():
            return found
        self._gone |= self._is_held() is False
        if not (self._gone and self._is_for("gone", RECORD_S)):
            if "unread" not in meta:
                self._tell_state(meta)
            return None
        if "unread" in meta:
            said = f"what is stored cannot be read: {meta['unread']}\n{meta['result'] or ''}"
            return self._made("UNKNOWN", said=said.rstrip())
        return self._made(meta["status"], said=_in_short(meta), told=meta.get("traceback"))

    def _of_lost(self) -> "TaskEnd | None":
        """A task may end without a result and without an event."""
        events = self._events
        if not events.started or events.end or not self._is_for("runs", LATE_S) or self._is_held() is not False:
            return None
        if not (found := self._recorded()):
            self._once("lost", {"lost": True, "worker": events.worker})
        return found

    @property
    def _why_no_result(self) -> str:
        if self._backend is not None:
            return "no result is stored"
        return "its result is ignored" if self._app.conf.result_backend else "the app has no result backend"

    def _is_kept(self, state: str) -> bool:
        """Whether the record of a failure is there, which comes a moment after its result: who is told of the failure
        looks for it. False only as long as there may be one."""
        if state != "FAILURE" or self._is_for("unkept", KEPT_S):
            return True
        return not Places(self._order["failures"]).living() or self._recorded() is not None

    def _recorded(self) -> "TaskEnd | None":
        """Its failure, if devkit's recorder has kept it."""
        urls = [self._app.conf.broker_write_url, self._app.conf.result_backend]
        with suppress(Exception):
            broker, backend = (url if isinstance(url, str) else "" for url in urls)
            runs = open_store(choose(broker, backend, self._order["failures"])).attempts(self._id)
            found: Failure | None = newest_run(runs)
            if found and found.counts:
                return self._made(found.state, said=_named(found.exception, found.message), told=found.traceback)
        return None

    def _is_held(self) -> "bool | None":
        """Whether a worker has the task; None where none answers, as one of pool solo while it works, or none was asked
        just now."""
        if time.monotonic() < self._ask_after:
            return None
        to, answers = [self._events.worker] if self._events.worker else None, None
        with suppress(Exception):
            answers = self._app.control.inspect(destination=to, timeout=ANSWER_S).query_task(self._id)
        self._ask_after = time.monotonic() + (ASK_AGAIN_S if answers else SILENT_S)
        return any(self._id in answer for answer in answers.values()) if answers else None

    def _made(
        self, state: str, *, result: Any = None, said: "str | None" = None, told: Any = None, note: str = ""
    ) -> TaskEnd:
        return TaskEnd(
            state=state,
            result=as_json(result),
            exception=said and (self._unrun(said) or said),
            traceback=None if told is None else str(told),
            runtime_s=round(time.monotonic() - self._began, 3),
            note=note,
        )

    def _unrun(self, said: str) -> "str | None":
        """Why nothing of the task's body has run, where Celery was left with a coroutine or a generator."""
        kind = unrun_kind(self._task)
        if not kind or kind not in said:
            return None
        name = self._task.name.rpartition(".")[2]
        how = (
            "async def: Celery does not await it"
            if "coroutine" in kind
            else "a generator: Celery does not go through it"
        )
        return f"{name} is {how}"

    # What is told meanwhile

    def _tell_state(self, meta: Meta) -> None:
        found = meta.get("result")
        state = meta["status"]
        if state == "RETRY" and isinstance(found, (dict, BaseException)):
            found = _in_short(meta)
        now = (state, found if is_plain(found) else short(found))  # an error is another object each time
        if now != self._last and state not in (PENDING, "STARTED"):
            self._tell({"state": state, "info": as_json(found)})
        self._last = now

    def _tell_pause(self) -> None:
        for session in self._sessions.of_task(self._id) if self._sessions else ():
            if session.state == PAUSED and session.since not in self._told:
                self._told.add(session.since)
                self._tell({"paused": session.file, "line": session.line})

    def _tell_who_waits(self) -> None:
        """That nobody takes the task, or that it waits although a worker has it."""
        consumers, events = self._consumers, self._events
        if events.worker:
            rate = getattr(self._task, "rate_limit", None)
            if rate and not events.started and self._is_for("waits", LATE_S):
                self._once("limited", {"limited": str(rate), "worker": events.worker})
        elif consumers.known and (self._last is None or self._last == (PENDING, None)):
            tell_consumers(consumers, self._once)
            if self._backend is None and consumers.is_consumed and self._is_for("silent", LATE_S):
                self._once("silent", {"silent": True})

    def _once(self, what: str, news: SendNews) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(news)

    def _is_for(self, what: str, seconds: float) -> bool:
        """Whether that has been so for so long; at the first time it begins."""
        began = self._since.get(what)
        if began is None:
            self._since[what] = time.monotonic()
            return False
        return time.monotonic() - began >= seconds


def tell_consumers(consumers: Consumers, tell: "Callable[[str, SendNews], None]") -> None:
    """That no worker answers, or that none of those that do takes tasks from the queue."""
    if not consumers.workers:
        tell("no worker", {"no_worker": True})
    elif consumers.queue and not consumers.is_consumed:
        tell("nobody", {"nobody": consumers.queue, "workers": consumers.workers})


def keeps_results(app: Any, task: Any) -> bool:
    """Whether Celery stores what the task returns."""
    from celery.backends.base import DisabledBackend

    ignored = task.ignore_result if task.ignore_result is not None else app.conf.task_ignore_result
    return not ignored and not isinstance(task.backend, DisabledBackend)


def unrun_kind(task: Any) -> str:
    """What a call of the task's function makes instead of running it: a coroutine, a generator, or neither."""
    import inspect

    function = inspect.unwrap(getattr(task, "_orig_run", task.run))
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    return "generator" if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function) else ""


def as_json(value: Any) -> Any:
    """The value, if it can go through JSON; what cannot is text."""
    try:
        json.dumps(value, default=repr)
        return value
    except Exception:
        return short(value)


def _in_short(meta: Meta) -> str:
    """The last name of the exception's type, and its message; or the result as it is stored."""
    return _named(*raised_in(meta, read_traceback(str(meta.get("traceback") or ""))))


def _named(exception: str, message: str) -> str:
    name = exception.rpartition(".")[2]
    return f"{name}: {message}" if name else message
