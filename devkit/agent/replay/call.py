"""Makes of a stored failure what a worker makes of a message: the task, its arguments, and its request."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import zip_longest
from typing import Any

import celery
from kombu.serialization import loads, prepare_accept_content, registry

from ...model.failure import Failure
from ...model.wire import Mutated, ReplayAnswer
from ..structure import is_plain
from ..tell.equality import Unclear, same
from ..tell.exceptions import message
from ..tell.values import MASK, call_text, is_secret, positional, short

PICKLE = "application/x-python-serialize"
_ABSENT = object()

Arguments = tuple[list[Any], dict[str, Any], dict[str, Any]]


class Cannot(Exception):  # noqa: N818 - it says what is the matter
    """The task cannot be run again, or not as asked; `kind` is for devkit's side, the rest for people."""

    def __init__(self, kind: str, why: str, *mend: str) -> None:
        super().__init__(kind)
        self.report: ReplayAnswer = {"cannot": {"kind": kind, "why": why, "mend": list(mend)}}


@dataclass(frozen=True)
class Call:
    """A task with its arguments; `decode` makes them, and what came with them, once more from the message."""

    task: Any
    failure: Failure
    args: "list[Any]"
    kwargs: "dict[str, Any]"
    embed: "dict[str, Any]"
    decode: "Callable[[], Arguments]"

    @property
    def text(self) -> str:
        """The arguments for people, secrets masked."""
        return call_text(self.task.run, self.args, self.kwargs)

    @property
    def request(self) -> "dict[str, Any]":
        """What the task finds in `self.request`, as celery.worker.request.Request and trace_task_ret make it."""
        failure = self.failure
        properties, delivery = failure.properties, failure.delivery_info
        return {
            "retries": failure.retries,
            **failure.headers,
            "id": failure.id,
            "task": failure.task,
            **({"properties": properties} if celery.VERSION >= (5, 2) else {}),
            "reply_to": properties.get("reply_to"),
            "correlation_id": properties.get("correlation_id"),
            "delivery_info": {
                "exchange": delivery.get("exchange"),
                "routing_key": delivery.get("routing_key"),
                "priority": properties.get("priority"),
                "redelivered": delivery.get("redelivered", False if celery.VERSION >= (5, 3) else None),
            },
            "args": self.args,
            "kwargs": self.kwargs,
            "hostname": failure.worker,
            "is_eager": False,
            **self.embed,
        }


def rebuild(
    app: Any,
    failure: Failure,
    *,
    args: "list[Any] | None" = None,
    kwargs: "dict[str, Any] | None" = None,
    allow_pickle: bool = False,
) -> Call:
    """The call that failed; `args` and `kwargs` take the place of its own. Raises Cannot."""
    if not failure.task:
        raise Cannot("no body", failure.missing)  # what is known of it does not even name the task
    task = _task(app, failure.task)
    given = json.dumps([args, kwargs]).encode()

    def decode() -> Arguments:
        if args is not None and kwargs is not None and (failure.body is None or _is_pickle(failure)):
            own: Arguments = ([], {}, {})  # nothing of what cannot be read is needed
        else:
            own = _decoded(app, failure, allow_pickle)
        new_args, new_kwargs = loads(given, "application/json", "utf-8", accept={"application/json"})  # type: ignore[no-untyped-call]
        return (own[0] if new_args is None else new_args), (own[1] if new_kwargs is None else new_kwargs), own[2]

    return Call(task, failure, *decode(), decode)


def check(call: Call) -> None:
    """Raises Cannot where the arguments no longer fit the task."""
    if not call.task.typing:  # Celery itself would send anything
        return
    try:
        signature = inspect.signature(call.task.run)
    except Exception:  # it may have to evaluate annotations: the call itself shows it then
        return
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        raise Cannot(
            "unbound",
            f"the arguments no longer fit {call.task.name}{_plain(signature)}: {error}",
            "--args or --kwargs gives it others",
        ) from None


