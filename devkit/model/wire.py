"""What devkit and its agent, in the project's interpreter, tell each other: the names and kinds of all in a message.

A message is a JSON object (`devkit.model.lines`). Where one class stands for several messages its keys tell which.
"""

from typing import Literal, TypedDict

# Names the pipe on which a process that devkit has started tells what is new; in its environment.
NOTIFY_FD = "DEVKIT_NOTIFY_FD"
Json = dict[str, object]
State = Literal["starting", "ready", "reloading", "failed", "stopped"]

# The working directory and import root, and variables that the environment gets besides.
Where = TypedDict("Where", {"cwd": str, "env": dict[str, str]})


class AppPlace(Where):
    """The project's Celery app, or its API."""

    module: str
    attribute: str


# What the app says of itself; of an error None where there is none, and whether it is that something is not installed;
# why it cannot speak Redis, and what it needs AMQP for, where it may have to be given another broker; what has it speak
# TLS; the line that has its tasks run where they are called, empty if that is not known. `servers` of ASGI and `pools`,
# by Celery's names, are those installed. `queues` are those that `celery worker` consumes, `routed` the others that its
# tasks are sent to; `forces_root`: only C_FORCE_ROOT has its worker run here.
AppFacts = TypedDict("AppFacts", {
    "celery": str, "python": str, "broker": str, "broker_error": str | None, "broker_missing": bool,
    "result_backend": str | None, "result_backend_error": str | None, "result_backend_missing": bool,
    "redis_lacks": str | None, "amqp_needs": list[str], "tls": list[str], "anothers": dict[str, list[str]],
    "eager": str | None, "beat": bool, "tasks": list[str], "flower": bool, "servers": list[str], "pools": list[str],
    "queues": list[str], "routed": list[str], "forces_root": bool,
})  # fmt: skip

# Why something cannot be done: `problem` is which kind, and each kind has some of the others.
Trouble = TypedDict("Trouble", {
    "problem": str, "message": str, "traceback": str, "python": str, "missing": str, "names": list[str],
    "matches": list[str], "type": str, "code": int, "what": str, "url": str, "task": str, "backend": str,
    "can": list[str], "anothers": dict[str, list[str]], "variables": list[str], "file": str, "line": int, "host": str,
    "port": int, "install": str, "reads": dict[str, str],
}, total=False)  # fmt: skip


# --- What a service runs ---


class LaunchOrder(Where):
    """`python -m MODULE ARGV`."""

    module: str
    argv: list[str]


# A server as containers call it, and where it is on this machine: the port there → "HOST:PORT" here. An open one wants
# no password.
Server = TypedDict("Server", {"names": list[str], "ports": dict[str, str], "open": bool})

# One worker among others: its queues and concurrency by a start line of the project's; whether it is the first of all;
# whether it has what is left over of its app's queues, and which of them others have.
WorkerPart = TypedDict("WorkerPart", {
    "name": str, "first": bool, "queues": str | None, "concurrency": int | None, "leftovers": bool,
    "besides": list[str],
})  # fmt: skip

# To `devkit worker` or `devkit api`, by `devkit up`: tell about the app; run it, as this worker or on this port, with
# what compose gives below its own environment, and with these servers where that names them.
ServiceOrder = TypedDict("ServiceOrder", {
    "describe": AppPlace, "run": AppPlace, "worker": WorkerPart, "port": int, "given": dict[str, str],
    "servers": list[Server],
}, total=False)  # fmt: skip

# Where failures of an app without a Redis are kept; how many at most, of how many days and megabytes.
Keeping = TypedDict("Keeping", {"folder": str, "limits": list[float]})


# The queues of a worker for which nobody has set them: its `own` by a start line of the project's; with `leftovers`
# also all others that the app names, besides those which another worker has.
Consume = TypedDict("Consume", {"own": list[str], "leftovers": bool, "besides": list[str]})


class WorkerOrder(AppPlace):
    """A generation of the worker: celery's arguments, the queues if not among these, the debugger's folder, the
    project's root."""

    kind: Literal["worker"]
    argv: list[str]
    consume: Consume | None
    debug: str
    root: str
    failures: Keeping


class ApiOrder(AppPlace):
    """A generation of the API: its socket's descriptor, and uvicorn's grace at a stop."""

    kind: Literal["api"]
    socket: int
    grace_s: int


# Tell about the app; start a generation, by becoming it or by a fork; pass an order on to one; import what the last
# one had to. To a generation: an `order`, such as "stop".
ZygoteOrder = TypedDict("ZygoteOrder", {
    "describe": AppPlace, "start": int, "become": bool, "program": WorkerOrder | ApiOrder, "tell": int, "order": str,
    "learn": bool,
}, total=False)  # fmt: skip

# A generation was forked; is live, with these sources outside the project; failed; drains; is done; abandoned.
GenerationNews = TypedDict("GenerationNews", {
    "pid": int, "live": bool, "sources": list[str], "failed": Trouble, "text": str, "draining": int,
    "tasks": list[str], "given_back": int, "done": bool, "abandoned": list[str],
}, total=False)  # fmt: skip

# Of a service that reloads itself; the note is for people.
Progress = TypedDict("Progress", {"generation": int, "state": State, "note": str})


class Note(GenerationNews, Trouble, total=False):
    """On the notify pipe: of a generation; of a zygote, which tells about the app, where packages are installed, that
    it can fork no more, or not at all, and what exited; of a service that is ready, and how it goes on."""

    generation: int
    facts: AppFacts
    installed: list[str]
    unfit: str
    unforkable: int
    why: str
    exited: int
    ready: bool
    progress: Progress


