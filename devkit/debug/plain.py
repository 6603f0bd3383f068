"""Celery's own rdb, which knows nothing of devkit: a stream of text in which prompts are recognised.

Its client must not vanish without `c`: the process would print nothing any more and pass over every later set_trace().
"""

import json
import linecache
import re
from collections.abc import Callable
from typing import Any

from devkit.debug.dialogue import Dialogue, Newlines
from devkit.debug.events import Event, Left, Lost, Output, Prompted, Stopped, Welcome
from devkit.debug.transport import Closed, Connection, Text

LIMITS = (
    "this is Celery's own rdb: it cannot be left paused (Ctrl-D and detach go on as c does), Ctrl-C does not "
    "interrupt, and c or q end the conversation; under devkit worker all that is different"
)
LEFT = "the task goes on, and this rdb's conversation is over"
CONTEXT = 6

MAIN_PROMPT = "(Pdb) "
# What it asks, and the answer that leads out of it again.
WAY_OUT = {"(com) ": "end", "Clear all breaks? ": "n", "...   ": ""}
PROMPT = re.compile(r"(?:^|(?<=\n))(?:\(+Pdb\)+ |\(com\) |Clear all breaks\? |\.\.\.   )\Z")
POSITION = re.compile(
    r"(?:^|(?<=\n))(?:--(?P<kind>Call|Return)--\n)?"
    r"> (?P<file>[^\n]+)\((?P<line>\d+)\)(?P<function>[^\n(]*)\([^\n]*?\)(?:->(?P<returns>[^\n]*))?\n"
    r"-> (?P<source>[^\n]*)\n\Z"
)
# A line that begins like this may belong to a position or be a prompt; it is kept until more is known.
BEGINNINGS = ("> ", "-> ", "--Call--", "--Return--", "(Pdb) ", "((", "(com) ", "...   ", "Clear all breaks? ")
KEPT_LINES = 4
LONGEST_ARGS = 200

# Asked before anybody sees the first prompt: which task this is.
QUESTION = (
    "!(lambda task, dumps: print('devkit:' + dumps([task.name, task.request.id, ', '.join([*map(repr, "
    "task.request.args), *(f'{name}={value!r}' for name, value in task.request.kwargs.items())])])))"
    "(__import__('celery').current_task, __import__('json').dumps)"
)
ANSWER = re.compile(r"devkit:(\[.*\])\n")

ENDING = {"c", "cont", "continue", "q", "quit", "exit"}
LEAVING = {"detach", "EOF"}
COMMANDS = (
    "args", "break", "clear", "commands", "condition", "continue", "detach", "disable", "display", "down", "enable",
    "help", "ignore", "jump", "list", "longlist", "next", "pp", "quit", "return", "source", "step", "tbreak",
    "undisplay", "until", "up", "whatis", "where",
)  # fmt: skip


