"""pdb for one thread of a task, over a connection that may come and go."""

import bdb
import code
import linecache
import os
import pdb
import pprint
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

from ..structure import module_name
from ..tell.exceptions import in_short
from ..tell.plain_pdb import PlainPdb
from ..tell.values import short
from . import completion
from .stream import DebuggerStream, Released

# Steps neither lead into these, nor back to them.
MACHINERY = ["celery.*", "billiard.*", "kombu.*", "_devkit.*", "devkit.agent.*"]
TASK_RUNNERS = ("celery.app.trace", "celery.app.autoretry", "celery.app.base", "celery.app.task")
TRACING = {"bdb", "pdb", __name__}
SENDING = {f"{__package__}.{name}" for name in ("listener", "printed", "pause", "stream")}
CONTEXT_LINES = 6
COMMANDS_HIDDEN = ("EOF", "run", "restart")


class Debugger(PlainPdb):
    """One thread's debugger. `pausing` and `resuming` are called around each stop, with the frame and why."""

    def __init__(
        self,
        make_stream: "Callable[[Callable[[str], tuple[int, list[str]]]], DebuggerStream]",
        pausing: "Callable[[FrameType, int, str], None]",
        resuming: "Callable[[bool], None]",
        elsewhere: Any,
        loaded_at: float,
    ) -> None:
        """`elsewhere` knows of breakpoints that were not set here (`WatchedBreakpoints`), where this Python has only
        one trace function; else None. Sources younger than `loaded_at` are not what runs."""
        self.stream = make_stream(self._complete)
        super().__init__(stdin=self.stream, stdout=self.stream, nosigint=True, skip=MACHINERY)  # type: ignore[arg-type]
        self.interacting = False
        self.evaluating = False
        self.interrupted = False  # while it was about to go on
        self._pausing = pausing
        self._resuming = resuming
        self._elsewhere = elsewhere
        self._loaded_at = loaded_at
        self._event = ("line", "")
        self._why = "breakpoint"
        self._arrived = False
        self._headline: str | None = None  # what pdb says before the position, such as --Return--
        self._bottom: FrameType | None = None
        self._stopped_at: tuple[FrameType, int] | None = None
        self._before: Any = None  # the trace function of somebody else

    # Where it stops

    def stop_next(self, frame: FrameType, why: str) -> None:
        """Stop at the frame's next line."""
        self._why = why
        self._trace(frame)
        self.set_step()
        sys.settrace(self.trace_dispatch)

    def stop_now(
        self, frame: FrameType, why: str, event: str = "line", detail: str = "", traceback: Any = None
    ) -> None:
        """Stop right here, outside of any tracing: a signal handler or a monitor called. Raises BdbQuit for `q`."""
        if self.interacting:
            return
        sys.settrace(None)
        self._why, self._event = why, (event, detail)
        if traceback is None:
            self._trace(frame)
            self._stopped_at = (frame, frame.f_lasti)
        else:  # what it would follow has ended
            self.reset()
            self._bottom = self._stopped_at = None
        self.interaction(None if traceback else frame, traceback)
        if self.quitting and traceback is None:  # otherwise it is about to fail anyway
            raise _quit()
        if traceback is not None or self._runs_freely():
            self._stopped_at = None
            self._let_go()
        else:
            sys.settrace(self.trace_dispatch)

    def interrupt(self, frame: FrameType) -> None:
        """Somebody pressed Ctrl-C while this thread was in the frame: stop there."""
        at, found = frame, frame.f_back
        inside = {_module(frame)}
        while at is not self._bottom and found:  # it may be in the debugger's code, or in what that calls
            if _module(at) in TRACING:
                frame = found
            at, found = found, found.f_back
            inside.add(_module(at))
        if inside & SENDING:
            self.set_step()
        else:
            self.stop_now(frame, "interrupted", "interrupt")

    def interrupt_from_outside(self, frame: FrameType) -> None:
        """The same, from another thread: stop at the next line, if there is any tracing in this one."""
        self._why = "interrupted"
        found: FrameType | None = frame
        while found and found is not self._bottom:
            found.f_trace = self.trace_dispatch
            found = found.f_back
        self.set_step()

    def end(self) -> None:
        """The task is over, or nothing more is to be stopped."""
        self.clear_all_breaks()
        self.set_continue()
        self._let_go()
        self._bottom = self._stopped_at = None
        self.botframe = None

    def _trace(self, frame: FrameType) -> None:
        """Follow the frame and its callers, up to where the task begins."""
        if not self._before and (tracer := sys.gettrace()) and getattr(tracer, "__self__", None) is not self:
            self._before = tracer
        self._bottom = bottom_of(frame)
        if not hasattr(self, "stopframe"):
            self.reset()
        found: FrameType | None = frame
        while found:
            found.f_trace = self.trace_dispatch
            found.f_trace_lines = True
            self.botframe = found
            if found is self._bottom:
                break
            found = found.f_back
        if sys.version_info >= (3, 13):
            self.enterframe = frame

    def _let_go(self) -> None:
        """Trace no longer."""
        sys.settrace(self._before)
        self._before = None
        if self._elsewhere is not None:
            self._elsewhere.follow()

    def _runs_freely(self) -> bool:
        return bool(self.stoplineno == -1 and self.stopframe is self.botframe and not self.breaks)

    # What bdb asks

    def trace_dispatch(self, frame: FrameType, event: str, arg: Any) -> Any:
        try:
            return super().trace_dispatch(frame, event, arg)
        except bdb.BdbQuit:
            raise _quit() from None

    def break_here(self, frame: FrameType) -> bool:
        if super().break_here(frame):
            self._why = "breakpoint set at the prompt"
            return True
        why = self._elsewhere.here(frame) if self._elsewhere is not None else None
        if why:
            self._why = why
        return why is not None

    def break_anywhere(self, frame: FrameType) -> bool:
        return super().break_anywhere(frame) or (self._elsewhere is not None and self._elsewhere.in_frame(frame))

    def user_call(self, frame: FrameType, argument_list: Any) -> None:
        self._event, self._headline = ("call", ""), ""
        super().user_call(frame, argument_list)

    def user_line(self, frame: FrameType) -> None:
        stopped_at, self._stopped_at = self._stopped_at, None
        if stopped_at == (frame, frame.f_lasti):  # a moment ago, in another way, and nothing was executed since
            return
        self._event = ("line", "")
        super().user_line(frame)

    def user_return(self, frame: FrameType, return_value: Any) -> None:
        self._event, self._headline = ("return", f"returns {short(return_value)}"), ""
        super().user_return(frame, return_value)

    def user_exception(self, frame: FrameType, exc_info: Any) -> None:
        self._event, self._headline = ("exception", in_short(exc_info[1])), ""
        super().user_exception(frame, exc_info)

    def set_continue(self) -> None:
        super().set_continue()
        if not self.breaks:
            self._let_go()

    def set_quit(self) -> None:
        _no_retries()
        super().set_quit()
        self._let_go()

    # The conversation

    def interaction(self, frame: "FrameType | None", traceback: Any) -> None:
        if frame is None:
            while traceback.tb_next and _module(traceback.tb_frame).startswith(TASK_RUNNERS):
                traceback = traceback.tb_next  # Celery's frames that called the task
        again = True
        while again:
            self.interacting, self._arrived, self.interrupted = True, True, False
            try:
                super().interaction(frame, traceback)
            except Released:
                self.clear_all_breaks()
                self.set_continue()
            finally:
                if not self._arrived:
                    self._resuming(self.quitting or self._runs_freely())
                self.interacting = self._arrived = False
                self._headline = None
                self._event, self._why = ("line", ""), "breakpoint"
            if again := self.interrupted and not self.quitting:  # before the next line was begun
                self._event, self._why = ("interrupt", ""), "interrupted"

    def get_stack(self, f: "FrameType | None", t: Any) -> "tuple[list[tuple[FrameType, int]], int]":
        stack, index = super().get_stack(f, t)
        above = next((place for place, (frame, _) in enumerate(stack) if frame is self._bottom), 0)
        return stack[above:], max(index - above, 0)

    def print_stack_entry(self, frame_lineno: "tuple[FrameType, int]", prompt_prefix: str = pdb.line_prefix) -> None:
        if not self._arrived:
            super().print_stack_entry(frame_lineno, prompt_prefix)
            return
        self._arrived = False
        headline, self._headline = self._headline or "", None
        self._pausing(*frame_lineno, self._why)
        entry = self.format_stack_entry(frame_lineno, prompt_prefix)
        self.stream.stopped(self._position(*frame_lineno), f"{headline}> {entry}")

    def _position(self, frame: FrameType, line: int) -> "dict[str, Any]":
        file = self.canonic(frame.f_code.co_filename)
        lines = linecache.getlines(file, frame.f_globals)
        first = max(line - CONTEXT_LINES, 1)
        try:
            changed = os.stat(file).st_mtime > self._loaded_at
        except OSError:
            changed = False
        return {
            "file": file,
            "line": line,
            "function": frame.f_code.co_name,
            "event": self._event[0],
            "detail": self._event[1],
            "source": [[first + place, text.rstrip("\n")] for place, text in enumerate(lines[first - 1 : line + 6])],
            "changed": changed,
        }

    def message(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if self._headline is None:
            super().message(msg, *args, **kwargs)
        else:  # part of the position, for those who get that as text
            self._headline += f"{msg}\n"

    def onecmd(self, line: str) -> bool:
        self.evaluating = True
        try:
            if self.interrupted:  # before it was begun
                self.interrupted = False
                raise KeyboardInterrupt
            if "\n" not in line:
                return super().onecmd(line)
            self.default(line)
            return False
        finally:
            self.evaluating = False

    def postcmd(self, stop: bool, line: str) -> bool:
        if not stop:
            self.interrupted = False  # that was meant for what has just ended
        return super().postcmd(stop, line)

    def default(self, line: str) -> None:
        if "\n" not in line:
            super().default(line)
            return
        try:  # several lines at once
            self._execute(line.removeprefix("!"))
        except BaseException as error:
            if isinstance(error, Released):
                raise
            self.error(f"{type(error).__name__}: {error}")

    def _execute(self, text: str) -> None:
        try:
            compiled = compile(text + "\n", "<stdin>", "single")
        except SyntaxError:
            compiled = compile(text + "\n", "<stdin>", "exec")
        before = sys.stdout, sys.stdin, sys.displayhook
        sys.stdout, sys.stdin, sys.displayhook = cast("Any", self.stream), cast("Any", self.stream), self.displayhook
        assert self.curframe
        try:
            exec(compiled, self.curframe.f_globals, self.curframe_locals)  # noqa: S102 - that is what a debugger is for
        finally:
            sys.stdout, sys.stdin, sys.displayhook = before

    def do_detach(self, _: str) -> None:
        """detach

        Leave; the task stays paused, and `devkit debug` attaches to it again.
        """
        self.stream.detach()

    def do_run(self, arg: str) -> None:  # noqa: ARG002
        """A task cannot be started again from here."""
        self.error("a task cannot be started again from here: devkit debug TASK --run")

    do_restart = do_run

    def do_pp(self, arg: str) -> None:
        """pp expression

        Pretty-print the value of the expression.
        """
        client = self.stream.client
        columns = client.columns if client else 80
        try:
            value = self._getval(arg)  # which tells itself what is wrong with it
        except Exception:
            return
        try:
            self.message(pprint.pformat(value, width=columns))
        except Exception as error:
            self.error(f"{type(error).__name__}: {error}")

    def do_interact(self, _: str) -> None:
        """interact

        A Python shell with the names of this frame; Ctrl-D ends it.
        """
        assert self.curframe
        names = {**self.curframe.f_globals, **self.curframe_locals}
        console = code.InteractiveConsole(names)
        console.raw_input = self._ask  # type: ignore[method-assign]
        console.write = self.stream.write  # type: ignore[method-assign,assignment]
        before = sys.stdout
        sys.stdout = cast("Any", self.stream)
        self.stream.ends_at_eof = True
        try:
            console.interact("*interactive*: Ctrl-D ends it", "")
        except SystemExit:
            pass
        finally:
            self.stream.ends_at_eof = False
            sys.stdout = before

    def _ask(self, prompt: str = "") -> str:
        self.stream.write(prompt)
        line = self.stream.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    def _complete(self, text: str) -> "tuple[int, list[str]]":
        if not self.curframe:
            return len(text), []
        commands = [name[3:] for name in dir(self) if name.startswith("do_") and name[3:] not in COMMANDS_HIDDEN]
        return completion.complete(text, [*commands, *self.aliases], self.curframe_locals, self.curframe.f_globals)


def bottom_of(frame: FrameType) -> "FrameType | None":
    """The outermost frame of the user's code: the task's, or that of the thread; None: all are looked at."""
    chain: list[FrameType] = []
    found: FrameType | None = frame
    while found:
        chain.append(found)
        found = found.f_back
    chain.reverse()
    runner = next((place for place, one in enumerate(chain) if _module(one) == "celery.app.trace"), None)
    if runner is None and _module(chain[0]) != "threading":
        return None
    begins = ("threading",) if runner is None else TASK_RUNNERS
    return next((one for one in chain[runner or 0 :] if not _module(one).startswith(begins)), None)


def _module(frame: FrameType) -> str:
    return module_name(frame.f_globals)


def _quit() -> bdb.BdbQuit:
    return bdb.BdbQuit("ended by q in the debugger")


def _no_retries() -> None:
    """A task that is ended in the debugger is not to come back by itself: as if it had been called directly."""
    from celery import current_task

    if current_task:
        current_task.request.called_directly = True
