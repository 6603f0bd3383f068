"""The world of a supervisor: its processes and its reporter, too."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from devkit.errors import DevkitError
from devkit.model.loop import Signalled
from devkit.stack.messages import Asked, Exited, Message, Ready
from devkit.stack.service import Finish, Notice, Service
from devkit.stack.supervisor import Supervisor
from tests.unit.world import ReportingWorld

HARDER = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True)
class Program:
    """How one process of a service behaves, in seconds; what is None never happens."""

    ready: float | None = 1.0  # from its start until it is
    lives: float | None = None  # from its start to an end by itself, with `code`
    code: int = 1
    heeds: int = signal.SIGINT  # the mildest signal that ends it
    takes: float = 0.5  # from that signal to its end


def service(name: str, *depends_on: str, **more: Any) -> Service:
    """A service that is ready when it says so."""
    given = {"argv": (name,), "cwd": Path("/"), "env": {}, "ready": Notice("its word")}
    return Service(name=name, depends_on=depends_on, **{**given, **more})


def statuses(answer: dict[str, Any]) -> dict[str, str]:
    """The states in an answer to `status`."""
    return {name: status.state for name, status in answer.items()}


CTRL_C = Signalled(signal.SIGINT)
REDIS, API, WORKER = service("redis"), service("api", "redis"), service("worker", "redis")
MIGRATE = service("migrate", "redis", ready=Finish())
FINISHES = Program(ready=None, lives=3, code=0)
NEVER_READY = Program(ready=None)


@dataclass
class Process:
    """A process that exists in the world's future only."""

    world: "World"
    name: str
    pid: int
    started_at: float
    program: Program
    ended: bool = False

    def __post_init__(self) -> None:
        if self.program.ready is not None:
            self.world.at(self.started_at + self.program.ready, self._ready)
        if self.program.lives is not None:
            self.world.at(self.started_at + self.program.lives, lambda: self._exits(self.program.code))

    def _ready(self) -> Message | None:
        return None if self.ended else Ready(self.name, self.pid)

    def _exits(self, code: int) -> Message | None:
        if self.ended:
            return None
        self.ended = True
        self.world.note(f"{self.name} ends")
        return Exited(self.name, self.pid, code)

    def signal(self, signum: int, *, group: bool = False) -> None:
        name = signal.Signals(signum).name
        self.world.note(f"{self.name} {name}{' to its group' if group else ''}")
        if HARDER.index(signal.Signals(signum)) >= HARDER.index(signal.Signals(self.program.heeds)):
            delay = 0.0 if signum == signal.SIGKILL else self.program.takes
            self.world.at(self.world.now + delay, lambda: self._exits(-signum))


class World(ReportingWorld[Message]):
    """Runs a supervisor over a history: what its processes do, and what `at` and `ask` add.

    A service's processes behave like its programs, one after the other, the last of them for good; an error in the
    place of a program is raised.
    """

    def __init__(
        self, *services: Service, timeout: float = 60.0, **programs: Program | Sequence[Program | DevkitError]
    ) -> None:
        super().__init__()
        self._programs = {name: [each] if isinstance(each, Program) else [*each] for name, each in programs.items()}
        self._pids = count(1)
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
        """The exit code."""
        return self._supervisor.run()

    def ask(self, moment: float, **request: object) -> SimpleQueue[Any]:
        """A request over the control socket that will be made; its answer will be in the queue."""
        reply: SimpleQueue[Any] = SimpleQueue()
        self.at(moment, Asked(request, reply))
        return reply

    # The processes

    def _spawn(self, service: Service) -> Process:
        programs = self._programs.get(service.name, [Program()])
        program = programs.pop(0) if len(programs) > 1 else programs[0]
        if isinstance(program, DevkitError):
            raise program
        self.note(f"{service.name} starts")
        return Process(self, service.name, next(self._pids), self.now, program)
