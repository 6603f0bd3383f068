"""One failure as a whole: the request, its arguments, the runs before it, the traceback with source and locals."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from devkit.cli.console import wants_colour
from devkit.cli.failures.table import masked, masked_arguments
from devkit.cli.text import clock, columns, fit, iso, when
from devkit.debug.render import Paint
from devkit.model.failure import Failure, Frame
from devkit.model.own import within
from devkit.model.secret import MASK
from devkit.model.text import printable

AROUND = 2
LONGEST_VALUE = 2000
INDENT = "  "
LONG_NAME = 20
# The headers that Celery itself sets. What else is there the project has added.
CELERYS_HEADERS = {
    "argsrepr", "compression", "eta", "expires", "group", "group_index", "id", "ignore_result", "kwargsrepr", "lang",
    "origin", "parent_id", "replaced_task_nesting", "retries", "root_id", "shadow", "stamped_headers", "stamps", "task",
    "timelimit",
}  # fmt: skip
OF_ARGUMENTS = ("argsrepr", "kwargsrepr")  # as text, so that nothing in them can be masked
CHAINED = (
    "\nThe above exception was the direct cause of the following exception:\n",
    "\nDuring handling of the above exception, another exception occurred:\n",
)


def failure_json(failure: Failure, attempts: Sequence[Failure]) -> str:
    """One document: the record as it is, its arguments readable; secrets are masked."""
    args, kwargs = masked_arguments(failure)
    wire = failure.to_wire()
    wire["headers"] = {key: value for key, value in wire["headers"].items() if key not in OF_ARGUMENTS}
    times = {name: wire[name] and iso(wire[name]) for name in ("failed_at", "started_at")}
    runs = [
        {"state": run.state, "retries": run.retries, "failed_at": iso(run.failed_at), "exception": run.exception,
         "message": run.message, "worker": run.worker}
        for run in attempts
    ]  # fmt: skip
    known = {"args": args, "kwargs": kwargs, "replayable": failure.replayable, "attempts": runs}
    return json.dumps({**masked(wire), **times, **known}, indent=2)


class Sheet:
    """What `devkit show` prints; `root` is the project's folder, to which paths are relative."""

    def __init__(self, failure: Failure, attempts: Sequence[Failure], root: Path, now: float) -> None:
        self._failure = failure
        self._before = [run for run in attempts if run.key != failure.key]
        self._root = root
        self._now = now
        self._paint = Paint(colour=wants_colour(sys.stdout))
        self._columns = columns()

    def text(self) -> str:
        """All of it."""
        parts = [self._head(), self._request(), self._arguments(), self._runs_before(), self._traceback()]
        return "\n\n".join(part for part in parts if part)

    def _head(self) -> str:
        failure, paint = self._failure, self._paint
        took = "" if failure.started_at is None else f", after {failure.failed_at - failure.started_at:.2f} s"
        times = f"{when(failure.failed_at, self._now)} ({clock(failure.failed_at)}){took}"
        call = self._cut(printable(f"{failure.task or '?'}({failure.call})"))
        return f"{paint.bold(call)}\n{printable(failure.id)}\n{paint.bad(failure.state)} {times}"

    def _request(self) -> str:
        rows = {name: value for name, value in self._facts().items() if value}
        width = max(map(len, rows), default=0)
        lines = [f"{INDENT}{self._paint.dim(f'{name:<{width}}')}  {self._cut(printable(value), width + 4)}"
                 for name, value in rows.items()]  # fmt: skip
        return self._section("request", lines)

    def _facts(self) -> dict[str, str]:
        failure, headers = self._failure, self._failure.headers
        delivery, properties = failure.delivery_info, failure.properties
        exchange = delivery.get("exchange")
        queue = str(delivery.get("routing_key") or "")
        limits = headers.get("timelimit")
        hard, soft = limits if isinstance(limits, list) and len(limits) == 2 else (None, None)
        own = {f"header {name}": _text(masked(value, name))
               for name, value in headers.items() if name not in CELERYS_HEADERS}  # fmt: skip
        return {
            "worker": failure.worker,
            "queue": f"{queue} (exchange {exchange})" if exchange and queue else queue,
            "retries": str(failure.retries),
            "redelivered": "yes" if delivery.get("redelivered") else "",
            "priority": _text(delivery.get("priority") or properties.get("priority")),
            "root": _another(headers.get("root_id"), failure.id),
            "parent": _another(headers.get("parent_id"), failure.id),  # a task that is tried again is its own
            "group": _text(headers.get("group")),
            "time limits": ", ".join(f"{name} {value:g} s" for name, value in (("soft", soft), ("hard", hard))
                                     if isinstance(value, int | float)),
            "eta": _text(headers.get("eta")),
            "expires": _text(headers.get("expires")),
            "sent by": _text(headers.get("origin")),
            "revision": failure.revision,
            "source": {"result": "a stored result", "file": "a saved case"}.get(failure.source, ""),
            **own,
        }  # fmt: skip

    def _arguments(self) -> str:
        failure = self._failure
        title = "arguments" + (f" ({'; '.join(failure.limits)})" if failure.limits else "")
        args, kwargs = masked_arguments(failure)
        if args is not None and kwargs is not None:
            names = [*failure.names, *[""] * len(args)]
            pairs = [(name if name and not name.startswith("*") else f"[{place}]", value)
                     for place, (name, value) in enumerate(zip(names, args, strict=False))]  # fmt: skip
            return self._section(title, [self._value(name, value) for name, value in [*pairs, *kwargs.items()]] or
                                 [f"{INDENT}none"])  # fmt: skip
        if failure.body is None:
            return self._section(title, [f"{INDENT}not kept: {printable(failure.missing)}"])
        kind = failure.content_type or "of unknown kind"
        return self._section(f"{title} ({kind}: as the worker saw them)", [f"{INDENT}{printable(failure.call)}"])

    def _value(self, name: str, value: Any) -> str:
        text = repr(_readable(value))
        if len(text) > LONGEST_VALUE:
            text = f"{text[:LONGEST_VALUE]}… ({len(text):,} characters; --json shows all)"
        return f"{INDENT}{printable(name)} = {printable(text)}"

    def _runs_before(self) -> str:
        lines = [
            self._cut(f"{INDENT}{run.retries}  {clock(run.failed_at)}  {run.state}  "
                      f"{printable(run.exception)}: {printable(run.message)}")
            for run in self._before
        ]  # fmt: skip
        return self._section("other runs of it", lines)

    def _traceback(self) -> str:
        failure, paint = self._failure, self._paint
        error = paint.bad(printable(": ".join(filter(None, [failure.exception, failure.message])), lines=True))
        if not failure.frames:
            text = printable(failure.traceback.rstrip(), lines=True)
            return self._section("traceback", [text]) if text else self._section("error", [error])
        blocks = [*self._causes()]
        for own, group in groupby(failure.frames, key=lambda frame: frame.own):
            frames = list(group)
            blocks += map(self._own, frames) if own else ["\n".join(map(self._foreign, frames))]
        return self._section("traceback", ["\n\n".join([*blocks, error])])

    def _causes(self) -> Iterator[str]:
        """The errors that led to this one; only as the text that Python made of them."""
        text = self._failure.traceback
        if end := max(text.rfind(words) + len(words) if words in text else 0 for words in CHAINED):
            yield "\n".join(map(self._paint.dim, printable(text[:end].strip(), lines=True).splitlines()))

    def _foreign(self, frame: Frame) -> str:
        return self._paint.dim(self._cut(printable(f"{INDENT}{within(frame.file)}:{frame.line} in {frame.function}")))

    def _own(self, frame: Frame) -> str:
        source, changed = _source(frame, self._root)
        place = f"{_relative(frame.file, self._root)}:{frame.line}"
        note = "  (changed since)" if changed else ""
        lines = [f"{self._paint.bold(printable(place))} in {printable(frame.function)}{self._paint.dim(note)}"]
        lines += self._paint.lines(source, frame.line).splitlines()
        room = min(max((len(name) for name in frame.locals), default=0), LONG_NAME)
        for name, value in frame.locals.items():
            lines.append(self._cut(f"{INDENT * 3}{printable(name):<{room}} = {printable(value)}"))
        return "\n".join(lines)

    def _section(self, title: str, lines: Sequence[str]) -> str:
        return "\n".join([self._paint.bold(title), *lines]) if lines else ""

    def _cut(self, text: str, used: int = 0) -> str:
        """At the terminal's edge."""
        return text if self._columns is None else fit(text, max(self._columns - used, 10)).rstrip()


