"""The world of a handover: its zygotes, its reporter and its watch, too."""

import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Unpack, cast

from devkit.errors import DevkitError
from devkit.model.loop import Signalled
from devkit.model.wire import ApiOrder, GenerationNews, Note, Trouble, ZygoteOrder
from devkit.reload.handover import Handover
from devkit.reload.messages import AllGone, Changed, Message, Reinstalled, Told, ZygoteEnded
from devkit.reload.program import Program
from tests.unit import world

BASE = Path("/project")
CTRL_C = Signalled(signal.SIGINT)
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Code:
    """How a generation behaves that runs this code, in seconds; what is None never happens."""

    forked: float = 0.0  # from its start until its pid is known
    live: float | None = 0.1  # from its start until it consumes
    fails: str = ""  # why its code cannot be used: it says so instead of being live
    late: bool = False  # it was told to stop too late, and is live all the same
    lives: float | None = None  # from its start to an end by itself, with `code`
    code: int = 1
    tasks: tuple[str, ...] = ()  # what it runs when it is drained
    connections: int = 0
    given_back: int = 0
    answers: float | None = 0.01  # from "drain" to what it tells about that
    finishes: float | None = 0.5  # from "stop" to the end of what it runs
    takes: float = 0.05  # from that to the end of its process
    abandons: float | None = 0.1  # from "abandon" to that


GOOD = Code()
BROKEN = Code(fails="NameError: name 'x' is not defined")
HANGS = Code(live=None)  # while it is imported, and hears nothing
BUSY = Code(tasks=("shop.report[a1]", "shop.mail[b2]", "shop.report[c3]"), given_back=5)
LONG = Code(tasks=("shop.report[a1]",), finishes=None)


@dataclass
class Fork:
    """A generation that exists in the world's future only."""

    world: "World"
    zygote: "FakeZygote"
    number: int
    code: Code
    pid: int
    is_live: bool = False
    drained: bool = False
    leaving: bool = False
    ended: bool = False

    def __post_init__(self) -> None:
        self.tell(self.code.forked, pid=self.pid)
        if self.code.live is not None:
            self.world.at(self.world.now + self.code.live, self._imported)
        if self.code.lives is not None:
            self.ends(self.code.lives, self.code.code)

    def _imported(self) -> Message | None:
        if self.ended:
            return None
        if self.code.fails:
            self.ends(self.code.takes, 1)
            report: Trouble = {"problem": "raises", "message": self.code.fails}
            return self._told(failed=report, text="the traceback")
        if self.leaving and not self.code.late:
            self.ends(0, 0)
            return None
        self.is_live = True
        if self.leaving:
            self.leave()
        return self._told(live=True, sources=[f"/elsewhere/{self.number}"])

    def _told(self, **news: Unpack[GenerationNews]) -> Message:
        return Told(self.zygote.pid, cast("Note", {"generation": self.number, **news}))

    def tell(self, delay: float, **news: Unpack[GenerationNews]) -> None:
        self.world.at(self.world.now + delay, lambda: None if self.ended else self._told(**news))

    def ends(self, delay: float, code: int) -> None:
        self.world.at(self.world.now + delay, lambda: self._end(code))

    def _end(self, code: int) -> Message | None:
        if self.ended:
            return None
        self.ended = True
        self.world.note(f"{self.number} ends")
        return self.zygote.lost(self, code)

    def hears(self, order: str) -> None:
        if order == "release":  # comes with the stop at the end of each history
            self.world.released.append(self.number)
            return
        self.world.note(f"{self.number} {order}")
        match order:
            case "drain":
                self.drain()
                if not self.world.resumes:
                    self.leave()
            case "resume":
                self.drained = False
            case "stop":
                self.leaving = True
                if self.is_live:
                    self.drain()
                    self.leave()
            case "abandon" if self.code.abandons is not None:
                self.tell(self.code.abandons, abandoned=list(self.code.tasks))
                self.ends(self.code.abandons + self.code.takes, -signal.SIGKILL)

    def drain(self) -> None:
        if self.drained or not self.is_live:
            return
        self.drained = True
        running = len(self.code.tasks) or self.code.connections
        if self.code.answers is not None:
            self.tell(self.code.answers, draining=running, tasks=list(self.code.tasks), given_back=self.code.given_back)

    def leave(self) -> None:
        if self.code.finishes is not None:
            self.tell(self.code.finishes, done=True)
            self.ends(self.code.finishes + self.code.takes, 0)


