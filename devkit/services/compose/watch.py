"""Watches a stack in containers: one loop that decides, fed by one queue of messages.

Docker keeps the containers; what is decided here is when all are ready, when a start has failed, what people are told,
and when everything is to go. Threads read docker's events, the containers' output and compose's; each only puts a
message into the queue.
"""

import signal
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from devkit.containers.docker import Container, DockerError
from devkit.containers.project import (
    describe,
    has_finished,
    in_order,
    is_ready,
    moment,
    names_of,
    ready_after,
    status_of,
)
from devkit.containers.streams import Event
from devkit.errors import DevkitError
from devkit.model.loop import Clock, Signalled, decide
from devkit.model.status import ServiceStatus
from devkit.services.compose.messages import (
    Composed,
    ContainersReporter,
    Down,
    Engine,
    EventsEnded,
    Happened,
    Inbox,
    Message,
)
from devkit.stack.messages import Asked, OutputLost
from devkit.stack.supervisor import EXIT_INTERRUPTED

COMPOSE_ENDS_S = 5.0  # how long compose may take to end when it is interrupted


@dataclass
class _Known:
    """A container, and what is known of it beyond what docker tells."""

    name: str
    container: Container
    started_at: str = ""  # the start that is watched; empty: it has not been started since this watch began
    ready: bool = False
    ready_s: float | None = None
    unhealthy: bool = False  # it was ready before
    asked: bool = False  # somebody asked it to end
    deaths: int = 0
    deadline: float | None = None


