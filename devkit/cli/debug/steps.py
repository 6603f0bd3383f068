"""The steps of `devkit debug`: what is listed, what is set, what is attached to."""

import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from devkit.cli.console import say, show, wants_colour
from devkit.cli.debug import editor, lists
from devkit.cli.debug.request import DebugRequest
from devkit.cli.tasks.arguments import arguments
from devkit.cli.tasks.fate import Fate
from devkit.model.editor import PORT
from devkit.services.debug.breakpoints import ProjectBreakpoints
from devkit.services.debug.client import DebugClient, import_ahead
from devkit.services.debug.containers import Only
from devkit.services.debug.find import PausedTasks
from devkit.services.debug.named import check_word, matching
from devkit.services.debug.paused import Paused
from devkit.services.debug.sending import send_to_debug
from devkit.services.debug.wait import NextPause
from devkit.settings.load import Settings

if TYPE_CHECKING:
    from devkit.debug.conversation import Outcome

EXIT_SIGNALLED = 128


class DebugCommand:
    """One run of the command."""

    def __init__(self, settings: Settings, folder: Path, request: DebugRequest) -> None:
        """`folder` is the one that it was typed in."""
        self._settings = settings
        self._request = request
        one_place = request.container or request.pod
        only = Only(request.container or "", request.pod or "", request.namespace or "") if one_place else None
        commands = request.commands or None
        self._tasks = PausedTasks(settings, only)
        self._breakpoints = ProjectBreakpoints(settings, folder)
        self._pause = NextPause(self._tasks, request.timeout, say, partial(import_ahead, commands))
        self._client = DebugClient(
            self._tasks, self._pause, settings.paths, commands, wants_colour(sys.stdout), say, self._choose
        )

    def run(self) -> int:
        """Do what was asked for; returns the exit code."""
        request = self._request
        if request.listing:
            return self._list_paused()
        if request.list_breakpoints:
            return self._list_breakpoints()
        return self._clear() if request.clear else self._debug()

    def _debug(self) -> int:
        request = self._request
        if request.port:
            return _exit_code(self._client.attach_at(request.host, request.port))
        if request.task is not None:
            self._check(request.task)
        with self._breakpoints.taken_back() as keep:
            if request.breaks:
                self._set_breakpoints()
            if request.ide:
                editor.prepare(self._breakpoints, self._settings.root, request.task or "", request.ide_port or PORT)
            if request.run_it:
                return self._run(request.task or "", keep)
            keep()
        if request.no_wait or request.ide:
            return 0
        return _exit_code(self._client.attach_next(request.task))

    def _list_paused(self) -> int:
        """The paused tasks, and under them the breakpoints."""
        paused = self._tasks.all()
        if self._request.task is not None:
            paused = matching(paused, self._request.task)
        if self._request.as_json:
            show(lists.paused_json(paused))
            return 0
        if paused:
            show(lists.paused_table(paused))
        else:
            say("no task is paused")
        for one, now in self._breakpoints.all():
            show(lists.breakpoint_line(one, now))
        return 0

    def _list_breakpoints(self) -> int:
        """Where tasks will pause."""
        found = self._breakpoints.all()
        if self._request.as_json:
            show(lists.breakpoints_json(found))
            return 0
        for one, now in found:
            show(lists.breakpoint_line(one, now))
        if not found:
            say("no breakpoint is set")
        return 0

    def _clear(self) -> int:
        count = self._breakpoints.clear(self._request.places, self._request.task)
        show(f"{count} breakpoint{'s'[: count != 1]} removed")
        return 0

    def _check(self, task: str) -> None:
        """Raises UsageError for what is no task and nobody's id."""
        if not self._tasks.containers.only and not matching(self._tasks.ours(), task):
            check_word(task, self._settings.paths)

    def _set_breakpoints(self) -> None:
        """Set them, and say where. From now on only what pauses after this is waited for."""
        request = self._request
        self._pause.must_be_new()
        added = [self._breakpoints.add(place, request.condition) for place in request.places]
        if request.on_failure:
            added.append(self._breakpoints.add_on_failure(request.task or "", retries=request.retries))
        for one in added:
            say(f"{lists.breakpoint_line(one, one.line)}; devkit debug --clear removes it")

    def _run(self, task: str, sent: Callable[[], None]) -> int:
        """Send the task, and attach when this very one pauses: at its first line, if no breakpoint is set. `sent` is
        called once it is."""
        request = self._request
        args, kwargs = arguments(request.args_json, request.kwargs_json)
        fate, pause = Fate(task, sent), not (request.breaks or request.ide)
        with closing(send_to_debug(self._settings, task, args, kwargs, request.queue, pause=pause)) as sending:
            if request.ide:
                editor.follow(sending, self._tasks, fate)
            else:
                outcome = self._client.attach_sent(sending, task, fate.hear)
                if outcome is None:
                    say(f"{fate.outcome['task']} came to its end without pausing")
                elif not sending.done:
                    return _exit_code(outcome)
        fate.show()
        return 0 if fate.outcome["state"] == "SUCCESS" else 1

    def _choose(self, found: list[Paused]) -> Paused:
        if len(found) == 1 or self._request.commands or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return found[0]
        for number, one in enumerate(found, 1):
            say(f"{number}  {lists.line(one)}")
        return found[click.prompt("attach to", type=click.IntRange(1, len(found)), default=1, err=True) - 1]


def _exit_code(outcome: "Outcome") -> int:
    return 0 if outcome.signum is None else EXIT_SIGNALLED + outcome.signum
