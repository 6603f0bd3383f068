"""How failed tasks look: in a table, and as JSON."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from devkit.cli.console import wants_colour
from devkit.cli.text import columns, fit, iso, short_ids, when
from devkit.debug.render import Paint
from devkit.model.failure import Failure
from devkit.model.secret import MASK, is_secret
from devkit.model.text import cells, printable

if TYPE_CHECKING:
    from devkit.services.failures.search import Found

GAP = "  "
# What message and arguments need: a table with less room for them does without the worker, then without the retries.
ENOUGH_FOR_WHAT = 50
LEAST_FOR_WHAT = 24


def failures_json(failures: Sequence[Failure]) -> str:
    """One document; the failures need their bodies."""
    return json.dumps([_document(failure) for failure in failures], indent=2)


def _document(failure: Failure) -> dict[str, Any]:
    args, kwargs = masked_arguments(failure)
    return {
        "id": failure.id,
        "task": failure.task,
        "failed_at": iso(failure.failed_at),
        "exception": failure.exception,
        "message": failure.message,
        "args": args,
        "kwargs": kwargs,
        "retries": failure.retries,
        "worker": failure.worker,
        "replayable": failure.replayable,
        "source": failure.source,
    }


def masked_arguments(failure: Failure) -> tuple[list[Any] | None, dict[str, Any] | None]:
    """The arguments as JSON values, secrets masked; None and None where they are not known, or no JSON."""
    if failure.body is None or failure.content_type != "application/json":
        return None, None
    try:
        args, kwargs = json.loads(failure.body.decode(failure.content_encoding or "utf-8"))[:2]
        names = [*failure.names, *[""] * len(args)]
        return [masked(value, name) for value, name in zip(args, names, strict=False)], masked(dict(kwargs))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None, None


def masked(value: Any, name: object = "") -> Any:
    """A JSON value without what is secret by its name."""
    if is_secret(name):
        return MASK
    if isinstance(value, dict):
        return {key: masked(item, key) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def what(failure: Failure) -> str:
    """The exception and its message, on one line."""
    return printable(": ".join(filter(None, [failure.exception.rpartition(".")[2], " ".join(failure.message.split())])))


def results_read(read: int, of: int | None) -> None:
    """How far the search through stored results is, on one line that the next one replaces."""
    if sys.stderr.isatty():
        total = f" of {of:,}" if of else ""
        print(f"\r{read:,}{total} results read\x1b[K", end="\r", file=sys.stderr, flush=True)  # noqa: T201 - no whole line


def looked_at(where: str, found: "Found") -> str:
    """Where the failures were looked for, and what of it is left out, and why."""
    text = f"looked at the records in {where}"
    if problem := found.problem:
        mend = f" (mend: {'; '.join(problem.mend)})" if problem.mend else ""
        return f"{text}; there are none, and stored results cannot be read: {problem.what}{mend}"
    if not (results := found.results):
        return text
    counts = {
        "that cannot be read": results.unreadable,
        "of tasks that never ran": results.never_ran,
        "without a task's name": results.nameless,
    }
    out = ", ".join(f"{count:,} {which}" for which, count in counts.items() if count)
    return f"{text} and at {results.read:,} results in {results.where}" + (f"; left out: {out}" if out else "")


def advice(found: "Found", task: str | None, since: str | None, limit: int) -> list[str]:
    """What to do with the failures that are listed; where there are none, which ones there are not."""
    if listed := found.failures:
        one = short_ids([failure.id for failure in listed])[listed[0].id]
        more = f"; --limit {limit * 5} shows more" if len(listed) == limit else ""
        return [f"devkit show {one} shows one whole, devkit replay {one} runs it again{more}"]
    others = [f"tasks that failed: {', '.join(found.tasks)}"] if task and found.tasks else []
    return [f"no failure{f' of {task}' if task else ''}{f' since {since}' if since else ''}", *others]


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The end of each dotted name, long enough to tell it from the others."""
    found = {}
    for name in names:
        parts, count = name.split("."), 1
        while count < len(parts) and any(
            other != name and other.split(".")[-count:] == parts[-count:] for other in names
        ):
            count += 1
        found[name] = ".".join(parts[-count:])
    return found


def failures_table(failures: Sequence[Failure], now: float) -> str:
    """One line each, as wide as the terminal."""
    ids, names = short_ids([one.id for one in failures]), short_names([one.task for one in failures])
    table = {
        "id": [printable(ids[one.id]) for one in failures],
        "when": [when(one.failed_at, now) for one in failures],
        "task": [printable(names[one.task]) for one in failures],
        "exception": [what(one) for one in failures],
        "arguments": [printable(one.call) for one in failures],
        "retries": [str(one.retries) for one in failures],
        "worker": [printable(one.worker) for one in failures],
    }
    paint = Paint(colour=wants_colour(sys.stdout))
    widths = _widths({heading: max(map(cells, [heading, *column])) for heading, column in table.items()}, columns())
    lines = [paint.bold(GAP.join(fit(heading, width) for heading, width in widths.items()).rstrip())]
    styles = {"id": paint.mark, "when": paint.dim, "exception": paint.bad, "worker": paint.dim}
    for row in zip(*(table[heading] for heading in widths), strict=True):
        shown = []
        for (heading, width), text in zip(widths.items(), row, strict=True):
            padded = fit(text, width, right=heading == "retries")
            shown.append(styles.get(heading, str)(padded) if text else padded)
        lines.append(GAP.join(shown).rstrip())
    return "\n".join(lines)


def _widths(natural: dict[str, int], room: int | None) -> dict[str, int]:
    """How wide each column becomes, so that all fit: first the worker gives way, then the retries,
    then arguments and message do."""
    if room is None or _total(natural) <= room:
        return natural
    widths = dict(natural)
    wanted = natural["exception"] + natural["arguments"]
    left = room - _total(widths) + wanted
    for dispensable in ("worker", "retries"):
        if left < min(wanted, ENOUGH_FOR_WHAT):
            left += widths.pop(dispensable) + len(GAP)
    left = max(left, LEAST_FOR_WHAT)
    if left < wanted:
        arguments = min(natural["arguments"], max(left // 3, left - natural["exception"]))
        widths |= {"exception": left - arguments, "arguments": arguments}
    return widths


def _total(widths: dict[str, int]) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)