def _plain(signature: inspect.Signature) -> inspect.Signature:
    """As it can be printed: what else is in it may have a `__repr__` of the project's."""

    def plain(value: Any, instead: Any = inspect.Signature.empty) -> Any:
        return value if type(value) is type or is_plain(value) else instead

    parameters = [
        one.replace(annotation=plain(one.annotation), default=plain(one.default, ...))
        for one in signature.parameters.values()
    ]
    return inspect.Signature(parameters, return_annotation=plain(signature.return_annotation))


def failed_at_the_call(failure: Failure) -> bool:
    """Whether it may have failed because its arguments did not fit even then."""
    return failure.exception == "TypeError" and failure.own_frame is None


def mutated(call: Call) -> "list[Mutated] | None":
    """The arguments that the task has changed in place; None where that cannot be told."""
    try:
        before, after = _by_name(call, call.decode()), _by_name(call, (call.args, call.kwargs))
        changed = [name for name in {**before, **after} if not _same(before, after, name)]
        # What is not even equal to itself, decoded once more, cannot be compared.
        again = _by_name(call, call.decode()) if changed else {}
    except Exception:  # the project's own serializer had a part in it
        return None
    told = [name for name in changed if _same(before, again, name)]
    found = [Mutated(name=name, before=_shown(name, before), after=_shown(name, after)) for name in told]
    return found or (None if changed else [])


def _by_name(call: Call, arguments: "Sequence[Any]") -> "dict[str, Any]":
    args, kwargs = arguments[:2]
    names = positional(call.task.run, len(args))
    return {
        **{_label(name, number): value for number, (name, value) in enumerate(zip_longest(names, args, fillvalue=""))},
        **kwargs,
    }


def _label(name: str, number: int) -> str:
    return f"{name}[{number}]" if name.startswith("*") else name or f"argument {number + 1}"


def _same(ones: "Mapping[str, Any]", others: "Mapping[str, Any]", name: str) -> bool:
    """Whether both have equal values of that name, as far as that can be known."""
    try:
        return same(ones.get(name, _ABSENT), others.get(name, _ABSENT))
    except Unclear:
        return False


def _shown(name: str, values: "Mapping[str, Any]") -> str:
    if name not in values:
        return ""
    return MASK if is_secret(name) else short(values[name])


def _task(app: Any, name: str) -> Any:
    if name in app.tasks:
        return app.tasks[name]
    names = sorted(known for known in app.tasks if not known.startswith("celery."))
    last = name.rpartition(".")[2]
    close = [known for known in names if known.rpartition(".")[2] == last] or get_close_matches(name, names)
    raise Cannot(
        "no task",
        f"the project has no task {name}",
        *([f"it has {', '.join(close)}: was it renamed?"] if close else []),
    )


def _is_pickle(failure: Failure) -> bool:
    return failure.content_type == PICKLE or registry.type_to_name.get(failure.content_type) == "pickle"


def _decoded(app: Any, failure: Failure, allow_pickle: bool) -> Arguments:
    """The message's body, through the serializer that a worker would use. Raises Cannot."""
    if failure.body is None:
        raise Cannot("no body", failure.missing or "its arguments were not kept", "--args and --kwargs give it some")
    accept = prepare_accept_content(app.conf.accept_content) or set()  # type: ignore[no-untyped-call]
    if _is_pickle(failure):
        if not allow_pickle:
            raise Cannot(
                "pickle",
                "its arguments are pickled, and reading those can run any code",
                "--allow-pickle reads them, if you trust where they come from",
            )
        accept = {*accept, PICKLE}
    try:
        body = loads(failure.body, failure.content_type, failure.content_encoding, accept=accept)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise Cannot(
            "unreadable body", f"its arguments cannot be read: {type(error).__name__}: {message(error)}"
        ) from None
    match body:
        case [list() | tuple() as args, Mapping() as kwargs, Mapping() | None as embed]:
            return list(args), dict(kwargs), dict(embed or {})
    raise Cannot("unreadable body", f"its message is of {failure.content_type}, and not one of a task")
