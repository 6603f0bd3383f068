"""The debugger's prompt on a terminal: history, completion, colours, statements of several lines."""

import codeop
import gc
import os
import re
import sys
import warnings
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input.defaults import create_pipe_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer, PygmentsLexer
from prompt_toolkit.output import ColorDepth, DummyOutput

from devkit.debug.conversation import Front
from devkit.debug.dialogue import Dialogue
from devkit.debug.events import DETACHED, Ended, Event, Left, Output, Stopped, Welcome
from devkit.debug.render import Paint

LISTINGS = {"l", "list", "ll", "longlist", "source"}
CODE_PROMPT = re.compile(r"\(+Pdb\)+ |>>> ")
INDENT = "    "


class Console(Front):
    """A person at a terminal."""

    ctrl_c_interrupts = True

    def __init__(self, dialogue: Dialogue, history: Path, task: str, *, colour: bool) -> None:
        """`task` is the name to use where the debugger does not tell one."""
        self._paint = Paint(colour=colour)
        self._task = task
        self._width = os.get_terminal_size().columns
        self._stops = 0
        self._listing: list[str] | None = None  # what a command like `l` prints, kept until all of it is there
        self._last = ""
        self._prompting = False
        self._code = True
        _make_private(history)
        self._session: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)),
            completer=_LiveCompleter(dialogue),
            complete_while_typing=False,
            lexer=_lexer() if colour else None,
            key_bindings=self._keys(),
            multiline=Condition(lambda: self._code),
            prompt_continuation=lambda width, _line, _soft: "...".ljust(width),
            include_default_pygments_style=colour,
            color_depth=None if colour else ColorDepth.MONOCHROME,
            enable_open_in_editor=False,
        )

    def columns(self) -> int | None:
        width = os.get_terminal_size().columns
        if width == self._width:
            return None
        self._width = width
        return width

    async def read(self, prompt: str) -> str | None:
        self._code = CODE_PROMPT.fullmatch(prompt) is not None
        self._prompting = True
        try:
            text = await self._ask(prompt)
        except EOFError:
            return None
        finally:
            self._prompting = False
        word = (text.split() or self._last.split() or [""])[0]  # an empty line repeats the last command
        self._last = text if text.strip() else self._last
        self._listing = [] if word in LISTINGS else None
        return text

    async def _ask(self, prompt: str) -> str:
        while True:
            try:
                text = await self._session.prompt_async(ANSI(self._paint.bold(prompt)), handle_sigint=False)
                return text.rstrip() if self._code else text
            except KeyboardInterrupt:
                pass  # the line is dropped

    async def show(self, event: Event) -> None:
        if isinstance(event, Output) and self._listing is not None:
            self._listing.append(event.text)
            return
        text = ""
        if self._listing:
            text, self._listing = self._paint.listing("".join(self._listing)), None
        text += self._text(event)
        if text and self._prompting:
            await run_in_terminal(lambda: _write(text))
        elif text:
            _write(text)

    def _text(self, event: Event) -> str:
        match event:
            case Output(text):
                return text
            case Welcome(session):
                self._task = session.get("task") or self._task
                return self._paint.session(session)
            case Stopped():
                self._stops += 1
                return self._paint.stop(event, None) if self._stops == 1 else self._paint.stop(event)
            case Ended():
                return self._paint.ended(event, self._task)
            case Left(why):
                again = "; devkit debug attaches again" if why == DETACHED else ""
                return f"{self._paint.dim(why + again)}\n"
        return ""  # what is refused or lost is an error, which others tell

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter", filter=Condition(lambda: self._code))
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.complete_state and buffer.complete_state.current_completion:
                buffer.complete_state = None  # Enter takes what is chosen
            elif buffer.document.is_cursor_at_the_end and is_incomplete(buffer.text):
                buffer.insert_text("\n" + _indentation(buffer.text))
            else:
                buffer.validate_and_handle()

        @keys.add("tab", filter=Condition(lambda: self._code and self._session.default_buffer.complete_state is None))
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.current_line_before_cursor.strip():
                buffer.start_completion(insert_common_part=True)
            elif "\n" in buffer.text:
                buffer.insert_text(INDENT)

        return keys


def warm_up() -> None:
    """Do ahead of time what a first prompt needs: modules that are imported late, the grammar of Python, key tables."""
    Paint(colour=True).code("pass")
    with create_pipe_input() as keys:
        keys.send_text("pass\r")
        PromptSession[str](input=keys, output=DummyOutput(), lexer=_lexer()).prompt(ANSI("(Pdb) "))
    gc.freeze()  # all of this stays


class _LiveCompleter(Completer):
    """Asks the debugger what exists; typing does not wait for the answer."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    def get_completions(self, _document: Document, _event: CompleteEvent) -> Iterable[Completion]:
        return ()

    async def get_completions_async(
        self, document: Document, _event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        text = document.current_line_before_cursor
        start, matches = await self._dialogue.complete(text)
        for match in matches:
            yield Completion(match, start - len(text))


def is_incomplete(text: str) -> bool:
    """Whether Enter continues the statement, as in a Python shell: an empty line ends a block."""
    statement = text.removeprefix("!")
    if "\n" in text and not text.rpartition("\n")[2].strip():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return codeop.compile_command(statement, symbol="single") is None
    except (SyntaxError, ValueError, OverflowError):
        return False  # a command of pdb; or what is wrong, which the other side says better


def _indentation(text: str) -> str:
    line = text.rpartition("\n")[2]
    indent = line[: len(line) - len(line.lstrip())]
    return indent + INDENT if line.rstrip().endswith(":") else indent


def _lexer() -> Lexer:
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    return PygmentsLexer(PythonLexer)


def _make_private(history: Path) -> None:
    history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    history.touch(mode=0o600)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