def _source(frame: Frame, root: Path) -> tuple[list[tuple[int, str]], bool]:
    """The numbered lines around a frame's, if that still stands there; else that alone, and True."""
    recorded = [(frame.line, printable(frame.source))] if frame.source.strip() else []
    try:
        lines = (root / frame.file).read_text(errors="replace").split("\n")
    except (OSError, ValueError):
        return recorded, False  # of another machine, or never a file
    at = frame.line - 1
    if not recorded or not 0 <= at < len(lines) or not lines[at].strip().startswith(frame.source.strip()):
        return recorded, bool(recorded)
    first = max(at - AROUND, 0)
    near = enumerate(lines[first : at + AROUND + 1], start=first + 1)
    around = [(number, printable(text, lines=True)) for number, text in near]
    for end in (0, -1):
        while not around[end][1].strip():  # it stops at the line itself
            around.pop(end)
    return around, False


def _relative(path: str, root: Path) -> str:
    return path.removeprefix(f"{root}/")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value else ""


def _another(task_id: object, own: str) -> str:
    return "" if task_id in (None, own) else str(task_id)


class _Verbatim:
    """Shown as it is, inside of other values, too."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _readable(value: Any) -> Any:
    """A JSON value whose repr people can read: a mask is no text of the task's, a date as Celery wraps it no table."""
    if value == MASK:
        return _Verbatim(MASK)
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict) and value.keys() == {"__type__", "__value__"}:
        return _Verbatim(f"{value['__type__']}({_readable(value['__value__'])!r})")
    return {key: _readable(item) for key, item in value.items()} if isinstance(value, dict) else value
