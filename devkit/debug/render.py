"""How a stop and source code look: like pdb's text, or with colours and the lines around."""

import re
from collections.abc import Sequence
from typing import Any

from devkit.debug.events import Ended, Stopped
from devkit.model.text import short_path

AROUND_LATER = 2
LISTED = re.compile(r"(?P<head> *\d+ *B? *(?:->|>>)? *\t)(?P<code>.*)")


class Paint:
    """Colours, or none."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def code(self, text: str) -> str:
        """Python source."""
        if not self.colour:
            return text
        from pygments import highlight  # type: ignore[import-untyped]
        from pygments.formatters.terminal import TerminalFormatter  # type: ignore[import-untyped]
        from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

        coloured: str = highlight(text, PythonLexer(stripnl=False, ensurenl=False), TerminalFormatter())
        return coloured

    def bold(self, text: str) -> str:
        return self._in("1", text)

    def dim(self, text: str) -> str:
        return self._in("2", text)

    def mark(self, text: str) -> str:
        """What catches the eye: the line where it stands."""
        return self._in("1;33", text)

    def bad(self, text: str) -> str:
        return self._in("1;31", text)

    def good(self, text: str) -> str:
        return self._in("32", text)

    def _in(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour and text else text

    def lines(self, source: Sequence[tuple[int, str]], current: int) -> str:
        """Numbered lines of a file, the current one marked."""
        if not source:
            return ""
        code = self.code("\n".join(text for _, text in source)).split("\n")
        width = len(str(source[-1][0]))
        shown = []
        for (number, _), text in zip(source, code, strict=False):
            head = f"{number:>{width}} "
            shown.append((self.mark(f"-> {head}") if number == current else f"   {self.dim(head)}") + f" {text}")
        return "\n".join(line.rstrip() for line in shown) + "\n"

    def listing(self, text: str) -> str:
        """What pdb prints for `l`, `ll` and `source`, its code coloured."""
        if not self.colour:
            return text
        found = [LISTED.fullmatch(line) for line in text.split("\n")]
        code = iter(self.code("\n".join(match["code"] for match in found if match)).split("\n"))
        lines = zip(text.split("\n"), found, strict=True)
        return "\n".join(match["head"] + next(code, "") if match else line for line, match in lines)

    def stop(self, stopped: Stopped, around: int | None = AROUND_LATER) -> str:
        """Where it stands, what happened there, and so many lines before and after (None: all that there are)."""
        detail = stopped.detail or (stopped.event if stopped.event == "call" else "")
        bad = stopped.event in ("exception", "failure")
        text = f"> {self.bold(f'{short_path(stopped.file)}:{stopped.line}')} in {stopped.function}\n"
        if detail:
            text += f"  {self.bad(detail) if bad else self.good(detail)}\n"
        if stopped.changed:
            text += f"  {self.bad('the file has changed since this code was loaded: these may not be its lines')}\n"
        near = [item for item in stopped.source if around is None or abs(item[0] - stopped.line) <= around]
        return text + self.lines(near, stopped.line)

    def session(self, session: dict[str, Any]) -> str:
        """What is paused: the task, its id, its arguments, why."""
        if not session.get("task"):
            return f"{self.bold('outside of any task')}\n"
        text = f"{self.bold(session['task'])}({session['args']})  {self.dim(session['task_id'])}\n"
        why = session["why"]
        if why not in ("", "breakpoint") and not why.startswith("failure"):  # the stop itself tells of a failure
            text += f"  {why}\n"
        return text

    def ended(self, ended: Ended, task: str) -> str:
        """The task's end, in one line."""
        state = self.good(ended.state) if ended.state == "SUCCESS" else self.bad(ended.state)
        outcome = ended.exception or ended.result
        return f"{task} {state}" + (f": {outcome}" if outcome is not None else "") + "\n"


def as_pdb(stopped: Stopped) -> str:
    """A stop in pdb's own words."""
    if stopped.shown:
        return stopped.shown
    head = {"call": "--Call--\n", "return": "--Return--\n"}.get(stopped.event, "")
    if stopped.detail and stopped.event in ("exception", "failure"):
        head = f"{stopped.detail}\n"
    returns = f"->{stopped.detail.removeprefix('returns ')}" if stopped.event == "return" else ""
    source = dict(stopped.source).get(stopped.line, "").strip()
    return f"{head}> {stopped.file}({stopped.line}){stopped.function}(){returns}\n-> {source}\n"
