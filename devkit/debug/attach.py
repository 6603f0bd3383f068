"""Attaches to a debugger's port: the right dialogue for it, and the right front for whoever asks."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devkit.debug.conversation import Conversation, Front, Outcome
from devkit.debug.dialogue import AgentDialogue, Dialogue
from devkit.debug.plain import PlainDialogue
from devkit.debug.script import Script
from devkit.debug.transport import connect
from devkit.errors import DevkitError

WIDTH = 80


def on_terminal(commands: Sequence[str] | None) -> bool:
    """Whether somebody sits there who can be asked for commands."""
    return commands is None and sys.stdin.isatty() and sys.stdout.isatty()


@dataclass(frozen=True)
class Attach:
    """How to attach, and to what.

    Without a `token` it is Celery's own rdb. `commands` are for a script; None: what is typed, or piped in. `say` is
    for what is no output of the debugger. `stream` leads there already, where no port of this machine does; `here`
    finds the files that are named there on this machine.
    """

    host: str
    port: int
    token: str
    task: str
    commands: Sequence[str] | None
    history: Path
    colour: bool
    say: Callable[[str], None]
    stream: socket.socket | None = None
    here: Callable[[str], str] = str

    def __call__(self) -> Outcome:
        """Talk until the task ends or somebody leaves. Raises DevkitError where nobody listens."""
        return asyncio.run(self._talk())

    async def _talk(self) -> Outcome:
        try:
            connection = await connect(self.host, self.port, self.stream)
        except OSError as error:
            raise DevkitError(
                f"nobody listens on {self.host}:{self.port}: {error.strerror or error}",
                mend=["see what is paused: devkit debug --list"],
            ) from error
        prompts = on_terminal(self.commands)
        width = os.get_terminal_size().columns if prompts else WIDTH
        dialogue: Dialogue
        if self.token:
            dialogue = AgentDialogue(connection, self.token, width, self.here)
        else:
            dialogue = PlainDialogue(connection, self.here)
            self.say(dialogue.limits)
        try:
            return await Conversation(dialogue, self._front(dialogue, prompts=prompts)).run()
        finally:
            connection.close()

    def _front(self, dialogue: Dialogue, *, prompts: bool) -> Front:
        if not prompts:
            return Script(self.commands, self.say, self.task)
        # While this is imported the debugger answers.
        from devkit.debug.console import Console

        return Console(dialogue, self.history, self.task, colour=self.colour)
