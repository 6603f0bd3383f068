"""Lets nothing out while a task is run again: what it sends is listed, what it stores is not stored.

With `live` what it sends goes out. What would become of the task itself is not stored then either: its result, its
part of a chord, and what its failure does to the rest of its chain stay what they were.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import celery
from celery.app.amqp import AMQP
from celery.app.control import Control, Inspect
from celery.app.task import Task
from celery.backends.base import BaseBackend, DisabledBackend
from celery.states import PENDING
from kombu.serialization import dumps

from ...model.wire import SentTask
from ..tell.messages import call_of, ids, name_of, queue_of, seconds_until, signatures
from ..tell.values import short

# A task that looks after what it has sent may ask for its state, but one that asks again and again waits for it.
MOST_LOOKS = 10
# Backends whose libraries take longer to import than all the rest of a replay; most tasks never ask for a result.
SLOW = ("redis", "sentinel", "db+")


class Waits(BaseException):
    """The task waits for the result of something that was not sent; not for the task to catch."""


class Sandbox:
    """What happens within it stays there; `sent` lists what the task would have sent."""

    def __init__(self, app: Any, request: "dict[str, Any]", *, live: bool) -> None:
        self.sent: list[SentTask] = []
        self.waits_for = ""
        self._app = app
        self._live = live
        self._request = request
        self._own = {request["id"], *ids(request.get("chain") or [])}  # whose results are not for a replay to store
        self._unsent: dict[str, str] = {}  # ids, and the tasks' names
        self._looks: Counter[str] = Counter()
        self._undo: list[Callable[[], None]] = []
        self._guarded: set[type] = set()

    def __enter__(self) -> "Sandbox":
        sender = vars(AMQP)["send_task_message"]
        send = self._sends if self._live else self._lists
        self._replace(AMQP, "send_task_message", property(lambda amqp: send(amqp, sender)))
        # It is to run again even if it has succeeded since.
        if celery.VERSION >= (5, 1):
            self._configure("worker_deduplicate_successful_tasks", False)
        self._watch_backend()
        if not self._live:
            self._configure("task_always_eager", False)  # as if it were sent
            self._replace(Control, "broadcast", self._broadcast(Control.broadcast))
            self._replace(Task, "send_event", lambda *_, **__: None)
        return self

    def __exit__(self, *_: object) -> None:
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        own = vars(owner)
        if name in own:
            before = own[name]
            self._undo.append(lambda: setattr(owner, name, before))
        else:
            self._undo.append(lambda: delattr(owner, name))
        setattr(owner, name, value)

    def _configure(self, name: str, value: Any) -> None:
        before = self._app.conf[name]
        self._undo.append(lambda: self._app.conf.update({name: before}))
        self._app.conf.update({name: value})

    # --- what it sends ---

    def _lists(self, amqp: Any, _: Any) -> "Callable[..., None]":
        self._guard(type(amqp.app.backend))

        def send(_producer: Any, name: str, message: Any, **options: Any) -> None:
            # What cannot be written into a message fails here, as in a worker.
            dumps(message[2], serializer=options.get("serializer") or amqp.app.conf.task_serializer)  # type: ignore[no-untyped-call]
            self._note(amqp.app, name, message, options)

        return send

    def _sends(self, amqp: Any, sender: Any) -> "Callable[..., Any]":
        original = sender.__get__(amqp, type(amqp))

        def send(producer: Any, name: str, message: Any, **options: Any) -> Any:
            sent = original(producer, name, message, **options)
            self._note(amqp.app, name, message, options)
            return sent

        return send

    def _note(self, app: Any, name: str, message: Any, options: "dict[str, Any]") -> None:
        """`message` is Celery's task_message, of protocol 2 or 1."""
        headers, _, body, _ = message
        if isinstance(body, Mapping):
            headers, args, kwargs, embed = body, body["args"], body["kwargs"], body
        else:
            args, kwargs, embed = body
        chord = embed.get("chord")
        after = [*reversed(embed.get("chain") or []), *(embed.get("callbacks") or [])]
        if not self._live:
            self._unsent[headers["id"]] = name
            self._unsent.update(signatures([*after, *([chord] if chord else [])]))
        self.sent.append(
            {
                "kind": self._kind(headers),
                "task": name,
                "id": str(headers["id"]),
                "call": call_of(app, name, args, kwargs),
                "queue": queue_of(app, options),
                "eta": headers.get("eta"),
                "countdown": seconds_until(headers.get("eta")),
                "then": [name_of(signature) for signature in after],
                "chord": name_of(chord) if chord else None,
            }
        )

    def _kind(self, headers: "Mapping[str, Any]") -> str:
        def nesting(values: "Mapping[str, Any]") -> int:
            return values.get("replaced_task_nesting") or 0

        own = headers["id"] == self._request["id"]
        if own and (headers.get("retries") or 0) > (self._request.get("retries") or 0):
            return "retry"
        return "replace" if own or nesting(headers) > nesting(self._request) else "task"

    def _note_errbacks(self, errbacks: Any) -> None:
        for errback in errbacks:
            name = name_of(errback)
            self._note_other("errback", name, call_of(self._app, name, errback.get("args"), errback.get("kwargs")))

    def _note_other(self, kind: str, task: str, call: str) -> None:
        self.sent.append({
            "kind": kind, "task": task, "id": "", "call": call,
            "queue": None, "eta": None, "countdown": None, "then": [], "chord": None,
        })  # fmt: skip

    def _broadcast(self, original: Any) -> "Callable[..., Any]":
        def broadcast(control: Any, command: str, arguments: Any = None, *args: Any, **options: Any) -> Any:
            if hasattr(Inspect, command):  # it only asks
                return original(control, command, arguments, *args, **options)
            self._note_other("control", command, short(arguments or {}))
            return [] if options.get("reply") else None

        return broadcast

    # --- what it stores, and what it reads ---

    def _watch_backend(self) -> None:
        """See to the results backend, now or once it is there."""
        app, make = self._app, self._app._get_backend
        opened = bool(getattr(getattr(app, "_local", None), "backend", None) or getattr(app, "_backend_cache", None))
        if opened or self._live or not str(app.conf.result_backend).startswith(SLOW):
            self._guard(type(app.backend))
            return
        plain, made = _Plain(app=app), []

        def get_backend() -> Any:
            backend = make()
            self._guard(type(backend))
            made.append(backend)
            return backend

        def backend_of(task: Any) -> Any:
            if task._backend is not None:
                self._guard(type(task._backend))
                return task._backend
            return task.app.backend if made or task.app is not app else _Unopened(plain, app)

        self._guard(_Plain)
        self._replace(app, "_get_backend", get_backend)
        self._replace(Task, "backend", property(backend_of, Task.backend.fset))

    def _guard(self, backend: Any) -> None:
        """See to the results that backends of this class store."""
        if backend in self._guarded or issubclass(backend, DisabledBackend):
            return
        self._guarded.add(backend)
        mine: dict[str, Callable[..., bool]] = {
            "store_result": lambda task_id, *_, **__: task_id in self._own,
            "forget": lambda task_id, *_, **__: task_id in self._own,
            "on_chord_part_return": lambda request, *_, **__: request.id in self._own,
        }
        instead: dict[str, Callable[..., Any]] = {
            "store_result": _encode,
            "apply_chord": lambda backend, *_, **__: backend.ensure_chords_allowed(),
            "on_task_call": lambda *_, **__: {},
            "_call_task_errbacks": lambda _, request, *__: self._note_errbacks(request.errbacks),
        }
        for name in (
            "store_result", "forget", "on_chord_part_return", "apply_chord", "set_chord_size", "add_to_chord",
            "save_group", "delete_group", "cleanup", "on_task_call", "_call_task_errbacks",
        ):  # fmt: skip
            if hasattr(backend, name):
                swallow = instead.get(name, _nothing)
                self._replace(backend, name, self._unless_live(getattr(backend, name), swallow, mine.get(name)))
        if not self._live:
            pend = backend.add_pending_result
            for name in ("wait_for_pending", "iter_native"):
                self._replace(backend, name, self._not_for_ever(getattr(backend, name), pend))
            self._replace(backend, "add_pending_result", lambda _, result, **__: result)
            self._replace(backend, "get_task_meta", self._not_stored(backend.get_task_meta))

    def _unless_live(self, original: Any, instead: Any, mine: Any) -> "Callable[..., Any]":
        def call(backend: Any, *args: Any, **kwargs: Any) -> Any:
            if self._live and not (mine and mine(*args, **kwargs)):
                return original(backend, *args, **kwargs)
            return instead(backend, *args, **kwargs)

        return call

    def _not_for_ever(self, original: Any, pend: Any) -> "Callable[..., Any]":
        def call(backend: Any, result: Any, *args: Any, **kwargs: Any) -> Any:
            for node in _nodes(result):
                self._waited_for(node.id)
            for node in _nodes(result):
                pend(backend, node)  # what is only being put together asks for nothing yet
            return original(backend, result, *args, **kwargs)

        return call

    def _not_stored(self, original: Any) -> "Callable[..., Any]":
        def call(backend: Any, task_id: str, *args: Any, **kwargs: Any) -> Any:
            if task_id in self._unsent:
                self._looks[task_id] += 1
                if self._looks[task_id] > MOST_LOOKS:
                    self._waited_for(task_id)
            elif task_id not in self._own or task_id == self._request["id"]:
                return original(backend, task_id, *args, **kwargs)
            return {"status": PENDING, "result": None}

        return call

    def _waited_for(self, task_id: str) -> None:
        if task_id in self._unsent:
            self.waits_for = self._unsent[task_id]
            raise Waits(self.waits_for)


class _Plain(BaseBackend):  # type: ignore[misc]  # celery has no type hints
    """What is common to all backends."""

    supports_failure_expires = supports_result_compression = True


class _Unopened:
    """A backend that does without its database what becomes of a task from its start to its end."""

    def __init__(self, plain: Any, app: Any) -> None:
        self._plain = plain
        self._app = app

    def __getattr__(self, name: str) -> Any:
        ends = ("store_result", "mark_as_done", "mark_as_failure", "mark_as_retry", "process_cleanup")
        return getattr(self._plain if name in ends else self._app.backend, name)


def _nothing(*_: Any, **__: Any) -> None:
    """Takes the place of what would store something."""


def _encode(
    backend: Any, _: str, result: Any, state: str, traceback: Any = None, request: Any = None, **__: Any
) -> Any:
    """What cannot be written as a result fails, as in a worker."""
    encoded = backend.encode_result(result, state)
    backend.encode(backend._get_result_meta(encoded, state, traceback, request))
    return encoded


def _nodes(result: Any) -> "Iterator[Any]":
    """The tasks' results of a result, which may be that of a group."""
    inner = getattr(result, "results", None)
    if inner is None:
        yield result
    for each in inner or []:
        yield from _nodes(each)
