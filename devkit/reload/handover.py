"""Runs generations of a program, one after the other: a change starts the next one, which takes over when it is live.

One loop decides. Threads watch files and read what zygotes tell; each only puts a message into the queue.
"""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from devkit.errors import DevkitError, UsageError
from devkit.model.loop import Clock, Signalled, decide
from devkit.reload.generation import Generation, Phase, ZygoteHandle
from devkit.reload.messages import AllGone, Changed, Inbox, Message, Reinstalled, Told, ZygoteEnded

# For so long the generation before stands by, and takes over again if the new one ends by itself.
PROBATION_S = 1.0
# From being told to end to being killed, for a generation that does not listen: it never got as far as consuming, or
# its only thread is in a task.
DEAF_S = 5.0
# How long the line about a reload waits for what the generation before has to say.
REPORT_S = 0.5
EXIT_INTERRUPTED = 130


class Watch(Protocol):
    """What is watched beside the project: code of the user's elsewhere, and what is installed."""

    def sources(self, paths: Sequence[str]) -> None: ...
    def installed(self, folders: Sequence[str]) -> None: ...


class Reporter(Protocol):
    """Tells people, and whoever supervises; every method returns at once."""

    def notice(self, text: str) -> None: ...
    def problem(self, error: DevkitError) -> None: ...
    def progress(self, generation: int, state: str, note: str) -> None: ...


@dataclass
class Program:
    """What runs: `make_zygote` starts the process that generations come from, `order` is what generation N is to do,
    `problem` puts into words why the code cannot be used.

    `resumes`: a drained generation can take over again. `drain_s`: how long what runs may go on.
    """

    make_zygote: Callable[[], ZygoteHandle]
    order: Callable[[int], Mapping[str, Any]]
    problem: Callable[[Mapping[str, Any]], DevkitError]
    resumes: bool
    drain_s: float
    spawn: bool = False


@dataclass
class _Report:
    """The line about a reload, which waits until the generation before has said what it still does."""

    new: Generation
    old: Generation
    deadline: float
    after_s: float