class PlainDialogue(Dialogue):
    """A conversation in text."""

    limits = LIMITS

    def __init__(self, connection: Connection, here: Callable[[str], str] = str) -> None:
        """`here` finds the files that it names."""
        self._connection = connection
        self._here = here
        self._newlines = Newlines()
        self._text = ""  # not yet told
        self._events: list[Event] = []
        self._prompt: str | None = None  # the one that waits for an answer
        self._leaving = False
        self._over = False
        self._interrupted = False
        self._first: str | None = None  # what came with the first prompt, while it is asked which task this is
        self._introduced = False

    async def next(self) -> Event:
        while not self._events:
            match await self._connection.receive():
                case Text(text):
                    self._read(self._newlines(text))
                case Closed():
                    self._tell_output(self._text)
                    self._events.append(Left(LEFT) if self._over or self._leaving else Lost())
                case _:
                    pass  # messages: it knows of none
        return self._events.pop(0)

    def command(self, text: str) -> None:
        word = (text.split() or [""])[0]
        if word in LEAVING:
            self.end_of_input()
        elif word == "interact":
            # Only the end of the input leads out of it, and that would be the end of this rdb for all later tasks.
            self._connection.pretend(f"*** not in Celery's own rdb: nothing would lead out of it\n{self._prompt}")
        else:
            self._over = self._prompt == MAIN_PROMPT and word in ENDING
            self._answer(f"!exec({text.removeprefix('!')!r})" if "\n" in text else text)

    def end_of_input(self) -> None:
        self._leaving = True
        if self._prompt is not None:
            self._answer(WAY_OUT.get(self._prompt, "c"))

    def interrupt(self) -> None:
        """It reads strict UTF-8: telnet's Ctrl-C would fail the task. Who insists leaves, as soon as it asks again."""
        if self._interrupted:
            self.leave()
        self._interrupted = True
        self._connection.pretend("*** not interrupted: Celery's own rdb would fail the task; Ctrl-C again leaves it\n")

    def leave(self) -> None:
        if self._leaving:
            self._connection.close()
        else:
            self.end_of_input()

    async def complete(self, text: str) -> tuple[int, list[str]]:
        return 0, [name for name in COMMANDS if text and name.startswith(text)]

    def _answer(self, text: str) -> None:
        self._prompt, self._interrupted = None, False
        self._connection.write(f"{text}\n")

    def _read(self, text: str) -> None:
        self._text += text
        if prompt := PROMPT.search(self._text):
            before, self._text, self._prompt = self._text[: prompt.start()], "", prompt[0]
            self._prompted(before, prompt[0])
        else:
            told = len(self._text) - len(_kept(self._text))
            self._tell_output(self._text[:told])
            self._text = self._text[told:]

    def _prompted(self, before: str, prompt: str) -> None:
        if self._leaving:
            self._tell_output(before)
            self._answer(WAY_OUT.get(prompt, "c"))
        elif not self._introduced and self._first is None:
            self._first = before
            self._answer(QUESTION)
        else:
            if not self._introduced:
                self._introduced = True
                self._events.append(Welcome(_task(before)))
                before = self._first or ""
            self._tell(before)
            self._events.append(Prompted(prompt))

    def _tell(self, text: str) -> None:
        """What came before a prompt: output, and where it stands if it moved."""
        position = POSITION.search(text)
        if position is None or text[: position.start()].rpartition("\n-> ")[1]:  # `where` shows many of them
            self._tell_output(text)
            return
        self._tell_output(text[: position.start()])
        file, line = self._here(position["file"]), int(position["line"])
        event, detail = "line", ""
        if position["kind"]:
            event = position["kind"].lower()
        if position["returns"] is not None:
            event, detail = "return", f"returns {position['returns']}"
        source = tuple(_around(file, line)) or ((line, position["source"]),)
        self._events.append(Stopped(file, line, position["function"], event, detail, source, position[0]))

    def _tell_output(self, text: str) -> None:
        if text:
            self._events.append(Output(text))


def _task(answer: str) -> dict[str, Any]:
    """The session that the answer to the question tells of; empty outside of tasks."""
    found = ANSWER.search(answer)
    if found is None:
        return {}
    name, task_id, args = json.loads(found[1])
    return {"task": name, "task_id": task_id, "args": _cut(args), "why": ""}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_ARGS else f"{text[:LONGEST_ARGS]}…"


def _kept(text: str) -> str:
    """The end of the text that may turn out to be a position or a prompt."""
    lines = text.splitlines(keepends=True)[-KEPT_LINES:]
    while lines and not any(lines[0].startswith(start) or start.startswith(lines[0]) for start in BEGINNINGS):
        del lines[0]
    return "".join(lines)


def _around(file: str, line: int) -> list[tuple[int, str]]:
    """The lines around, if the worker's file is one of this machine, too."""
    lines = linecache.getlines(file)
    first = max(line - CONTEXT, 1)
    return [(number, text.rstrip("\n")) for number, text in enumerate(lines[first - 1 : line + CONTEXT], first)]
