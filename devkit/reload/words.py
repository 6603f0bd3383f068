"""What people, and whoever supervises, are told of generations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError
from devkit.model.text import exit_in_words
from devkit.model.wire import State
from devkit.reload.generation import Generation, Phase
from devkit.reload.program import Announcer

# How long the line about a reload waits for what the generation before has to say.
REPORT_S = 0.5


def names(paths: Sequence[Path], base: Path, most: int = 3) -> str:
    """Changed files, those of the project relative to it; of many the first ones, and how many more."""
    found = [str(path.relative_to(base) if path.is_relative_to(base) else path) for path in paths]
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {more} more" if more > 0 else "")


def end(generation: Generation, code: int) -> str:
    """How its process ended."""
    return f"generation {generation.number} {exit_in_words(code)}"


def what_runs(generation: Generation) -> str:
    """Its tasks by name, or how many connections it has."""
    tasks = [task.partition("[")[0] for task in generation.tasks]
    if not tasks:
        return f"{generation.running} connection{'s'[: generation.running != 1]}"
    return f"{generation.running} task{'s'[: generation.running != 1]} ({', '.join(dict.fromkeys(tasks))})"


@dataclass
class _Report:
    """The line about a reload, which waits until the generation before has said what it still does."""

    new: Generation
    old: Generation
    deadline: float


class News:
    """Says what happens to generations, and when."""

    def __init__(self, announcer: Announcer, base: Path, paused: Callable[[int], str]) -> None:
        self._announcer = announcer
        self._base = base
        self._paused = paused
        self._reports: list[_Report] = []

    def reloaded(self, new: Generation, old: Generation) -> None:
        """One took over from another: to be told once that has been heard, or after a moment."""
        self._reports.append(_Report(new, old, new.live_at + REPORT_S))

    def deadlines(self) -> list[float]:
        """When that moment is over."""
        return [report.deadline for report in self._reports]

    def advance(self, now: float, generations: Sequence[Generation]) -> None:
        """Tell what is due."""
        for report in [report for report in self._reports if now >= report.deadline]:
            self._tell(report, generations)

    def heard(self, generation: Generation, generations: Sequence[Generation], *, ended: bool = False) -> None:
        """It has said what it still does, or has ended."""
        for report in [one for one in self._reports if generation is one.old or (ended and generation is one.new)]:
            self._tell(report, generations)

    def cannot_be_used(self, error: DevkitError, changed: Sequence[Path], live: Generation | None) -> None:
        """Why new code is not live, and what stays so."""
        why = f"{names(changed, self._base)}: " if changed else ""
        stays = f"generation {live.number} stays live; " if live else ""
        mend = [*error.mend, f"{stays}the next save tries again"]
        self._announcer.problem(DevkitError(why + error.what, looked=error.looked, excerpt=error.excerpt, mend=mend))

    def abandoned(self, generation: Generation, tasks: Sequence[str], limit_s: float) -> None:
        """It was given up, with what it ran."""
        if not generation.abandoned:
            generation.abandoned, generation.running = True, 0
            left = ", ".join(tasks) or "unknown"
            self._announcer.notice(
                f"generation {generation.number} has not finished in {limit_s:g} s; abandoned: {left}"
            )

    def progress(self, generations: Sequence[Generation], newest: int, note: str) -> None:
        """How all stands: `newest` is the number of the last one that was started."""
        live = next((one for one in generations if one.phase is Phase.LIVE), None)
        starting = next((one for one in generations if one.phase is Phase.STARTING), None)
        state: State = "reloading" if starting and live else "starting" if starting else "ready" if live else "failed"
        draining = [str(one.number) for one in generations if one.phase is Phase.LEAVING and one.running]
        if draining and not note:
            note = f"generation {' and '.join(draining)} still finishing"
        shown = live or starting
        self._announcer.progress(shown.number if shown else newest, state, note)

    def _tell(self, report: _Report, generations: Sequence[Generation]) -> None:
        self._reports.remove(report)
        new, old = report.new, report.old
        changed = names(new.changed, self._base) or "restarted"
        text = f"{changed}: generation {new.number} is live after {new.live_at - new.noticed_at:.2f} s"
        for one in [*(one for one in generations if one.phase is Phase.LEAVING and one is not old), old]:
            if one.running:
                text += f"; generation {one.number} finishes {what_runs(one)}"
        if old.given_back:
            text += f"; {old.given_back} given back"
        if old.pid and (where := self._paused(old.pid)):
            text += f"; paused in the debugger: {where}"
        self._announcer.notice(text)
