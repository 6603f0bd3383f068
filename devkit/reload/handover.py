"""Runs generations of a program, one after the other; a change starts the next one, which takes over when live."""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from devkit.errors import AnothersError, DevkitError, UsageError
from devkit.model.loop import Clock, Signalled, decide
from devkit.model.wire import Note
from devkit.reload.book import Zygotes
from devkit.reload.generation import Generation, Phase, ZygoteHandle
from devkit.reload.messages import AllGone, Changed, Inbox, Message, Reinstalled, Told, ZygoteEnded
from devkit.reload.program import Announcer, Program, Surroundings
from devkit.reload.words import News, end, what_runs

# For so long the generation before stands by, and takes over again if the new one ends by itself.
PROBATION_S = 1.0
# From being told to end to being killed, for a generation that does not listen: it never got as far as consuming, or
# its only thread is in a task.
DEAF_S = 5.0
# For generations that were killed to be gone; then their zygotes are killed, too.
KILLED_S = 0.5
EXIT_INTERRUPTED = 130


class Handover:
    """Keeps one generation live; `run` returns the exit code."""

    def __init__(
        self,
        program: Program,
        *,
        inbox: Inbox,
        reporter: Announcer,
        base: Path,
        watch: Surroundings,
        refresh: Callable[[Sequence[Path]], tuple[Program, str] | None] = lambda _: None,
        paused: Callable[[int], str] = lambda _: "",
        delays: Callable[[float], float | None] = lambda _: None,
        waits_for_save: bool = True,
        heals: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        """`refresh` gives the program anew, and what changed in words, when one of the paths is a setting, or raises
        DevkitError. `paused` tells what waits in a debugger among a generation's processes, by its pid. `delays` gives
        the seconds until a new try, from those that a killed generation was live, or None. Without `waits_for_save` a
        start that fails ends the run; so does, without `heals`, the end of the live generation.
        """
        self._program = program
        self._inbox = inbox
        self._tell = reporter
        self._watch = watch
        self._refresh = refresh
        self._paused = paused
        self._delays = delays
        self._waits_for_save = waits_for_save
        self._heals = heals
        self._clock = clock
        self._zygotes = Zygotes(program.make_zygote)
        self._generations: list[Generation] = []
        self._news = News(reporter, base, paused)
        self._trouble = ""
        self._retry_at: float | None = None
        self._kill_zygotes_at: float | None = None
        self._next, self._stopping, self._exit_code = 1, False, 0

    def run(self) -> int:
        """Run until asked to stop. 0: stopped; 1: the program did not start; 130: interrupted a second time."""
        self._start((), self._clock())
        decide(self, self._inbox, self._clock)
        return self._exit_code

    # What is due now

    def deadlines(self) -> list[float | None]:
        own = [generation.deadline for generation in self._generations]
        return [*own, *self._news.deadlines(), self._retry_at, self._kill_zygotes_at]

    def over(self) -> bool:
        return self._stopping and not self._zygotes

    def advance(self, now: float) -> None:
        for generation in list(self._generations):
            if generation.deadline is not None and now >= generation.deadline:
                self._overdue(generation)
        self._news.advance(now, self._generations)
        if self._retry_at is not None and now >= self._retry_at:
            self._start((), now)
        if self._kill_zygotes_at is not None and now >= self._kill_zygotes_at:
            self._kill_zygotes_at = None
            self._zygotes.kill()

    def _overdue(self, generation: Generation) -> None:
        generation.deadline = None
        match generation.phase:
            case Phase.STANDBY:
                self._send_away(generation)
            case Phase.LEAVING if not self._is_paused(generation):
                generation.abandon(self._clock() + DEAF_S)
            case Phase.ABANDONED | Phase.REPLACED if generation.pid is None and not generation.spawned:
                generation.deadline = self._clock() + DEAF_S  # not forked yet
            case Phase.ABANDONED | Phase.REPLACED:
                if generation.phase is Phase.ABANDONED:
                    self._news.abandoned(generation, generation.tasks, self._program.drain_s)
                generation.kill()

    def _is_paused(self, generation: Generation) -> bool:
        """Whether a task of it is in a debugger: then the time does not run out."""
        where = self._paused(generation.pid) if generation.pid else ""
        if where:
            self._progress(f"generation {generation.number} is paused in a debugger ({where})")
            generation.deadline = self._clock() + DEAF_S
        return bool(where)

    # Generations come and go

    def _in_phase(self, phase: Phase) -> Generation | None:
        return next((generation for generation in self._generations if generation.phase is phase), None)

    def _of(self, zygote: int, number: int | None = None) -> list[Generation]:
        """Those that came from a zygote, or the one of this number."""
        return [one for one in self._generations if one.zygote.pid == zygote and number in (None, one.number)]

    def _start(self, changed: Sequence[Path], noticed_at: float) -> None:
        """Start the next generation; one that is not live yet gives way to it."""
        if self._stopping:
            return
        self._retry_at = None
        if replaced := self._in_phase(Phase.STARTING):
            changed = list(dict.fromkeys([*replaced.changed, *changed]))
            noticed_at = min(noticed_at, replaced.noticed_at)
            replaced.replace(self._clock() + DEAF_S)
        zygote = self._zygotes.usable()
        number, spawned = self._next, self._program.spawn
        self._next += 1
        self._generations.append(Generation(number, zygote, spawned, changed, noticed_at))
        zygote.order(start=number, become=spawned, program=self._program.order(number))
        if spawned:
            self._zygotes.renew()  # it imports what it can while the other one starts
        self._progress()

    def _became_live(self, new: Generation, sources: Sequence[str]) -> None:
        if new.phase is not Phase.STARTING:
            new.deadline = None  # it listens now, and ends by itself
            return
        new.phase, new.live_at = Phase.LIVE, self._clock()
        self._trouble, self._retry_at = "", None
        self._zygotes.prove(new.zygote)
        self._watch.sources(sources)
        if not new.spawned:
            new.zygote.order(learn=True)
        for standby in [generation for generation in self._generations if generation.phase is Phase.STANDBY]:
            self._send_away(standby)
        old = next((other for other in self._generations if other.phase is Phase.LIVE and other is not new), None)
        if old:
            old.phase, old.deadline = Phase.STANDBY, new.live_at + PROBATION_S
            old.order("drain")
            if not self._program.resumes:
                old.phase, old.deadline = Phase.LEAVING, new.live_at + self._program.drain_s
            self._news.reloaded(new, old)
        else:
            self._tell.notice(f"generation {new.number} is live after {new.live_at - new.noticed_at:.2f} s")
        self._progress()

    def _send_away(self, generation: Generation) -> None:
        """It is not needed any more: what it runs it may finish."""
        generation.leave(self._clock() + self._program.drain_s)
        self._progress()

    def _failed(self, generation: Generation, error: DevkitError) -> None:
        """The code cannot be used: what was live stays so."""
        if generation.phase is not Phase.STARTING:
            return  # newer code is on its way
        generation.phase = Phase.LEAVING
        live = self._in_phase(Phase.LIVE)
        waits = self._waits_for_save and not isinstance(
            error, UsageError | AnothersError
        )  # no save mends what was typed
        if not live and not self._zygotes.proven() and not waits:
            self._tell.problem(error)
            self._trouble, self._exit_code = error.what, error.exit_code
            self._progress()
            self._stop()
            return
        self._news.cannot_be_used(error, generation.changed, live)
        self._trouble = f"{'the new code cannot be used' if live else error.what}; the next save tries again"
        self._progress()

    def _ended(self, generation: Generation, code: int) -> None:
        self._news.heard(generation, self._generations, ended=True)
        match generation.phase:
            case Phase.STARTING:
                self._failed(generation, DevkitError(f"{end(generation, code)} before it was live"))
            case Phase.LIVE:
                generation.phase = Phase.LEAVING
                self._lost(generation, code)
            case Phase.LEAVING:
                self._done(generation)
        self._generations.remove(generation)
        self._progress()
        self._end_if_done()

    def _done(self, generation: Generation) -> None:
        """What it ran is finished; its process may take a moment to end."""
        if generation.running and not self._stopping:
            self._tell.notice(f"generation {generation.number} is done")
        generation.running, generation.tasks = 0, ()
        self._progress()

    def _lost(self, generation: Generation, code: int) -> None:
        """The live one ended, and nobody had asked it to."""
        if self._stopping:
            return
        what = end(generation, code)
        if not self._heals:
            self._tell.notice(what)
            self._exit_code = 1
            self._stop()
            return
        standby = self._in_phase(Phase.STANDBY)
        killed, lived = code in (-signal.SIGKILL, -signal.SIGTERM), self._clock() - generation.live_at
        delay = self._delays(lived) if killed or lived > PROBATION_S else None
        if delay is not None:
            self._retry_at = self._clock() + delay
            self._tell.notice(f"{what}; the next one starts")
            return
        self._trouble = f"{what}; the next save starts it again"
        if standby:
            standby.resume()
            self._trouble = f"{what}; generation {standby.number} is live again, the next save tries anew"
        self._tell.notice(self._trouble)

    # Stopping

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping, self._retry_at = True, None
        for generation in self._generations:
            if generation.phase is Phase.STARTING:
                generation.replace(self._clock() + DEAF_S)
            elif generation.phase in (Phase.LIVE, Phase.STANDBY):
                generation.leave(None)
            if generation.pid and (where := self._paused(generation.pid)):
                self._tell.notice(f"let go from the debugger, runs on: {where}")
            generation.order("release")  # and no task is to pause any more
            if generation.phase is Phase.LEAVING:
                generation.deadline = None  # whoever stops it has the patience, or asks again
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._stopping and not self._generations:
            self._zygotes.close()
            self._kill_zygotes_at = self._kill_zygotes_at or self._clock() + DEAF_S

    def _interrupted(self) -> None:
        if not self._stopping:
            self._stop()
            return
        self._exit_code = EXIT_INTERRUPTED
        for generation in self._generations:
            generation.kill()
        self._kill_zygotes_at = self._clock() + KILLED_S

    def _progress(self, note: str = "") -> None:
        if not self._stopping:
            self._news.progress(self._generations, self._next - 1, note or self._trouble)

    # Messages

    def handle(self, message: Message) -> None:
        match message:
            case Changed(paths, at):
                self._changed(paths, at)
            case Reinstalled(names, at) if not self._stopping:
                self._renew(f"installed: {', '.join(names)}", (), at)
            case Told(zygote, told) if "generation" in told:
                for generation in self._of(zygote, told["generation"]):
                    self._told(generation, told)
            case Told(zygote, told):
                self._told_by_zygote(zygote, told)
            case ZygoteEnded(zygote, code):
                self._zygote_ended(zygote, code)
            case AllGone(zygote) if self._zygotes.alone(zygote):
                self._nothing_left(zygote)
            case Signalled():
                self._interrupted()

    def _changed(self, paths: Sequence[Path], at: float) -> None:
        if self._stopping:
            return
        try:
            refreshed = self._refresh(paths)
        except DevkitError as error:
            self._tell.problem(error)
            return
        if refreshed:
            self._program, why = refreshed
            self._zygotes.make = self._program.make_zygote
            self._renew(why, paths, at)
        else:
            self._start(paths, at)

    def _renew(self, why: str, paths: Sequence[Path], at: float) -> None:
        """What generations start from has changed: a new zygote, and a generation from it."""
        self._tell.notice(f"{why}: starting afresh")
        try:
            before = self._zygotes.renew()
        except DevkitError as error:  # the interpreter is gone, perhaps for a moment
            self._tell.problem(error)
            return
        self._start(paths, at)
        self._close_if_unused(before)

    def _close_if_unused(self, zygote: ZygoteHandle) -> None:
        if zygote is not self._zygotes.current and all(other.zygote is not zygote for other in self._generations):
            zygote.close()

    def _told(self, generation: Generation, told: Note) -> None:
        match told:
            case {"pid": pid}:
                generation.pid = pid
            case {"live": True, "sources": sources}:
                self._became_live(generation, sources)
            case {"failed": problem, "text": text}:
                self._failed(generation, self._program.problem({**problem, "traceback": text}))
            case {"draining": running, "tasks": tasks, "given_back": given_back}:
                generation.running, generation.tasks, generation.given_back = running, tasks, given_back
                self._news.heard(generation, self._generations)
                if self._stopping and running:
                    self._tell.notice(f"waiting for {what_runs(generation)}; Ctrl-C again kills")
                self._progress()
            case {"done": True}:
                self._done(generation)
            case {"abandoned": tasks}:
                self._news.abandoned(generation, tasks, self._program.drain_s)

    def _told_by_zygote(self, zygote: int, told: Note) -> None:
        match told:
            case {"exited": number, "code": code}:
                for generation in self._of(zygote, number):
                    self._ended(generation, code)
                    self._close_if_unused(generation.zygote)
            case {"installed": folders}:
                self._watch.installed(folders)
            case {"unfit": _}:
                self._cannot_fork(zygote)
            case {"unforkable": _, "why": why}:
                if not self._program.spawn:
                    self._program.spawn = True
                    self._tell.notice(f"no forking here: {why}; each reload starts a new process, which is slower")
                self._cannot_fork(zygote)

    def _cannot_fork(self, pid: int) -> None:
        """What this zygote was asked for another one does."""
        unforked = [one for one in self._of(pid) if one.pid is None]
        for generation in unforked:
            self._generations.remove(generation)
        if not self._stopping:
            before = self._zygotes.get(pid)
            if before is self._zygotes.current:
                self._zygotes.renew()
            for generation in unforked:
                if generation.phase is Phase.STARTING:
                    self._next = generation.number
                    self._start(generation.changed, generation.noticed_at)
            self._close_if_unused(before)
        self._end_if_done()

    def _zygote_ended(self, pid: int, code: int) -> None:
        nothing_left = self._zygotes.ended(pid)
        for generation in [one for one in self._of(pid) if one.spawned]:
            self._ended(generation, code)
        # Its other generations notice, and finish what they run.
        orphans = self._of(pid)
        wanted = any(one.phase in (Phase.STARTING, Phase.LIVE) for one in orphans)
        for generation in orphans:
            never_live = generation.phase is Phase.STARTING  # it may never come so far that it notices
            generation.phase = Phase.REPLACED if never_live else Phase.LEAVING
            generation.deadline = self._clock() + DEAF_S if never_live else None
        if self._zygotes.proven(pid) and wanted and not self._stopping:
            self._tell.notice("the process that generations start from was lost; another one takes its place")
            self._start((), self._clock())
        elif (wanted or (not self._zygotes.proven() and pid == self._zygotes.current.pid)) and not self._stopping:
            self._trouble = f"devkit's agent ended with exit code {code} under this interpreter"
            self._tell.problem(DevkitError(self._trouble))
            self._progress()
            if not self._zygotes.proven():
                self._exit_code = 1
                self._stop()
        if nothing_left:
            self._nothing_left(pid)

    def _nothing_left(self, pid: int) -> None:
        """Of a zygote, and of all that it forked."""
        for generation in self._of(pid):
            self._ended(generation, 0)
        self._end_if_done()