def _order(number: int) -> ApiOrder:
    return {
        "kind": "api", "module": "shop", "attribute": "app", "cwd": f"/{number}", "env": {},
        "socket": 3, "grace_s": 2,
    }  # fmt: skip


@dataclass
class FakeZygote:
    """Records its orders, and lets generations of the world's code happen."""

    world: "World"
    pid: int
    forks: dict[int, Fork] = field(default_factory=dict)
    closed: bool = False
    dead: bool = False
    program: Fork | None = None  # what it became

    def order(self, **order: Unpack[ZygoteOrder]) -> None:
        assert not self.closed, "an order after the last one"
        match order:
            case _ if self.dead:
                pass
            case {"start": number}:
                self._start(number, order)
            case {"tell": number, "order": what} if number in self.forks:
                self.forks[number].hears(what)
            case {"order": what} if self.program:
                self.program.hears(what)
            case {"learn": True}:
                self.world.learned.append(self.pid)

    def _start(self, number: int, order: ZygoteOrder) -> None:
        self.world.note(f"{number} starts on {self.pid}{' as itself' if order['become'] else ''}")
        if self.pid in self.world.unfit:
            self.say(unfit="grpc", why="it starts a thread")
        elif self.pid in self.world.unforkable and not order["become"]:
            self.say(unforkable=number, why="2 threads run")
        else:
            fork = self.world.fork(self, number)
            if order["become"]:
                self.program = fork
            self.forks[number] = fork

    def say(self, **note: Unpack[Note]) -> None:
        self.world.at(self.world.now, Told(self.pid, note))

    def close(self) -> None:
        if not self.closed:
            self.world.note(f"zygote {self.pid} closed")
        self.closed = True
        self._end_if_done()

    def kill(self) -> None:
        self.world.note(f"zygote {self.pid} killed")
        self.die(-signal.SIGKILL)

    def die(self, code: int) -> None:
        """It ends; its generations notice and finish what they run."""
        if self.dead:
            return
        if self.program:
            self.program.ends(0, code)
            return
        self.dead = True
        self.world.at(self.world.now, ZygoteEnded(self.pid, code))
        for fork in self.forks.values():
            fork.leaving = True
            if fork.is_live:
                fork.leave()
        self._gone_if_alone()

    def kill_generation(self, pid: int) -> None:
        fork = next(fork for fork in self.forks.values() if fork.pid == pid)
        self.world.note(f"{fork.number} killed")
        fork.ends(0, -signal.SIGKILL)

    def lost(self, fork: Fork, code: int) -> Message | None:
        if fork is self.program:
            self.dead = True
            self.world.at(self.world.now, AllGone(self.pid))
            return ZygoteEnded(self.pid, code)
        if self.dead:
            self._gone_if_alone()
            return None
        self._end_if_done()
        return Told(self.pid, {"exited": fork.number, "code": code})

    def _end_if_done(self) -> None:
        if self.closed and not self.dead and not self.program and all(fork.ended for fork in self.forks.values()):
            self.die(0)

    def _gone_if_alone(self) -> None:
        if all(fork.ended for fork in self.forks.values()):
            self.world.at(self.world.now, AllGone(self.pid))


