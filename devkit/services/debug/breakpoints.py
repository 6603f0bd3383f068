"""The breakpoints of a project, as people name their places."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devkit.errors import UsageError
from devkit.model.breakpoint import Breakpoint
from devkit.model.text import is_named
from devkit.services.debug.named import check_word
from devkit.settings.load import Settings
from devkit.settings.paths import make_debug
from devkit.store.breakpoints import Breakpoints, at_line, check, where_now

FILE_AND_LINE = re.compile(r"(?P<file>.+):(?P<line>\d+)")


class ProjectBreakpoints:
    """Set, listed and cleared."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """A file is looked for in `folder`, and then in the project's root."""
        self._root = settings.root
        self._paths = settings.paths
        self._folder = folder
        self._store = Breakpoints(str(settings.paths.debug))
        self._added: list[tuple[Breakpoint, Breakpoint | None]] = []  # and what was at that place before

    def all(self) -> list[tuple[Breakpoint, int | None]]:
        """Each with the line where it is now; None: its line is gone."""
        kept = [one for one in self._store.all() if not one.task_id]  # the others go by themselves
        return [(one, where_now(str(self._root), one) if one.kind == "line" else None) for one in kept]

    def add(self, place: str, condition: str) -> Breakpoint:
        """One at FILE:LINE, or in a task. Raises UsageError."""
        return self._add(self._at(place, condition))

    def add_on_failure(self, task: str, *, retries: bool) -> Breakpoint:
        """One that pauses the task, or any, where it fails."""
        return self._add(Breakpoint(0, "failure", task=task, retries=retries))

    def add_for_editor(self, task: str, port: int) -> Breakpoint:
        """One at which the task waits for an editor that attaches there. Raises UsageError."""
        check_word(task, self._paths)
        return self._add(Breakpoint(0, "ide", task=task, port=port))

    @contextmanager
    def taken_back(self) -> Iterator[Callable[[], None]]:
        """What is set within this is taken back where something fails, unless what is yielded was called before."""
        self._added.clear()
        try:
            yield self._added.clear
        except BaseException:
            for added, before in reversed(self._added):
                if before:
                    self._store.add(before)
                else:
                    self._store.remove([added.number])
            raise

    def clear(self, places: Sequence[str], task: str | None) -> int:
        """Remove those at these places and of this task, or else all; returns how many there were."""
        wanted = {self._at(place, "").place for place in places}
        chosen = [
            one
            for one in self._store.all()
            if one.place in wanted or (task and one.task and is_named(one.task, task)) or not (places or task)
        ]
        return self._store.remove(one.number for one in chosen)

    def _add(self, one: Breakpoint) -> Breakpoint:
        make_debug(self._paths)
        before = next((other for other in self._store.all() if other.place == one.place), None)
        self._added.append((self._store.add(one), before))
        return self._added[-1][0]

    def _at(self, place: str, condition: str) -> Breakpoint:
        try:
            if found := FILE_AND_LINE.fullmatch(place):
                file = self._folder / found["file"]
                name = str(file) if file.is_file() else found["file"]
                return at_line(str(self._root), name, int(found["line"]), condition)
            check_word(place, self._paths)
            check(condition)
            return Breakpoint(0, "task", task=place, condition=condition)
        except ValueError as error:
            raise UsageError(
                f"no breakpoint at {place}: {error}", mend=["--break FILE:LINE, or --break TASK for its first line"]
            ) from None