class Watch:
    """Sees a stack up, and down again; `run` returns the exit code."""

    def __init__(
        self,
        engine: Engine,
        inbox: Inbox,
        reporter: ContainersReporter,
        *,
        start_timeout_s: float,
        stays: bool,
        before: Collection[str] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        """`stays`: once all is ready, leave it to docker. `before` are the starts of the containers that there were."""
        self._engine = engine
        self._inbox = inbox
        self._reporter = reporter
        self._start_timeout_s = start_timeout_s
        self._stays = stays
        self._before = before
        self._clock = clock
        self._units: dict[str, _Known] = {}
        self._composing = True
        self._compose_deadline: float | None = None
        self._up = self._stopping = self._killing = self._done = False
        self._going = 0
        self._exit_code = 0

    def run(self) -> int:
        """Decide until all is over."""
        decide(self, self._inbox, self._clock)
        return self._exit_code

    def over(self) -> bool:
        return self._done

    def statuses(self) -> list[ServiceStatus]:
        """Where each container is that was started."""
        units = self._units.values()
        return [status_of(one.name, one.container, one.ready_s) for one in units if one.started_at]

    def handle(self, message: Message) -> None:
        match message:
            case Happened(event):
                self._happened(event)
            case Composed(code):
                self._compose_ended(code)
            case Signalled(signum):
                self._interrupted(signum)
            case OutputLost():
                self._begin_stop()
            case Asked({"ask": "stop"}, reply):
                reply.put({})
                self._begin_stop()
            case Asked(_, reply):
                reply.put({"error": "this stack runs in containers"})
            case EventsEnded() if not self._stopping:
                self._fail(DevkitError("docker's engine has ended", mend=["start it, then: devkit up --docker"]))
            case Down(problem):
                self._gone(problem)

    # What happens to containers

    def _compose_ended(self, code: int) -> None:
        self._composing, self._compose_deadline = False, None
        if self._stopping:
            self._take_down()
            return
        self._look()
        if code == 0:
            self._check_ready()
        elif not self._stopping:
            broken = next(filter(self._is_broken, self._units.values()), None)
            if broken:
                self._give_up(broken)
            else:
                self._fail(self._engine.explain())

    def _happened(self, event: Event) -> None:
        known = self._units.get(event.container)
        asked = known is not None and known.asked  # a look may show that it has been started again since
        if event.action == "destroy":
            self._units.pop(event.container, None)
        elif event.container not in self._units:
            self._look()
        elif event.action != "kill":
            self._look([event.container])
        if unit := self._units.get(event.container):
            match event.action:
                case "kill" if event.signal not in ("9", "SIGKILL"):  # which docker stop sends only after another
                    unit.asked = True
                case "die":
                    self._died(unit, event.exit_code, asked=asked)
                case "health_status: unhealthy" if not self._stopping:
                    self._unhealthy(unit)
        self._check_ready()
        watched = [one for one in self._units.values() if one.started_at]
        if self._up and not self._stopping and all(one.asked and not one.container.running for one in watched):
            self._reporter.notice("the containers were stopped from elsewhere")
            self._begin_stop()

    def _look(self, containers: Sequence[str] = ()) -> None:
        """Take note of how these stand; without any, of all there are."""
        try:
            found = self._engine.look(containers)
        except DockerError as error:
            if not self._stopping:
                self._fail(DevkitError(f"docker does not answer: {error}"))
            return
        new = [container for container in found if container.id not in self._units]
        names, taken = names_of(found), {unit.name for unit in self._units.values()}
        for one in new:
            name = names[one.id] if names[one.id] not in taken else f"{one.service}-{one.number}"
            self._units[one.id] = _Known(name, one)
        if new:
            order = in_order([unit.container for unit in self._units.values()])
            self._units = {container.id: self._units[container.id] for container in order}
            self._reporter.add([unit.name for unit in self._units.values()])
        for container in found:
            self._see(self._units[container.id], container)

    def _see(self, unit: _Known, container: Container) -> None:
        unit.container = container
        if moment(container.started_at) and container.started_at not in (unit.started_at, *self._before):
            unit.started_at, unit.ready, unit.ready_s, unit.asked = container.started_at, False, None, False
            if unit.deadline is None:
                unit.deadline = self._clock() + self._start_timeout_s
            self._engine.follow(unit.name, container)
        if not container.running:
            unit.ready = False
            if container.state == "exited":  # else docker starts it again, which gives it no more time
                unit.deadline = None
        elif unit.started_at and not unit.ready and is_ready(container):
            unit.ready, unit.ready_s, unit.deadline = True, ready_after(container), None
            self._reporter.ready(unit.name)
            if self._up:
                self._keep_times()
                after = "" if unit.ready_s is None else f" after {unit.ready_s:.1f} s"
                self._reporter.notice(f"{unit.name} is {'healthy again' if unit.unhealthy else f'ready{after}'}")
            unit.unhealthy = False

    def _died(self, unit: _Known, code: int, *, asked: bool) -> None:
        what = f"{unit.name} {describe(code)}"
        unit.deaths += 1
        if self._stopping:
            return
        if asked and self._up:
            self._reporter.notice(f"{unit.name} was stopped")
        elif unit.container.state != "exited":
            if self._up or unit.deaths == 1:
                self._reporter.notice(f"{what}; docker starts it again")
        elif self._up:
            self._reporter.failed(self._error(unit, what, [f"start it again: devkit restart {unit.name}"]))
        elif not has_finished(unit.container):
            self._give_up(unit, what)

    def _unhealthy(self, unit: _Known) -> None:
        unit.ready, unit.unhealthy = False, True
        if self._up:
            said = str(unit.container.health_log[-1]["Output"]).strip() if unit.container.health_log else ""
            self._reporter.notice(f"{unit.name} is unhealthy{': ' * bool(said)}{said}")
        else:
            self._give_up(unit)

    def _is_broken(self, unit: _Known) -> bool:
        ended = unit.container.state == "exited" and unit.container.started_at not in self._before
        return (ended and not has_finished(unit.container)) or unit.container.health == "unhealthy"

    def _check_ready(self) -> None:
        watched = [unit for unit in self._units.values() if unit.container.started_at not in self._before]
        if self._composing or self._up or self._stopping:
            return
        if all(unit.ready or has_finished(unit.container) for unit in watched):
            self._up = True
            self._keep_times()
            self._reporter.all_ready(self.statuses())
            self._done = self._stays

    def _keep_times(self) -> None:
        units = self._units.values()
        self._engine.keep({one.container.key: one.ready_s for one in units if one.ready_s is not None})

    # The end

    def deadlines(self) -> list[float | None]:
        return [] if self._killing else [self._compose_deadline, *(unit.deadline for unit in self._units.values())]

    def advance(self, now: float) -> None:
        if self._killing:
            return
        if self._compose_deadline is not None and now >= self._compose_deadline:
            self._compose_deadline = None
            self._engine.stop_compose(kill=True)
        for unit in self._units.values():
            if unit.deadline is not None and now >= unit.deadline:
                unit.deadline = None
                what = f"{unit.name} did not become ready in {self._start_timeout_s:g} s"
                if self._up:
                    self._reporter.notice(what)
                elif not self._stopping:
                    self._give_up(unit, what, ["more time: --timeout SECONDS"])

    def _give_up(self, unit: _Known, what: str = "", mend: Sequence[str] = ()) -> None:
        """A container that does not start ends the whole start."""
        container = unit.container
        said = "is unhealthy" if container.health == "unhealthy" else describe(container.exit_code)
        self._fail(self._error(unit, what or f"{unit.name} {said}", mend))

    def _error(self, unit: _Known, what: str, mend: Sequence[str]) -> DevkitError:
        mend = [*mend, f"read all of its output: devkit logs {unit.name}"]
        return DevkitError(what, excerpt=self._engine.last_words(unit.container), mend=mend)

    def _fail(self, error: DevkitError) -> None:
        self._exit_code = error.exit_code
        self._stopping = True
        self._end()
        self._reporter.failed(error)
        if self._units:
            self._reporter.notice("taking the containers down")

    def _begin_stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._reporter.stopping()
            self._end()

    def _interrupted(self, signum: int) -> None:
        if self._stays and not self._up:
            self._exit_code = EXIT_INTERRUPTED
        if not self._stopping:
            self._begin_stop()
        elif signum == signal.SIGINT and not self._killing:
            self._killing = True
            self._exit_code = EXIT_INTERRUPTED
            self._end()

    def _end(self) -> None:
        """Compose first, which would go on starting; then the containers."""
        if self._composing:
            self._compose_deadline = self._clock() + COMPOSE_ENDS_S
            self._engine.stop_compose(kill=self._killing)
        else:
            self._take_down()

    def _take_down(self) -> None:
        self._going += 1
        self._engine.take_down(kill=self._killing)

    def _gone(self, problem: str) -> None:
        self._going -= 1
        if self._going == 0:
            self._done = True
            if problem:
                self._exit_code = self._exit_code or 1
                self._reporter.failed(DevkitError(f"some of it is left: {problem}", mend=["try again: devkit down"]))
