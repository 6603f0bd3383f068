"""The verdict: whether what a task did now is what it did then."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from devkit.model.failure import Failure, Frame
from devkit.model.place import moved
from devkit.model.text import one_line
from devkit.model.wire import Outcome
from devkit.replay.hide import hide_passwords

Kind = Literal["same failure", "different failure", "passes now", "cannot replay"]
# Raised from outside, wherever the task is then; the message says what the limit is.
TIME_LIMITS = ("SoftTimeLimitExceeded", "TimeLimitExceeded")
# Known by their last name: billiard's, which Celery passes on as its own.
PASSED_ON = (*TIME_LIMITS, "WorkerLostError", "Terminated")
READ = 1000
COMPARED = 400  # characters of a message; recorded ones are cut
SHOWN = 100

# What two runs of one failure say differently. Other numbers count: `KeyError: 5` is not `KeyError: 6`.
_VARIES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.VERBOSE), new)
    for pattern, new in (
        (r"[ ]?\bJob:[ ]\d+", ""),  # billiard's count of what a pool ran
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"\b[0-9a-f]{32}\b", "<uuid>"),
        (r"\bat[ ]0x[0-9a-fA-F]+|\b0x[0-9a-fA-F]{7,}", "<address>"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[ ]?[+-]\d\d:?\d\d)?", "<time>"),
        (r"\bdatetime\.datetime\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "<time>"),
        (r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"\b1\d{9}\.\d+\b", "<time>"),  # seconds since the epoch
        (r"\b\d+\.\d+[ ]?(?:s|m|h|secs?|seconds?|mins?|minutes?|hours?)\b", "<duration>"),
        (r"\b\d+(?:\.\d+)?[ ]?(?:ms|µs|us|ns|milliseconds?|microseconds?)\b", "<duration>"),
        (r"/[^\s'\"]*/(?:site|dist)-packages(?=/)", "<packages>"),  # where a library lies
        (r"/[^\s'\"]*/lib/python3\.\d+(?=/)", "<library>"),
        (r"\btmp[a-z0-9_]{8}\b", "<temporary>"),
        (r"(?<=/)(?:tmp|T)/[^\s'\"]+", lambda found: re.sub(r"(?=[a-z_]*\d)[a-z0-9_]{8,}", "<temporary>", found[0])),
        (r"\b(pid|PID|tid|(?:process|thread)[ ]id)(\s*[=:]?\s*)\d+\b", r"\1\2<number>"),
        (r"(Worker|Process|Thread)-\d+(?::\d+)?", r"\1-<number>"),
        (r"(?<=maximum[ ]recursion[ ]depth[ ]exceeded)[ ](?:while|in)[ ].*", ""),  # by chance
        (r"(?<![\w:}])\{([^{}:]*,[^{}:]*)\}", lambda found: f"<set {sorted(found[1].split(', '))}>"),
    )
)


@dataclass(frozen=True)
class Verdict:
    """What comes of a replay; `why` says it in words."""

    kind: Kind
    why: str


def judge(failure: Failure, outcome: Outcome) -> Verdict:
    """Compare the failure with the outcome of its replay; a retry counts as the exception that it is for."""
    task = failure.task.rpartition(".")[2]
    if outcome["state"] == "SUCCESS":
        return Verdict("passes now", one_line(f"{task} returned {outcome.get('result')}", SHOWN))
    if outcome["state"] == "IGNORED":
        replaced = next((one["task"] for one in outcome.get("sent") or () if one["kind"] == "replace"), "")
        return Verdict(
            "passes now", f"{task} was replaced by {replaced}" if replaced else f"{task} asked to be ignored"
        )
    exception = outcome.get("exception") or ""
    then, now = _names(failure.exception, exception)
    limit = _last(failure.exception) in TIME_LIMITS
    if not exception:
        return Verdict("different failure", f"{then}, now {outcome['state']} without an exception")
    frame = None if limit else failure.own_frame
    new = None if _last(exception) in TIME_LIMITS else _own(outcome)
    alike = _same_type(failure.exception, exception)
    comparable = not limit and failure.frames and outcome.get("frames")
    if not alike or (comparable and not _same_place(frame, new)):
        places = _places(frame, new)
        return Verdict("different failure", f"{then}{places[0]}, now {now}{places[1]}")
    message = outcome.get("message") or ""
    unknown = failure.source == "result" and not failure.message
    if not (limit or unknown) and not _same_message(failure, message, frame, new):
        return Verdict(
            "different failure", f"{then}{_place(frame)}: {_quoted(failure.message)}, now {_quoted(message)}"
        )
    said = f": {message}" if message and not limit else ""
    return Verdict("same failure", one_line(f"{now}{_place(new)}{said}", SHOWN))


def exit_code(verdict: Verdict, same: bool) -> int:
    """A command's exit code; with `same`, only the same failure is one (for bisecting)."""
    match verdict.kind:
        case "passes now":
            return 0
        case "cannot replay":
            return 125
        case "different failure" if same:
            return 125
    return 1


def normal(message: str) -> str:
    """The message without what differs between two runs of the same failure."""
    text = hide_passwords(message[:READ])
    for pattern, new in _VARIES:
        text = pattern.sub(new, text)
    return text.strip()


def _normal(failure: Failure, message: str) -> str:
    text = normal(message.replace(failure.id, "<uuid>") if failure.id else message)
    return text[:COMPARED].rstrip(" .")


def _same_message(failure: Failure, message: str, then: Frame | None, now: Frame | None) -> bool:
    """Whether both say the same; a path in the project's folder may be another one here."""
    said = {failure.message}
    if then and now:
        said.add(moved(failure.message, then.file, now.file))
    return _normal(failure, message) in (_normal(failure, one) for one in said)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _same_type(then: str, now: str) -> bool:
    return then == now or (_last(then) == _last(now) and _last(now) in PASSED_ON)


def _names(then: str, now: str) -> tuple[str, str]:
    """Both types for people: the last names, where these tell them apart."""
    if then != now and _last(then) == _last(now):
        return then, now
    return _last(then), _last(now)


def _own(outcome: Outcome) -> Frame | None:
    frames = [Frame.from_wire(frame) for frame in outcome.get("frames") or ()]
    return next((frame for frame in reversed(frames) if frame.own), None)


def _same_place(then: Frame | None, now: Frame | None) -> bool:
    """Whether both are in one function; lines shift with each edit."""
    if then is None or now is None:
        return then is now
    return _modules(then, now) and _functions(then.function, now.function)


def _modules(then: Frame, now: Frame) -> bool:
    if all(frame.module not in ("", "__main__") for frame in (then, now)):
        return then.module == now.module
    return _base(then.file) == _base(now.file)


def _functions(then: str, now: str) -> bool:
    if "." in then and "." in now:
        return then == now
    return _last(then) == _last(now)  # Python 3.10 knows no more


def _base(file: str) -> str:
    return re.split(r"[/\\]", file)[-1]


def _place(frame: Frame | None) -> str:
    return f" in {frame.function}" if frame else ""


def _places(then: Frame | None, now: Frame | None) -> tuple[str, str]:
    """Where both are, for people; with the module where only that differs."""
    if then and now and _functions(then.function, now.function) and not _modules(then, now):
        return f" in {then.function} ({_base(then.file)})", f" in {now.function} ({_base(now.file)})"
    return _place(then), _place(now)


def _quoted(message: str) -> str:
    return f"“{one_line(message, SHOWN)}”" if message else "no message"
