"""Attaches to the paused task that is meant, as soon as there is one."""

import socket
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devkit.debug.events import DETACHED, Left, Lost, Refused
from devkit.errors import DevkitError
from devkit.model.editor import in_editor
from devkit.model.wire import SendNews
from devkit.services.debug.containers import GoneError
from devkit.services.debug.find import PausedTasks
from devkit.services.debug.paused import Paused
from devkit.services.debug.sending import Sending
from devkit.services.debug.wait import NextPause
from devkit.settings.paths import Paths, make_debug

if TYPE_CHECKING:
    from devkit.containers.relay import Pipe
    from devkit.debug.conversation import Outcome


@dataclass(frozen=True)
class DebugClient:
    """How to attach, and to what.

    `commands` are for a script; None: what is typed. `say` is for what is no output of the debugger, `choose` picks
    one of several.
    """

    tasks: PausedTasks
    pause: NextPause
    paths: Paths
    commands: Sequence[str] | None
    colour: bool
    say: Callable[[str], None]
    choose: Callable[[list[Paused]], Paused]

    def attach_at(self, host: str, port: int) -> "Outcome":
        """Attach to whatever listens there. Raises DevkitError, as the others do, where that fails or breaks off."""
        return self._attach(self.tasks.at_address(host, port), "")

    def attach_next(self, word: str | None) -> "Outcome":
        """Attach to what the word names, or to any task, as soon as it is paused."""
        while True:
            chosen = self.choose(self.pause.of(word))
            try:
                return self._attach(chosen, word or "")
            except GoneError as gone:
                self.say(gone.what)
                self.pause.is_over(chosen)

    def attach_sent(self, sending: Sending, task: str, hear: Callable[[SendNews], None]) -> "Outcome | None":
        """Attach each time that this very task pauses, until it ends or somebody leaves; None: it never did."""
        if self.pause.must_be_new():
            self.say("other tasks are paused, each in a process of its worker: devkit debug --list")
        outcome = None
        while paused := self.pause.of_sent(sending, hear):
            try:
                outcome = self._attach(paused, task)
            except GoneError:
                if paused.plain:
                    continue  # it was told of before it went on
                raise
            self.pause.is_over(paused)
            if outcome.signum is not None or outcome.last == Left(DETACHED):
                break
        return outcome

    def _attach(self, paused: Paused, task: str) -> "Outcome":
        session, containers = paused.session, self.tasks.containers
        if in_editor(session):
            raise DevkitError(
                f"{session.task} {session.why}: nobody else can attach to it",
                looked=[f"its session: debugpy listens on {paused.host}:{session.port}"],
                mend=["attach with the editor", f"without an editor from now on: devkit debug {session.task} --clear"],
            )
        # The way into a container takes as long as importing what is needed at its end.
        with containers.reach(paused.there) if paused.there else nullcontext() as pipe:
            from devkit.debug.attach import Attach

            containers.stop()
            make_debug(self.paths)
            stream = self._stream(paused, pipe) if pipe else None
            outcome = Attach(
                paused.host, session.port, session.token, session.task or task or "the task", self.commands,
                self.paths.debug / "history", self.colour, self.say, stream=stream,
                here=self.tasks.here if pipe else str,
            )()  # fmt: skip
        self._check(outcome, paused)
        return outcome

    def _stream(self, paused: Paused, pipe: "Pipe") -> socket.socket:
        """The connection, when it is there. Raises GoneError where nobody waits any more, DevkitError."""
        from devkit.containers.script import UnreachableError

        assert paused.there is not None
        try:
            stream = pipe.connect(paused.host, paused.session.port)
        except UnreachableError as problem:
            error = self.tasks.containers.unreachable(paused.there, paused.session.port, problem)
            if isinstance(error, GoneError):
                self.tasks.forget(paused)
            raise error from None
        self.say(f"in {paused.place}")
        return stream

    def _check(self, outcome: "Outcome", paused: Paused) -> None:
        """Raises DevkitError where it did not end as agreed."""
        match outcome.last:
            case Refused(why):
                raise DevkitError(f"the debugger refused: {why}", mend=["see what is paused: devkit debug --list"])
            case Lost() if paused.there:
                raise self.tasks.containers.lost(paused.there)
            case Lost():
                raise DevkitError(
                    "the connection was lost: the worker's process has ended, or does not answer",
                    mend=["see why: devkit logs worker", "if the task is still paused: devkit debug attaches again"],
                )


def import_ahead(commands: Sequence[str] | None) -> None:
    """What attaching needs: there is nothing else to do while nothing is paused."""
    import devkit.debug.attach

    if devkit.debug.attach.on_terminal(commands):
        from devkit.debug.console import warm_up

        warm_up()
