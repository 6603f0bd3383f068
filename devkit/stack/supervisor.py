"""Keeps a project's services running: one loop that decides, fed by one queue of messages.

Threads read output, wait for exits, ask for readiness and listen on the control socket; each only puts a message
into the queue. What happens to a service is decided here and nowhere else.
"""

import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from devkit.errors import DevkitError
from devkit.model.loop import Clock, Signalled, decide
from devkit.model.status import ServiceStatus
from devkit.model.text import exit_in_words
from devkit.model.wire import Json, State
from devkit.stack.messages import Asked, Exited, Gone, Inbox, Message, OutputLost, Progressed, Ready
from devkit.stack.restarts import Restarts
from devkit.stack.service import Finish, Service

TERM_AFTER_S = 2.0  # from SIGTERM to SIGKILL
EXIT_INTERRUPTED = 130


class Stage(Enum):
    """Where a service is in its life."""

    WAITING = auto()  # for what it depends on
    STARTING = auto()
    READY = auto()
    STOPPING = auto()
    PAUSING = auto()  # crashed, starts again in a moment
    FAILED = auto()
    STOPPED = auto()


STATES: Mapping[Stage, State] = {
    Stage.WAITING: "starting",
    Stage.STARTING: "starting",
    Stage.READY: "ready",
    Stage.STOPPING: "stopped",
    Stage.PAUSING: "starting",
    Stage.FAILED: "failed",
    Stage.STOPPED: "stopped",
}
_BEFORE_READY = (Stage.STARTING, Stage.FAILED)  # one that has failed may wait for a save


class Started(Protocol):
    """What the supervisor needs of a process; `started_at` is on the supervisor's clock."""

    pid: int
    started_at: float

    def signal(self, signum: int, *, group: bool = False) -> None: ...


Spawn = Callable[[Service], Started]


class Reporter(Protocol):
    """Tells people what happens, and keeps the services' output; every method returns at once."""

    def output(self, name: str, chunk: bytes) -> None: ...
    def ended(self, name: str) -> None: ...
    def ready(self, name: str) -> None: ...
    def all_ready(self, services: Sequence[ServiceStatus]) -> None: ...
    def notice(self, text: str) -> None: ...
    def stopping(self) -> None: ...
    def failed(self, error: DevkitError) -> None: ...
    def tail(self, name: str) -> str: ...


@dataclass
class _Unit:
    """A service and where it is."""

    service: Service
    stage: Stage = Stage.WAITING
    process: Started | None = None
    started_at: float = 0.0
    ready_s: float | None = None
    generation: int = 0
    restarts: int = 0
    note: str = ""
    reported: State = "ready"  # what it says of itself, once it is ready
    then: Stage = Stage.STOPPED  # what follows once it has stopped
    deadline: float | None = None  # when the stage has lasted too long
    kills: list[int] = field(default_factory=list)  # signals still to send while it does not stop
    crashes: Restarts = field(default_factory=Restarts)


