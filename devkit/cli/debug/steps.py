"""The steps of `devkit debug`: what is listed, what is waited for, what is attached to."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

import click

from devkit.cli.base import Project
from devkit.cli.console import say, show, wants_colour
from devkit.cli.debug.request import Request
from devkit.errors import DevkitError
from devkit.model.editor import PORT, in_editor
from devkit.services.debug.containers import GoneError, Only
from devkit.services.debug.find import LIKE_AN_ID, Debugging
from devkit.services.debug.paused import Paused, matching
from devkit.services.debug.sending import Sending

if TYPE_CHECKING:
    from devkit.cli.tasks.fate import Fate
    from devkit.debug.conversation import Outcome

POLL_S = 0.005
# Looking for those of plain workers means looking through all processes.
PLAIN_POLL_S = 1.0
# So long nobody is told that nothing is paused while containers are still to tell.
FIRST_LOOK_S = 1.0
EXIT_SIGNALLED = 128


class Debugger:
    """One run of the command."""

    def __init__(self, project: Project, request: Request) -> None:
        self._request = request
        one_place = request.container or request.pod
        only = Only(request.container or "", request.pod or "", request.namespace or "") if one_place else None
        self._debugging = Debugging(project.settings, project.paths, only)
        self._containers = self._debugging.containers
        self._folder = project.folder
        self._commands = request.commands or None
        self._timeout = request.timeout
        self._notice = ""  # to be said when it is known that there is something to wait for
        self._known: set[tuple[str, float, str]] = set()  # pauses from before, which are not the ones waited for

    def run(self) -> int:
        """Do what was asked for; returns the exit code."""
        request, task = self._request, self._request.task
        if request.listing:
            return self._list_paused(task)
        if request.list_breakpoints:
            return self._list_breakpoints()
        if request.clear:
            return self._clear(request.places, task)
        return self._debug(task)

    def _debug(self, task: str | None) -> int:
        request = self._request
        if request.port:
            return self._attach_to_address(request.host, request.port)
        if task is not None:
            self._check(task)
        if request.ide:
            return self._in_editor(task or "")
        if request.breaks:
            self._set_breakpoints()
            if request.no_wait:
                return 0
        return self._run(task or "") if request.run_it else self._wait_and_attach(task)

    def _list_paused(self, task: str | None) -> int:
        """The paused tasks, and under them the breakpoints."""
        from devkit.cli.debug.lists import breakpoint_line, paused_json, paused_table

        self._containers.look()
        plain = self._debugging.plain()
        self._containers.settle()
        paused = self._debugging.paused() + plain + self._debugging.plain_elsewhere()
        if task is not None:
            paused = matching(paused, task)
        if self._request.as_json:
            show(paused_json(paused))
            return 0
        if paused:
            show(paused_table(paused))
        else:
            say("no task is paused")
        for one, now in self._debugging.breakpoints():
            show(breakpoint_line(one, now))
        return 0

    def _list_breakpoints(self) -> int:
        """Where tasks will pause."""
        from devkit.cli.debug.lists import breakpoint_line, breakpoints_json

        found = self._debugging.breakpoints()
        if self._request.as_json:
            show(breakpoints_json(found))
            return 0
        for one, now in found:
            show(breakpoint_line(one, now))
        if not found:
            say("no breakpoint is set")
        return 0

    def _clear(self, places: Sequence[str], task: str | None) -> int:
        """Remove breakpoints."""
        count = self._debugging.clear(places, task, self._folder)
        show(f"{count} breakpoint{'s'[: count != 1]} removed")
        return 0

    def _check(self, task: str) -> None:
        """Raises UsageError for what is no task and nobody's id."""
        if not self._containers.only and not matching(self._debugging.paused(), task):
            self._debugging.check(task)

    def _set_breakpoints(self) -> None:
        """Set them, and say where. From now on only what pauses after this is waited for."""
        from devkit.cli.debug.lists import breakpoint_line

        self._debugging.prepare()
        self._containers.look()
        self._only_what_comes()
        request = self._request
        added = [self._debugging.set_breakpoint(place, request.condition, self._folder) for place in request.places]
        if request.on_failure:
            added.append(self._debugging.set_on_failure(request.task or "", retries=request.retries))
        for one in added:
            say(f"{breakpoint_line(one, one.line)}; devkit debug --clear removes it")

    def _in_editor(self, task: str) -> int:
        """Have the task wait for an editor; with --run, send it now."""
        from devkit.cli.debug.editor import prepare, run

        request = self._request
        prepare(self._debugging, task, request.ide_port or PORT)
        if not request.run_it:
            return 0
        return run(self._debugging, task, request.args_json, request.kwargs_json, request.queue)

    def _attach_to_address(self, host: str, port: int) -> int:
        """Attach to whatever listens there."""
        paused = self._debugging.at_address(host, port)
        return self._result(self._attach(paused, ""), paused)

    def _wait_and_attach(self, task: str | None) -> int:
        """Attach to the task that is meant, as soon as it is paused."""
        if self._containers.only:
            self._containers.look()
            self._containers.settle()
        self._notice = f"no {task or 'task'} is paused; waiting for one (Ctrl-C ends the wait)"
        while True:
            found = self._find(task) or self._wait(lambda: self._find(task))
            chosen = self._choose(self._still_there(found, task))
            try:
                return self._result(self._attach(chosen, task or ""), chosen)
            except GoneError as gone:
                say(gone.what)
                self._is_over(chosen)

    def _run(self, task: str) -> int:
        """Send the task, and attach when this very one pauses: at its first line, if no breakpoint is set."""
        from devkit.cli.tasks.arguments import arguments
        from devkit.cli.tasks.fate import Fate
        from devkit.debug.events import DETACHED, Left

        request = self._request
        args, kwargs = arguments(request.args_json, request.kwargs_json)
        with closing(self._debugging.send(task, args, kwargs, request.queue, pause=not request.breaks)) as sending:
            self._containers.look()
            self._only_what_comes()
            if self._known:
                say("other tasks are paused, each in a process of its worker: devkit debug --list")
            fate = Fate(task)
            attached = False
            while found := self._pause_or_end(sending, fate):
                try:
                    outcome = self._attach(found[0], task)
                except GoneError:
                    if found[0].plain:
                        continue  # it was told of before it went on
                    raise
                attached = True
                self._is_over(found[0])
                code = self._result(outcome, found[0])
                if code or outcome.last == Left(DETACHED):
                    return code
        if not attached:
            say(f"{fate.outcome['task']} came to its end without pausing")
        fate.show()
        return 0 if fate.outcome["state"] == "SUCCESS" else 1

    def _pause_or_end(self, sending: Sending, fate: "Fate") -> list[Paused]:
        """The task, paused; nothing when it has ended."""

        def look() -> list[Paused]:
            for news in sending.news(POLL_S):
                fate.hear(news)
            task_id = fate.outcome["id"]
            if task_id is None:
                self._known |= {one.key for one in self._debugging.plain_elsewhere()}
            if task_id is None or fate.done:
                return []
            paused = [one for one in self._debugging.paused() if one.key not in self._known]
            return [one for one in paused if one.session.task_id == task_id] or self._plain()

        return self._wait(look, until=lambda: fate.done, pause=lambda: None)

    def _is_over(self, paused: Paused) -> None:
        """This pause is not attached to once more. One of a plain rdb looks like the next one of its process."""
        if not paused.plain:
            self._known.add(paused.key)

    def _only_what_comes(self) -> None:
        self._known = {one.key for one in self._debugging.paused() + self._debugging.plain()}

    def _find(self, task: str | None) -> list[Paused]:
        """Those that are meant. Of a plain rdb nobody knows which task is in it: it may be any."""
        found = [one for one in self._debugging.paused() if one.key not in self._known]
        if task is not None:
            found = matching(found, task)
        # Who waits for an editor is shown only to whoever asks for this very one.
        found = [one for one in found if task is not None or not in_editor(one.session)]
        if found:
            return found
        plain = self._plain()
        return matching(plain, task) if task is not None and LIKE_AN_ID.fullmatch(task) else plain

    def _still_there(self, found: list[Paused], task: str | None) -> list[Paused]:
        """Who is to choose gets all that there is to choose from in containers, and nothing that these left behind."""
        if len(found) > 1 and any(one.there for one in found):
            self._containers.look()
        self._containers.settle()
        return self._find(task) or found

    def _plain(self) -> list[Paused]:
        found = self._debugging.plain_elsewhere()
        if time.monotonic() > self._plain_again:
            self._plain_again = time.monotonic() + PLAIN_POLL_S
            found += self._debugging.plain()
        return [one for one in found if one.key not in self._known]

    _plain_again = 0.0

    def _wait(
        self,
        look: Callable[[], list[Paused]],
        *,
        until: Callable[[], bool] = lambda: False,
        pause: Callable[[], None] = lambda: time.sleep(POLL_S),
    ) -> list[Paused]:
        began = time.monotonic()
        deadline = None if self._timeout is None else began + self._timeout
        if not (found := look()):
            self._containers.look()
            self._import_ahead()
        while not found:
            looked = self._containers.has_looked or time.monotonic() > began + FIRST_LOOK_S
            if (found := look()) or until():
                break
            if looked and self._notice:
                say(self._notice)
                self._notice = ""
            if deadline is not None and time.monotonic() > deadline:
                raise DevkitError(
                    f"nothing paused within {self._timeout:g} s",
                    looked=self._debugging.looked(),
                    mend=[
                        "pause a task without editing code: devkit debug --break FILE:LINE (or TASK)",
                        "send one: devkit debug --run TASK",
                        "see whether a worker runs: devkit status",
                    ],
                )
            self._containers.check()
            pause()
        return found

    def _import_ahead(self) -> None:
        """What attaching needs: there is nothing else to do while nothing is paused."""
        import devkit.debug.attach

        if devkit.debug.attach.on_terminal(self._commands):
            from devkit.debug.console import warm_up

            warm_up()

    def _choose(self, found: list[Paused]) -> Paused:
        if len(found) == 1 or self._commands or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return found[0]
        from devkit.cli.debug.lists import line

        for number, one in enumerate(found, 1):
            say(f"{number}  {line(one)}")
        return found[click.prompt("attach to", type=click.IntRange(1, len(found)), default=1, err=True) - 1]

    def _attach(self, paused: Paused, task: str) -> "Outcome":
        session = paused.session
        if in_editor(session):
            raise DevkitError(
                f"{session.task} {session.why}: nobody else can attach to it",
                looked=[f"its session: debugpy listens on {paused.host}:{session.port}"],
                mend=["attach with the editor", f"without an editor from now on: devkit debug {session.task} --clear"],
            )
        with self._debugging.reach(paused) or nullcontext() as pipe:  # it is on its way while this is imported
            from devkit.debug.attach import Attach

            self._containers.stop()
            self._debugging.prepare()
            stream = self._debugging.stream(paused, pipe) if pipe else None
            if stream:
                say(f"in {paused.place}")
            return Attach(
                paused.host, session.port, session.token, session.task or task or "the task", self._commands,
                self._debugging.history, wants_colour(sys.stdout), say, stream=stream,
                here=self._debugging.here if pipe else str,
            )()  # fmt: skip

    def _result(self, outcome: "Outcome", paused: Paused) -> int:
        from devkit.debug.events import Lost, Refused

        match outcome.last:
            case Refused(why):
                raise DevkitError(f"the debugger refused: {why}", mend=["see what is paused: devkit debug --list"])
            case Lost() if paused.there:
                raise self._debugging.lost(paused)
            case Lost():
                raise DevkitError(
                    "the connection was lost: the worker's process has ended, or does not answer",
                    mend=["see why: devkit logs worker", "if the task is still paused: devkit debug attaches again"],
                )
        return 0 if outcome.signum is None else EXIT_SIGNALLED + outcome.signum