class World(world.World[Message]):
    """Runs a handover over a history: what generations of its code do, and what `at`, `save` and the like add.

    The first generation behaves like the first code, and so on; the last code is that of all further ones. Zygotes
    have pids from 1 on; those in `unfit` and `unforkable` do not fork, and say so.
    """

    def __init__(
        self,
        *codes: Code,
        resumes: bool = True,
        drain_s: float = 60.0,
        spawn: bool = False,
        waits_for_save: bool = True,
        heals: bool = True,
        delays: Sequence[float] = (),
        unfit: Collection[int] = (),
        unforkable: Collection[int] = (),
    ) -> None:
        super().__init__()
        self.states: list[tuple[int, str, str]] = []  # of each progress
        self.released: list[int] = []
        self.sources_told: list[list[str]] = []
        self.installed_told: list[list[str]] = []
        self.learned: list[int] = []
        self.zygotes: dict[int, FakeZygote] = {}
        self.lived: list[float] = []  # what `delays` was asked for
        self.pauses: dict[int, str] = {}  # generation → what of it waits in a debugger
        self.refreshes: list[tuple[Program, str] | DevkitError] = []  # for saves of "settings", one after the other
        self.resumes = resumes
        self.unfit = unfit
        self.unforkable = unforkable
        self._codes = list(codes) or [Code()]
        self._delays = list(delays)
        self._pids = count(101)
        self.program = Program(
            make_zygote=self._make_zygote,
            order=_order,
            problem=lambda problem: DevkitError(problem["message"], excerpt=problem["traceback"], mend=["correct it"]),
            resumes=resumes,
            drain_s=drain_s,
            spawn=spawn,
        )
        self._handover = Handover(
            self.program,
            inbox=self,
            reporter=self,
            base=BASE,
            watch=self,
            refresh=self._refresh,
            paused=self._paused,
            delays=self._delay,
            waits_for_save=waits_for_save,
            heals=heals,
            clock=lambda: self.now,
        )

    def run(self) -> int:
        """The exit code."""
        return self._handover.run()

    # What happens

    def save(self, moment: float, *names: str) -> None:
        self.at(moment, Changed(tuple(BASE / name for name in names or ("tasks.py",)), moment))

    def install(self, moment: float, *names: str) -> None:
        self.at(moment, Reinstalled(names, moment))

    def lose_zygote(self, moment: float, pid: int, code: int = -9) -> None:
        """A zygote dies without anybody here asking for it."""
        self.at(moment, lambda: self.zygotes[pid].die(code))

    # What is known afterwards

    def of(self, *generations: int) -> list[str]:
        """The entries about these generations."""
        return [entry for entry in self.log if entry.split()[1] in {str(number) for number in generations}]

    @property
    def notices(self) -> list[str]:
        return [entry.replace("devkit: ", "") for entry in self.told(" devkit: ")]

    # The program

    def _make_zygote(self) -> FakeZygote:
        pid = len(self.zygotes) + 1
        self.note(f"zygote {pid}")
        self.zygotes[pid] = FakeZygote(self, pid)
        return self.zygotes[pid]

    def fork(self, zygote: FakeZygote, number: int) -> Fork:
        code = self._codes.pop(0) if len(self._codes) > 1 else self._codes[0]
        return Fork(self, zygote, number, code, next(self._pids))

    def _refresh(self, paths: Sequence[Path]) -> tuple[Program, str] | None:
        if not any(path.name == "settings" for path in paths):
            return None
        refreshed = self.refreshes.pop(0)
        if isinstance(refreshed, DevkitError):
            raise refreshed
        return refreshed

    def _paused(self, pid: int) -> str:
        forks = [fork for zygote in self.zygotes.values() for fork in zygote.forks.values()]
        return self.pauses.get(next(fork.number for fork in forks if fork.pid == pid), "")

    def _delay(self, lived_s: float) -> float | None:
        self.lived.append(round(lived_s, 3))
        return self._delays.pop(0) if self._delays else None

    # The reporter

    def notice(self, text: str) -> None:
        self.note(f"devkit: {text}")

    def problem(self, error: DevkitError) -> None:
        self.errors.append(error)
        self.note(f"problem: {error.what}")

    def progress(self, generation: int, state: str, note: str) -> None:
        self.states.append((generation, state, note))

    # What is watched

    def sources(self, paths: Sequence[str]) -> None:
        self.sources_told.append(list(paths))

    def installed(self, folders: Sequence[str]) -> None:
        self.installed_told.append(list(folders))