class Handover:
    """Keeps one generation live; `run` returns the exit code."""

    def __init__(
        self,
        program: Program,
        *,
        inbox: Inbox,
        reporter: Reporter,
        base: Path,
        watch: Watch,
        refresh: Callable[[Sequence[Path]], tuple[Program, str] | None] = lambda _: None,
        paused: Callable[[int], str] = lambda _: "",
        delays: Callable[[float], float | None] = lambda _: None,
        waits_for_save: bool = True,
        heals: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        """`refresh` gives the program anew, and what changed in words, when one of the paths is a setting; it may
        raise DevkitError. `paused` tells what waits in a debugger among the processes of a generation, by its pid.
        `delays` gives the seconds until a new try, from those that a killed generation was live; None: no more.
        With `waits_for_save` a start that fails waits for better code, else it ends the run; so does, without
        `heals`, the end of the live generation.
        """
        self._program = program
        self._inbox = inbox
        self._reporter = reporter
        self._base = base
        self._watch = watch
        self._refresh = refresh
        self._paused = paused
        self._delays = delays
        self._waits_for_save = waits_for_save
        self._heals = heals
        self._clock = clock
        self._zygotes: dict[int, ZygoteHandle] = {}
        self._zygote = self._new_zygote()
        self._generations: list[Generation] = []
        self._next = 1
        self._reports: list[_Report] = []
        self._ended_zygotes: set[int] = set()
        self._gone_zygotes: set[int] = set()  # with all that they forked
        self._proven: set[int] = set()  # the zygotes of generations that were live
        self._trouble = ""
        self._retry_at: float | None = None
        self._kill_zygotes_at: float | None = None
        self._stopping = False
        self._exit_code = 0

    def run(self) -> int:
        """Run until asked to stop. 0: stopped; 1: the program did not start; 130: interrupted a second time."""
        self._start((), self._clock())
        decide(self, self._inbox, self._clock)
        return self._exit_code

    # What is due now

    def deadlines(self) -> list[float | None]:
        own = [generation.deadline for generation in self._generations]
        return [*own, *(report.deadline for report in self._reports), self._retry_at, self._kill_zygotes_at]

    def over(self) -> bool:
        return self._stopping and not self._zygotes

    def advance(self, now: float) -> None:
        for generation in list(self._generations):
            if generation.deadline is not None and now >= generation.deadline:
                self._overdue(generation)
        for report in [report for report in self._reports if now >= report.deadline]:
            self._report(report)
        if self._retry_at is not None and now >= self._retry_at:
            self._start((), now)
        if self._kill_zygotes_at is not None and now >= self._kill_zygotes_at:
            self._kill_zygotes_at = None
            for zygote in self._zygotes.values():
                zygote.kill()

    def _overdue(self, generation: Generation) -> None:
        generation.deadline = None
        match generation.phase:
            case Phase.STANDBY:
                self._send_away(generation)
            case Phase.LEAVING if not self._is_paused(generation):
                generation.phase = Phase.ABANDONED
                generation.deadline = self._clock() + DEAF_S
                generation.order("abandon")
            case Phase.ABANDONED | Phase.REPLACED if generation.pid is None and not generation.spawned:
                generation.deadline = self._clock() + DEAF_S  # not forked yet
            case Phase.ABANDONED | Phase.REPLACED:
                if generation.phase is Phase.ABANDONED:
                    self._tell_abandoned(generation, generation.tasks)
                generation.kill()

    def _is_paused(self, generation: Generation) -> bool:
        """Whether a task of it is in a debugger: then the time does not run out."""
        where = self._paused(generation.pid) if generation.pid else ""
        if where:
            self._progress(f"generation {generation.number} is paused in a debugger ({where})")
            generation.deadline = self._clock() + DEAF_S
        return bool(where)

    # Generations come and go

    def _new_zygote(self) -> ZygoteHandle:
        zygote = self._program.make_zygote()
        self._zygotes[zygote.pid] = zygote
        return zygote

    def _in_phase(self, phase: Phase) -> Generation | None:
        return next((generation for generation in self._generations if generation.phase is phase), None)

    def _start(self, changed: Sequence[Path], noticed_at: float) -> None:
        """Start the next generation; one that is not live yet gives way to it."""
        if self._stopping:
            return
        self._retry_at = None
        if replaced := self._in_phase(Phase.STARTING):
            changed = list(dict.fromkeys([*replaced.changed, *changed]))
            noticed_at = min(noticed_at, replaced.noticed_at)
            self._replace(replaced)
        if self._zygote.pid in self._ended_zygotes:
            self._zygote = self._new_zygote()
        number, self._next = self._next, self._next + 1
        spawned = self._program.spawn
        self._generations.append(Generation(number, self._zygote, spawned, changed, noticed_at))
        self._zygote.order(start=number, become=spawned, **self._program.order(number))
        if spawned:
            self._zygote = self._new_zygote()  # imports what it can while the other one starts
        self._progress()

    def _replace(self, generation: Generation) -> None:
        generation.phase = Phase.REPLACED
        generation.deadline = self._clock() + DEAF_S
        generation.order("stop")

    def _became_live(self, new: Generation, sources: Sequence[str]) -> None:
        if new.phase is not Phase.STARTING:
            new.deadline = None  # it listens now, and ends by itself
            return
        new.phase, new.live_at = Phase.LIVE, self._clock()
        self._trouble = ""
        self._retry_at = None
        self._proven.add(new.zygote.pid)
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
            self._reports.append(_Report(new, old, new.live_at + REPORT_S, new.live_at - new.noticed_at))
        else:
            self._reporter.notice(f"generation {new.number} is live after {new.live_at - new.noticed_at:.2f} s")
        self._progress()

    def _send_away(self, generation: Generation) -> None:
        """It is not needed any more: what it runs it may finish."""
        generation.phase = Phase.LEAVING
        generation.deadline = self._clock() + self._program.drain_s
        generation.order("stop")
        self._progress()

    def _failed(self, generation: Generation, error: DevkitError) -> None:
        """The code cannot be used: what was live stays so."""
        if generation.phase is not Phase.STARTING:
            return  # newer code is on its way
        generation.phase = Phase.LEAVING
        live = self._in_phase(Phase.LIVE)
        usage = isinstance(error, UsageError)  # no save mends what was typed
        if not live and not self._proven and (usage or not self._waits_for_save):
            self._reporter.problem(error)
            self._exit_code = error.exit_code
            self._stop()
            return
        stays = f"generation {live.number} stays live; " if live else ""
        why = f"{self._names(generation.changed)}: " if generation.changed else ""
        self._reporter.problem(
            DevkitError(
                why + error.what,
                looked=error.looked,
                excerpt=error.excerpt,
                mend=[*error.mend, f"{stays}the next save tries again"],
            )
        )
        self._trouble = "the new code cannot be used; the next save tries again"
        self._progress()

    def _ended(self, generation: Generation, code: int) -> None:
        for report in [report for report in self._reports if generation in (report.old, report.new)]:
            self._report(report)
        match generation.phase:
            case Phase.STARTING:
                self._failed(generation, DevkitError(f"{self._name_of_end(generation, code)} before it was live"))
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
            self._reporter.notice(f"generation {generation.number} is done")
        generation.running, generation.tasks = 0, ()
        self._progress()

    def _lost(self, generation: Generation, code: int) -> None:
        """The live one ended, and nobody had asked it to."""
        lived = self._clock() - generation.live_at
        what = self._name_of_end(generation, code)
        if self._stopping:
            return
        if not self._heals:
            self._reporter.notice(what)
            self._exit_code = 1
            self._stop()
            return
        standby = self._in_phase(Phase.STANDBY)
        killed = code in (-signal.SIGKILL, -signal.SIGTERM)
        delay = self._delays(lived) if killed or lived > PROBATION_S else None
        if delay is not None:
            self._retry_at = self._clock() + delay
            self._reporter.notice(f"{what}; the next one starts")
        elif standby:
            standby.phase, standby.deadline = Phase.LIVE, None
            standby.order("resume")
            self._trouble = f"{what}; generation {standby.number} is live again, the next save tries anew"
            self._reporter.notice(self._trouble)
        else:
            self._trouble = f"{what}; the next save starts it again"
            self._reporter.notice(self._trouble)

    def _name_of_end(self, generation: Generation, code: int) -> str:
        if code < 0:
            with suppress(ValueError):
                return f"generation {generation.number} was killed by {signal.Signals(-code).name}"
        return f"generation {generation.number} ended with exit code {code}"

    # Stopping

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._retry_at = None
        for generation in self._generations:
            if generation.phase is Phase.STARTING:
                self._replace(generation)
            elif generation.phase in (Phase.LIVE, Phase.STANDBY):
                generation.phase = Phase.LEAVING
                generation.order("stop")
            if generation.pid and (where := self._paused(generation.pid)):
                self._reporter.notice(f"let go from the debugger, runs on: {where}")
            generation.order("release")  # and no task is to pause any more
            if generation.phase is Phase.LEAVING:
                generation.deadline = None  # whoever stops it has the patience, or asks again
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._stopping and not self._generations:
            for zygote in self._zygotes.values():
                zygote.close()
            self._kill_zygotes_at = self._kill_zygotes_at or self._clock() + DEAF_S

    def _interrupted(self) -> None:
        if not self._stopping:
            self._stop()
            return
        self._exit_code = EXIT_INTERRUPTED
        for generation in self._generations:
            generation.kill()
        self._kill_zygotes_at = self._clock() + REPORT_S

    # What people see

    def _names(self, paths: Sequence[Path], most: int = 3) -> str:
        names = [str(path.relative_to(self._base) if path.is_relative_to(self._base) else path) for path in paths]
        more = len(names) - most
        return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")

    def _report(self, report: _Report) -> None:
        self._reports.remove(report)
        new, old = report.new, report.old
        text = (
            f"{self._names(new.changed) or 'restarted'}: generation {new.number} is live after {report.after_s:.2f} s"
        )
        others = [other for other in self._generations if other.phase is Phase.LEAVING and other is not old]
        for draining in [*others, old]:
            if draining.running:
                text += f"; generation {draining.number} finishes {self._what_runs(draining)}"
        if old.given_back:
            text += f"; {old.given_back} given back"
        if old.pid and (where := self._paused(old.pid)):
            text += f"; paused in the debugger: {where}"
        self._reporter.notice(text)

    def _what_runs(self, generation: Generation) -> str:
        """Its tasks by name, or how many connections it has."""
        names = [task.partition("[")[0] for task in generation.tasks]
        if not names:
            return f"{generation.running} connection{'s'[: generation.running != 1]}"
        return f"{generation.running} task{'s'[: generation.running != 1]} ({', '.join(dict.fromkeys(names))})"

    def _tell_abandoned(self, generation: Generation, tasks: Sequence[str]) -> None:
        if generation.abandoned:
            return
        generation.abandoned, generation.running = True, 0
        limit = f"{self._program.drain_s:g} s"
        self._reporter.notice(
            f"generation {generation.number} has not finished in {limit}; abandoned: {', '.join(tasks) or 'unknown'}"
        )

    def _progress(self, note: str = "") -> None:
        if self._stopping:
            return
        live = self._in_phase(Phase.LIVE)
        starting = self._in_phase(Phase.STARTING)
        state = "reloading" if starting and live else "starting" if starting else "ready" if live else "failed"
        note = note or self._trouble
        if not note:
            draining = [f"{g.number}" for g in self._generations if g.phase is Phase.LEAVING and g.running]
            note = f"generation {' and '.join(draining)} still finishing" if draining else ""
        newest = live or starting
        self._reporter.progress(newest.number if newest else self._next - 1, state, note)

    # Messages

    def handle(self, message: Message) -> None:
        match message:
            case Changed(paths, at):
                self._changed(paths, at)
            case Reinstalled(names, at) if not self._stopping:
                self._renew(f"installed: {', '.join(names)}", (), at)
            case Told(zygote, told) if "generation" in told:
                for generation in self._generations:
                    if generation.number == told["generation"] and generation.zygote.pid == zygote:
                        self._told(generation, told)
            case Told(zygote, told):
                self._told_by_zygote(zygote, told)
            case ZygoteEnded(zygote, code):
                self._zygote_ended(zygote, code)
            case AllGone(zygote):
                self._all_gone(zygote)
            case Signalled():
                self._interrupted()

    def _changed(self, paths: Sequence[Path], at: float) -> None:
        if self._stopping:
            return
        try:
            refreshed = self._refresh(paths)
        except DevkitError as error:
            self._reporter.problem(error)
            return
        if refreshed:
            self._program, why = refreshed
            self._renew(why, paths, at)
        else:
            self._start(paths, at)

    def _renew(self, why: str, paths: Sequence[Path], at: float) -> None:
        """What generations start from has changed: a new zygote, and a generation from it."""
        self._reporter.notice(f"{why}: starting afresh")
        before = self._zygote
        try:
            self._zygote = self._new_zygote()
        except DevkitError as error:  # the interpreter is gone, perhaps for a moment
            self._reporter.problem(error)
            return
        self._start(paths, at)
        self._close_if_unused(before)

    def _close_if_unused(self, zygote: ZygoteHandle) -> None:
        if zygote is not self._zygote and all(other.zygote is not zygote for other in self._generations):
            zygote.close()

    def _told(self, generation: Generation, told: Mapping[str, Any]) -> None:
        match told:
            case {"pid": pid}:
                generation.pid = pid
            case {"live": True, "sources": [*sources]}:
                self._became_live(generation, sources)
            case {"failed": problem, "text": text}:
                self._failed(generation, self._program.problem({**problem, "traceback": text}))
            case {"draining": running, "tasks": [*tasks], "given_back": given_back}:
                generation.running, generation.tasks, generation.given_back = running, tasks, given_back
                for report in [report for report in self._reports if report.old is generation]:
                    self._report(report)
                if self._stopping and running:
                    self._reporter.notice(f"waiting for {self._what_runs(generation)}; Ctrl-C again kills")
                self._progress()
            case {"done": True}:
                self._done(generation)
            case {"abandoned": [*tasks]}:
                self._tell_abandoned(generation, tasks)

    def _told_by_zygote(self, zygote: int, told: Mapping[str, Any]) -> None:
        match told:
            case {"exited": number, "code": code}:
                for generation in [g for g in self._generations if g.number == number and g.zygote.pid == zygote]:
                    self._ended(generation, code)
                    self._close_if_unused(generation.zygote)
            case {"installed": [*folders]}:
                self._watch.installed(folders)
            case {"unfit": _}:
                self._cannot_fork(zygote)
            case {"unforkable": _, "why": why}:
                if not self._program.spawn:
                    self._program.spawn = True
                    self._reporter.notice(f"no forking here: {why}; each reload starts a new process, which is slower")
                self._cannot_fork(zygote)

    def _cannot_fork(self, pid: int) -> None:
        """What this zygote was asked for another one does."""
        unforked = [g for g in self._generations if g.zygote.pid == pid and g.pid is None]
        for generation in unforked:
            self._generations.remove(generation)
        if not self._stopping:
            before = self._zygotes[pid]
            if before is self._zygote:
                self._zygote = self._new_zygote()
            for generation in unforked:
                if generation.phase is Phase.STARTING:
                    self._next = generation.number
                    self._start(generation.changed, generation.noticed_at)
            self._close_if_unused(before)
        self._end_if_done()

    def _zygote_ended(self, pid: int, code: int) -> None:
        self._ended_zygotes.add(pid)
        for generation in [g for g in self._generations if g.spawned and g.zygote.pid == pid]:
            self._ended(generation, code)
        # Its other generations notice, and finish what they run.
        orphans = [(g, g.phase) for g in self._generations if g.zygote.pid == pid]
        for generation, phase in orphans:
            generation.phase, generation.deadline = Phase.LEAVING, None
            if phase is Phase.STARTING:  # it may never come so far that it notices
                generation.phase, generation.deadline = Phase.REPLACED, self._clock() + DEAF_S
        wanted = any(phase in (Phase.STARTING, Phase.LIVE) for _, phase in orphans)
        if pid in self._proven and wanted and not self._stopping:
            self._reporter.notice("the process that generations start from was lost; another one takes its place")
            self._start((), self._clock())
        elif (wanted or (not self._proven and pid == self._zygote.pid)) and not self._stopping:
            self._trouble = f"devkit's agent ended with exit code {code} under this interpreter"
            self._reporter.problem(DevkitError(self._trouble))
            self._progress()
            if not self._proven:
                self._exit_code = 1
                self._stop()
        if pid in self._gone_zygotes:
            self._forget(pid)

    def _all_gone(self, pid: int) -> None:
        self._gone_zygotes.add(pid)
        if pid in self._ended_zygotes:
            self._forget(pid)

    def _forget(self, pid: int) -> None:
        """Nothing is left of a zygote."""
        self._zygotes.pop(pid, None)
        for generation in [g for g in self._generations if g.zygote.pid == pid]:
            self._ended(generation, 0)
        self._end_if_done()