# --- Errands: one order to a process of its own ---

# Send a task of the app MODULE:ATTRIBUTE. Where failures are kept if not in a Redis, and where paused tasks are known:
# None where nobody is to be told of a pause.
SendOrder = TypedDict("SendOrder", {
    "module": str, "attribute": str, "task": str, "args": list[object], "kwargs": Json, "queue": str | None,
    "wait": bool, "task_id": str | None, "failures": str, "sessions": str | None,
})  # fmt: skip

# How a task that was sent ended; the note is for people.
TaskEnd = TypedDict("TaskEnd", {
    "state": str, "result": object, "exception": str | None, "traceback": str | None, "runtime_s": float, "note": str,
})  # fmt: skip


class SendNews(Trouble, total=False):
    """That the app would run it itself; the id and the task; then each new state, that no worker answers, or none takes
    from its queue, what limits it in its worker, that this lost it, that none tells of it, that the result backend is
    away, where it is paused; and the end."""

    eager: str
    sent: str
    state: str
    info: object
    no_worker: bool
    nobody: str
    workers: dict[str, list[str]]
    limited: str
    lost: bool
    silent: bool
    worker: str
    away: str
    paused: str
    line: int
    done: TaskEnd


# A `devkit.model.failure.Failure`: its fields, and its body in base64.
Record = TypedDict("Record", {"failure": Json, "body": str | None})

# List the newest failures, of a task, since a time; or find those whose id begins so.
ResultsOrder = TypedDict("ResultsOrder", {
    "do": Literal["list", "find"], "allow_pickle": bool, "task": str, "since": float, "limit": int | None, "id": str,
}, total=False)  # fmt: skip

# How many results were read, and where; how many were left out, and why.
ResultsRead = TypedDict("ResultsRead", {
    "read": int, "where": str, "unreadable": int, "never_ran": int, "nameless": int,
})  # fmt: skip


class ResultsNews(Trouble, total=False):
    """A Record; of a list how far it is, and its end; or the ids that were found."""

    record: Record
    read: int
    of: int | None
    done: ResultsRead
    ids: list[str]
    where: str
    unreadable: int


# --- Replay ---


class LoanOrder(Where):
    """Fork for a replay of the app in `argv`, if this is your Python."""

    python: str
    argv: list[str]


# The fork's pid; how it ended, as waitpid tells it.
LoanNews = TypedDict("LoanNews", {"pid": int, "status": int}, total=False)

# Name the broker; find a failure in these stores; run, check or send the one of a Record, or write its call.
ReplayOrder = TypedDict("ReplayOrder", {
    "do": Literal["broker", "find", "run", "check", "send", "argue"], "word": str, "places": list[str],
    "record": Record, "args": list[object] | None, "kwargs": Json | None, "live": bool, "pdb": bool, "breaks": bool,
    "allow_pickle": bool, "fork": bool, "queue": str | None,
}, total=False)  # fmt: skip

# The process of a task that begins, and its time limits in seconds.
Running = TypedDict("Running", {"pid": int, "soft": float | None, "hard": float | None})

# A task that the replayed one sent, or would have sent; what follows it; which chord it is of.
SentTask = TypedDict("SentTask", {
    "kind": str, "task": str, "id": str | None, "call": str, "queue": str | None, "eta": str | None,
    "countdown": float | None, "then": list[str], "chord": str | None,
})  # fmt: skip

# An argument that the task has changed in place.
Mutated = TypedDict("Mutated", {"name": str, "before": str, "after": str})

# How a replayed task ended. `result` is text for people, `result_literal` source; `mutated` is None where that cannot
# be told.
Outcome = TypedDict("Outcome", {
    "state": str, "result": str | None, "result_literal": str | None, "exception": str | None, "message": str,
    "traceback": str, "frames": list[Json], "runtime_s": float, "sent": list[SentTask],
    "mutated": list[Mutated] | None, "task": str, "call": str,
}, total=False)  # fmt: skip

# Where a test imports an exception from.
Imported = TypedDict("Imported", {"module": str, "name": str})

# All that a test of a call has to write: arguments and imports are source text, the others names.
CallSource = TypedDict("CallSource", {
    "module": str, "name": str | None, "app": list[str], "task": str, "bound": bool, "args": list[str],
    "kwargs": dict[str, str], "imports": list[str], "exception": Imported | None,
})  # fmt: skip

# Why a task cannot be run again, or not as asked.
Refusal = TypedDict("Refusal", {"kind": str, "why": str, "mend": list[str]})

# What was put back, and where.
Requeued = TypedDict("Requeued", {"id": str, "queue": str})


class ReplayAnswer(Trouble, total=False):
    """The app is imported; then to each order one of these, to one to run first what runs. `found` is null where
    devkit had better look itself, `died` how the task's own process ended, as waitpid tells it."""

    ready: bool
    broker: str
    found: Record | None
    running: Running
    outcome: Outcome
    cannot: Refusal
    checked: str
    literals: CallSource
    sent: Requeued
    died: int


# --- The control socket ---

# "status", "stop", or "restart" of these services. Answers: a `devkit.model.status.StackStatus`, nothing, an "error".
ControlRequest = TypedDict("ControlRequest", {"ask": str, "services": list[str]}, total=False)