class Supervisor:
    """Runs services until they are asked to stop; `run` returns the exit code."""

    def __init__(
        self,
        services: Iterable[Service],
        *,
        spawn: Spawn,
        inbox: Inbox,
        reporter: Reporter,
        start_timeout_s: float,
        answer: Callable[[Sequence[ServiceStatus]], Json],
        clock: Clock = time.monotonic,
    ) -> None:
        """`spawn` starts a service's process and sees to its messages; `answer` makes the reply to a status
        request from the services' states; `clock` gives seconds."""
        self._units = {service.name: _Unit(service) for service in services}
        self._spawn = spawn
        self._inbox = inbox
        self._reporter = reporter
        self._start_timeout_s = start_timeout_s
        self._answer = answer
        self._clock = clock
        self._up = False  # all were ready once
        self._stopping = False
        self._exit_code = 0

    def run(self) -> int:
        """Start all, keep them running, and return when all are stopped.

        0: stopped on request. 1: a service did not become ready. 130: interrupted a second time.
        """
        decide(self, self._inbox, self._clock)
        return self._exit_code

    def statuses(self) -> list[ServiceStatus]:
        """Where each service is, for people and for `status --json`."""
        return [
            ServiceStatus(
                name=unit.service.name,
                state=unit.reported if unit.stage is Stage.READY else STATES[unit.stage],
                pid=unit.process.pid if unit.process else None,
                url=unit.service.url,
                ready_s=None if unit.ready_s is None else round(unit.ready_s, 3),
                restarts=unit.restarts,
                generation=unit.generation,
                note=unit.note,
                how=unit.service.how,
                spared=self._is_spared(unit),
                missed=self._is_spared(unit) and unit.service.program,
            )
            for unit in self._units.values()
        ]

    # What is due now

    def deadlines(self) -> list[float | None]:
        return [unit.deadline for unit in self._units.values()]

    def over(self) -> bool:
        return self._stopping and not any(unit.process for unit in self._units.values())

    def advance(self, now: float) -> None:
        for unit in self._units.values():
            if unit.deadline is not None and now >= unit.deadline:
                self._overdue(unit)
        if not self._stopping:
            for unit in self._units.values():
                if unit.stage is Stage.WAITING:
                    self._start_if_it_can(unit)
        if self._stopping:  # also because one could not be started
            for unit in self._units.values():
                ended = unit.stage is Stage.FAILED and unit.process is None
                if unit.stage is not Stage.STOPPING and not (ended or self._is_needed(unit)):
                    self._stop(unit, then=Stage.STOPPED)
        elif not self._up and all(unit.stage is Stage.READY or self._is_spared(unit) for unit in self._units.values()):
            self._up = True
            self._reporter.all_ready(self.statuses())

    def _overdue(self, unit: _Unit) -> None:
        unit.deadline = None
        if unit.stage is Stage.PAUSING:
            unit.stage = Stage.WAITING
        elif unit.stage is Stage.STOPPING:
            self._send_next_signal(unit)
        elif unit.stage is Stage.STARTING:
            problem = f"{unit.service.name} did not become ready in {self._start_timeout_s:g} s"
            what = f"devkit waited for {getattr(unit.service.ready, 'what', '')}"
            self._give_up(unit, problem, [f"{what}; more time: --timeout SECONDS"])

    def _start_if_it_can(self, unit: _Unit) -> None:
        needed = [self._units[name] for name in unit.service.depends_on if name in self._units]
        if all(one.stage is Stage.READY for one in needed):
            self._start(unit)
        elif not self._up and (spared := next(filter(self._is_spared, needed), None)):
            self._give_up(unit, f"{unit.service.name} needs {spared.service.name}, which did not start", [])

    def _is_needed(self, unit: _Unit) -> bool:
        """Whether something that depends on it, also by way of others, still runs."""
        return any(
            unit.service.name in other.service.depends_on and (other.process or self._is_needed(other))
            for other in self._units.values()
        )

    def _is_optional(self, unit: _Unit) -> bool:
        """Whether the stack is of use without it, and without all that depends on it."""
        dependents = (other for other in self._units.values() if unit.service.name in other.service.depends_on)
        return unit.service.optional and all(map(self._is_optional, dependents))

    def _is_spared(self, unit: _Unit) -> bool:
        """Whether it will not run, and the others do not wait for it."""
        return unit.stage is Stage.FAILED and self._is_optional(unit)

    def _go_on_without(self, unit: _Unit) -> bool:
        """Whether the others run where it does not: while all start, only as long as one of the programs is left."""
        others = (one for one in self._units.values() if one is not unit and one.stage is not Stage.FAILED)
        of_use = not unit.service.program or any(one.service.program for one in others)
        return self._up or (self._is_optional(unit) and of_use)

    # What happens to one service

    def _start(self, unit: _Unit) -> None:
        unit.started_at = self._clock()
        unit.ready_s = None
        unit.reported = "ready"
        unit.generation += 1
        if unit.service.external:
            unit.stage = Stage.READY
            return
        try:
            unit.process = self._spawn(unit.service)
        except DevkitError as error:
            self._crashed(unit, error.what)
            return
        unit.stage = Stage.STARTING
        unit.deadline = unit.started_at + self._start_timeout_s
        unit.started_at = unit.process.started_at

    def _became_ready(self, unit: _Unit) -> None:
        unit.stage = Stage.READY
        unit.deadline = None
        unit.ready_s = self._clock() - unit.started_at
        unit.note = ""
        if unit.service.ready:  # else its output was never that of a start
            self._reporter.ready(unit.service.name)
        if self._up:
            self._reporter.notice(f"{unit.service.name} is ready after {unit.ready_s:.1f} s")

    def _stop(self, unit: _Unit, *, then: Stage) -> None:
        """Ask a service to stop: SIGINT, SIGTERM, SIGKILL, each when the one before had no effect in time."""
        unit.then = then
        if unit.stage is Stage.STOPPING:
            return
        if unit.process is None:
            unit.stage, unit.deadline = then, None
            return
        unit.stage = Stage.STOPPING
        unit.kills = [int(signal.SIGINT), int(signal.SIGTERM), int(signal.SIGKILL)]
        self._send_next_signal(unit)

    def _send_next_signal(self, unit: _Unit) -> None:
        assert unit.process is not None
        if not unit.kills:
            return
        signum = unit.kills.pop(0)
        if signum == signal.SIGKILL:
            self._reporter.notice(f"{unit.service.name} ignores SIGINT and SIGTERM: killed")
        unit.process.signal(signum, group=unit.service.signal_group)
        patience = {int(signal.SIGINT): unit.service.grace_s, int(signal.SIGTERM): TERM_AFTER_S}.get(signum)
        unit.deadline = None if patience is None else self._clock() + patience

    def _exited(self, unit: _Unit, code: int) -> None:
        unit.process = None
        unit.deadline = None
        if unit.stage is Stage.STOPPING:
            unit.stage = unit.then
        elif self._stopping:
            unit.stage = Stage.STOPPED  # a moment before it was asked to
        elif isinstance(unit.service.ready, Finish) and code == 0:
            self._became_ready(unit)
            unit.note = "finished"
        elif unit.stage is not Stage.FAILED:  # that one has waited for a save
            self._crashed(unit, f"{unit.service.name} {exit_in_words(code)}")

    def _crashed(self, unit: _Unit, what: str) -> None:
        """A process ended that nobody asked to end, or could not be started at all."""
        if not self._up:
            self._give_up(unit, what, [])
            return
        delay = unit.crashes.crashed(self._clock() - unit.started_at)
        if delay is None:
            self._give_up(unit, f"{what}, again and again", [])
            return
        unit.restarts += 1
        unit.stage = Stage.PAUSING
        unit.note = what
        unit.deadline = self._clock() + delay
        self._reporter.notice(f"{what}; it starts again in {delay:g} s")

    def _give_up(self, unit: _Unit, problem: str, mend: Sequence[str], *, waits: bool = False) -> None:
        """The service will not run, which ends the start of all where the others cannot go on. `waits`: for a save."""
        name, others_go_on = unit.service.name, self._go_on_without(unit)
        excerpt = self._reporter.tail(name)
        mend = [*unit.service.advice(excerpt), *mend, f"read all of its output: devkit logs {name}"]
        if others_go_on:
            mend.append(f"start it again: devkit restart {name}")
        if self._exit_code == 0:  # of several that fail to start the first one is the news
            self._reporter.failed(DevkitError(problem, excerpt=excerpt, mend=mend))
        unit.note = problem
        if unit.process is None and others_go_on:  # the end of what it said is why
            unit.note = ": ".join([problem, *excerpt.splitlines()[-1:]])
        if waits and others_go_on:
            unit.stage, unit.deadline = Stage.FAILED, None
            return
        self._stop(unit, then=Stage.FAILED)
        if not others_go_on:
            self._exit_code, self._stopping = 1, True

    def _progressed(self, unit: _Unit, news: Progressed) -> None:
        """One that reloads itself: before it was ever ready, that can only be that it waits for a save."""
        if unit.stage is Stage.READY:
            unit.generation, unit.reported, unit.note = news.generation, news.state, news.note
        elif unit.stage is Stage.STARTING:
            self._give_up(unit, f"{unit.service.name} did not start: {news.note}", [], waits=True)

    def _lost(self, unit: _Unit) -> None:
        """What all others were to use is not there: none of them would become ready."""
        unit.note = f"{unit.service.name} answers no more"
        self._reporter.failed(
            DevkitError(
                unit.note,
                looked=[f"{unit.service.url} ({unit.service.how}), which answered a moment ago"],
                mend=["start it again", "or leave it away: devkit up starts one of its own then"],
            )
        )
        unit.stage, self._exit_code, self._stopping = Stage.FAILED, 1, True

    # Messages

    def handle(self, message: Message) -> None:
        match message:
            case Ready(name, pid) if self._is_current(name, pid) and self._units[name].stage in _BEFORE_READY:
                self._became_ready(self._units[name])
            case Progressed(name, pid) if self._is_current(name, pid):
                self._progressed(self._units[name], message)
            case Exited(name, pid, code) if self._is_current(name, pid):
                self._exited(self._units[name], code)
            case Gone(name) if not (self._up or self._stopping):  # later it may come back, for who waits
                self._lost(self._units[name])
            case Signalled():
                self._interrupted()
            case OutputLost():
                self._begin_stop()
            case Asked(request, reply):
                reply.put(self._answer_to(request))
            case _:
                pass  # news of a process that is not the current one any more

    def _is_current(self, name: str, pid: int) -> bool:
        process = self._units[name].process
        return process is not None and process.pid == pid

    def _begin_stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._reporter.stopping()

    def _interrupted(self) -> None:
        if not self._stopping:
            self._begin_stop()
            return
        self._exit_code = EXIT_INTERRUPTED
        for unit in self._units.values():
            if unit.process:
                unit.stage = Stage.STOPPING
                unit.kills = []
                unit.deadline = None
                unit.process.signal(signal.SIGKILL)

    def _answer_to(self, request: Json) -> Json:
        match request:
            case {"ask": "status"}:
                return self._answer(self.statuses())
            case {"ask": "stop"}:
                self._begin_stop()
                return {}
            case {"ask": "restart", "services": [*names]}:
                return self._restart([str(name) for name in names])
            case _:
                return {"error": "this stack runs another version of devkit: stop it with Ctrl-C or devkit down"}

    def _restart(self, names: Sequence[str]) -> Json:
        for name in names:
            if name not in self._units:
                return {"error": f"there is no service '{name}' in this stack"}
            if self._units[name].service.external:
                return {"error": f"{name} is not devkit's to restart: {self._units[name].service.how}"}
            for needed in self._units[name].service.depends_on:
                if needed not in names and needed in self._units and self._units[needed].stage is Stage.FAILED:
                    return {"error": f"{name} needs {needed}, which has failed: devkit restart {needed} {name}"}
        for name in names:
            unit = self._units[name]
            unit.crashes = Restarts()
            self._stop(unit, then=Stage.WAITING)
        return {}
