"""How a replay looks: what it was, what it did, and the verdict."""

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from devkit.cli.console import wants_colour
from devkit.cli.text import when
from devkit.debug.render import Paint
from devkit.model.failure import Failure
from devkit.model.text import printable
from devkit.model.wire import SentTask
from devkit.services.replay.replayer import Replayed

PLAIN_WIDTH = 120
GOOD = "passes now"


def head(failure: Failure, now: float) -> str:
    """Which failure is replayed, and what of its arguments may not be as it was."""
    call = f"{failure.task}({failure.call})  " if failure.task else ""  # not every result names it
    lines = [f"{printable(f'{call}{failure.id}')}, failed {when(failure.failed_at, now)}"]
    lines += [f"arguments: {limit}" for limit in failure.limits]
    return "\n".join(lines)


def report(replayed: Replayed, *, live: bool) -> str:
    """All that came of it; the verdict is the last line."""
    outcome, paint = replayed.outcome, Paint(colour=wants_colour(sys.stdout))
    parts = [*_tracebacks(replayed), *(_sent(one, live=live) for one in outcome.get("sent") or [])]
    parts += [f"changed its argument {printable(one['name'])}: {printable(one['before'])} → {printable(one['after'])}"
              for one in outcome.get("mutated") or []]  # fmt: skip
    parts.append(verdict_line(replayed, paint))
    return "\n".join(parts)


def verdict_line(replayed: Replayed, paint: Paint) -> str:
    """The verdict, why, and how long it took."""
    verdict, took = replayed.verdict, replayed.outcome.get("runtime_s")
    kind = paint.good(verdict.kind) if verdict.kind == GOOD else paint.bad(verdict.kind)
    return f"{kind}: {printable(verdict.why)}" + ("" if took is None else paint.dim(f" ({took:.2f} s)"))


def one_line(replayed: Replayed, short_id: str) -> str:
    """One of many."""
    failure, paint = replayed.failure, Paint(colour=wants_colour(sys.stdout))
    call = printable(f"{failure.task.rpartition('.')[2]}({failure.call})")
    return f"{paint.mark(printable(short_id))}  {call}  {verdict_line(replayed, paint)}"


def check_line(replayed: Replayed, short_id: str) -> str:
    """Whether the arguments of one fit the task."""
    failure = replayed.failure
    fits = replayed.verdict.kind == GOOD
    return printable(f"{short_id}  {failure.task}: {'fits' if fits else replayed.verdict.why}")


def check_json(replayed: Replayed) -> dict[str, Any]:
    """The document of `--check --json`."""
    failure, fits = replayed.failure, replayed.verdict.kind == GOOD
    return {"id": failure.id, "task": failure.task, "fits": fits, "why": None if fits else replayed.verdict.why}


def _tracebacks(replayed: Replayed) -> list[str]:
    """That of the new failure; where it is another one, both."""
    from devkit.replay.tracebacks import side_by_side

    new, then = replayed.outcome.get("traceback") or "", replayed.failure.traceback
    if replayed.verdict.kind == "different failure" and then:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PLAIN_WIDTH
        return side_by_side(then, new, width)
    return [printable(new.rstrip(), lines=True)] if new else []


def _sent(one: SentTask, *, live: bool) -> str:
    """A task that it sent, or would have sent."""
    did = "sent" if live else "not sent"
    kind = "" if one["kind"] == "task" else f"{one['kind']}: "
    then = "".join(f", then {name}" for name in one.get("then") or [])
    chord = f", then with all results {one['chord']}" if one.get("chord") else ""
    options = [f"{name}={one[name]}" for name in ("queue", "countdown", "eta") if one.get(name) is not None]
    more = f" ({', '.join(options)})" if options else ""
    return printable(f"{did}: {kind}{one['task']}({one['call']}){then}{chord}{more}")


def replay_json(replayed: Replayed) -> dict[str, Any]:
    """The document of `--json`."""
    failure, outcome = replayed.failure, replayed.outcome
    exception = outcome.get("exception")
    return {
        "id": failure.id,
        "task": failure.task,
        "verdict": replayed.verdict.kind,
        "why": replayed.verdict.why,
        "exception": _error(exception, outcome["message"]) if exception else None,
        "original_exception": _error(failure.exception, failure.message),
        "runtime_s": outcome.get("runtime_s"),
        "sent": outcome.get("sent") or [],
        "mutated": outcome.get("mutated"),
    }


def missing_json(word: str, why: str) -> dict[str, Any]:
    """The document for a failure that cannot even be read."""
    keys = ("exception", "original_exception", "runtime_s", "mutated")
    return {"id": word, "task": None, "verdict": "cannot replay", "why": why, "sent": [], **dict.fromkeys(keys)}


def summary(results: Sequence[Replayed]) -> str:
    """How many there were of each verdict."""
    kinds = [one.verdict.kind for one in results]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return f"{len(results)} failure{'s'[: len(results) != 1]}: {counts}"


def dumped(document: object) -> str:
    """JSON for standard output."""
    return json.dumps(document, indent=2)


def _error(exception: str, message: str) -> str:
    return f"{exception}: {message}" if message else exception
