"""A world for the supervisor: its inbox, clock, processes and reporter in one. Time passes only while it waits."""

import heapq
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus
from devkit.stack.messages import Asked, Exited, Message, Ready
from devkit.stack.service import Notice, Service
from devkit.stack.supervisor import Supervisor

HARDER = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True)
class Program:
    """How one process of a service behaves, in seconds; what is None never happens."""

    ready: float | None = 1.0  # from its start until it is
    lives: float | None = None  # from its start to an end by itself, with `code`
    code: int = 1
    heeds: int = signal.SIGINT  # the mildest signal that ends it
    takes: float = 0.5  # from that signal to its end


class StuckError(AssertionError):
    """The supervisor waits for what can never happen any more."""


def service(name: str, *depends_on: str, **more: Any) -> Service:
    """A service that is ready when it says so."""
    given = {"argv": (name,), "cwd": Path("/"), "env": {}, "ready": Notice("its word")}
    return Service(name=name, depends_on=depends_on, **{**given, **more})


@dataclass
class Process:
    """A process that exists in the world's future only."""

    world: "World"
    name: str
    pid: int
    started_at: float
    program: Program
    exits: Message = field(init=False)

    def __post_init__(self) -> None:
        self.exits = Exited(self.name, self.pid, self.program.code)
        if self.program.ready is not None:
            self.world.at(self.started_at + self.program.ready, Ready(self.name, self.pid))
        if self.program.lives is not None:
            self.world.at(self.started_at + self.program.lives, self.exits)

    def signal(self, signum: int, *, group: bool = False) -> None:
        name = signal.Signals(signum).name
        self.world.note(f"{self.name} {name}{' to its group' if group else ''}")
        if HARDER.index(signal.Signals(signum)) >= HARDER.index(signal.Signals(self.program.heeds)):
            delay = 0.0 if signum == signal.SIGKILL else self.program.takes
            self.world.at(self.world.now + delay, Exited(self.name, self.pid, -signum))


class World(SimpleQueue[Message]):
    """Runs a supervisor over a history: what its processes do, and what `at` and `ask` add.

    `log` tells what happened: each entry with the second at which it did. A service's processes behave like its
    programs, one after the other, the last of them for good; an error in the place of a program is raised.
    """

    def __init__(
        self, *services: Service, timeout: float = 60.0, **programs: Program | Sequence[Program | DevkitError]
    ) -> None:
        super().__init__()
        self.now = 0.0
        self.log: list[str] = []
        self.errors: list[DevkitError] = []
        self._programs = {name: [each] if isinstance(each, Program) else [*each] for name, each in programs.items()}
        self._future: list[tuple[float, int, Message]] = []
        self._order = count()
        self._pids = count(1)
        self._ended: set[int] = set()
        self._supervisor = Supervisor(
            services,
            spawn=self._spawn,
            inbox=self,
            reporter=self,
            start_timeout_s=timeout,
            answer=lambda statuses: {status.name: status for status in statuses},
            clock=lambda: self.now,
        )

    def run(self) -> int:
        """The exit code; raises StuckError where the real supervisor would never return."""
        return self._supervisor.run()

    def at(self, moment: float, message: Message) -> None:
        """Something that will happen."""
        heapq.heappush(self._future, (moment, next(self._order), message))

    def ask(self, moment: float, **request: Any) -> "SimpleQueue[dict[str, Any]]":
        """A request over the control socket that will be made; its answer will be in the queue."""
        reply: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.at(moment, Asked(request, reply))
        return reply

    def note(self, text: str) -> None:
        self.log.append(f"{round(self.now, 3):g} {text}")

    def told(self, *words: str) -> list[str]:
        """The entries of the log in which one of these words occurs."""
        return [entry for entry in self.log if any(word in entry for word in words)]

    # The inbox

    def get(self, block: bool = True, timeout: float | None = None) -> Message:
        assert block
        assert timeout is None or timeout >= 0
        while True:
            if not self._future and timeout is None:
                raise StuckError("the supervisor waits for ever")
            if timeout is not None and (not self._future or self._future[0][0] > self.now + timeout):
                self.now += timeout
                raise Empty
            moment, _, message = heapq.heappop(self._future)
            waited = max(0.0, moment - self.now)
            self.now += waited
            timeout = None if timeout is None else timeout - waited
            if isinstance(message, Ready | Exited) and message.pid in self._ended:
                continue  # a process ends once, and is not ready after that
            if isinstance(message, Exited):
                self._ended.add(message.pid)
                self.note(f"{message.name} ends")
            return message

    # The processes

    def _spawn(self, service: Service) -> Process:
        programs = self._programs.get(service.name, [Program()])
        program = programs.pop(0) if len(programs) > 1 else programs[0]
        if isinstance(program, DevkitError):
            raise program
        self.note(f"{service.name} starts")
        return Process(self, service.name, next(self._pids), self.now, program)

    # The reporter

    def ready(self, name: str) -> None:
        self.note(f"{name} ready")

    def all_ready(self, services: Sequence[ServiceStatus]) -> None:
        self.note(f"all ready: {', '.join(service.name for service in services)}")

    def notice(self, text: str) -> None:
        self.note(f"devkit: {text}")

    def stopping(self) -> None:
        self.note("stopping")

    def failed(self, error: DevkitError) -> None:
        self.errors.append(error)
        self.note(f"failed: {error.what}")

    def tail(self, name: str) -> str:
        return f"last words of {name}"
