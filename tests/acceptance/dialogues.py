"""Dialogues with `devkit debug`: on a terminal, as a person has them, and on pipes; and workers without devkit."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.acceptance.harness import DEADLINE_S, DEVKIT, PYTHON, Done, Foreground, Project, wait_until

# What a terminal is told beside text: colours, where the cursor goes, what mode it is in.
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78]|\r|\x07")
ENTER, TAB, CTRL_C, CTRL_D, UP = "\r", "\t", "\x03", "\x04", "\x1b[A"


class Terminal(Foreground):
    """A command of devkit on a terminal: what is typed, and what is seen."""

    def __init__(self, project: Project, *arguments: str) -> None:
        # The terminal of tests does not answer when it is asked where the cursor is.
        environ = {**project.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
        super().__init__([DEVKIT, *arguments], cwd=project.root, env=environ, terminal=True)
        project.started().append(self)
        self._seen = 0

    @property
    def text(self) -> str:
        """All of it, without colours and cursor movements."""
        return CONTROL.sub("", self.out)

    def expect(self, pattern: str) -> None:
        """Wait until what came after the last expectation matches."""
        wanted = re.compile(pattern, re.MULTILINE | re.DOTALL)
        match = wait_until(
            lambda: wanted.search(self.text, self._seen), why=lambda: f"no {pattern!r} in:\n{self.text[self._seen :]}"
        )
        self._seen = match.end()

    def keys(self, keys: str) -> None:
        """Press keys."""
        assert self._keyboard is not None
        os.write(self._keyboard, keys.encode())

    def type(self, line: str) -> None:
        """Type a line."""
        self.keys(line + ENTER)


def piped(project: Project, *arguments: str, typed: str = "") -> Done:
    """`devkit debug` on pipes, with that as its standard input."""
    ended = subprocess.run(
        [DEVKIT, "debug", *arguments],
        cwd=project.root,
        env=project.environ,
        input=typed,
        text=True,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def plain_worker(project: Project, *options: str) -> Iterator[Path]:
    """A `celery worker` of the project that knows nothing of devkit; yields its log."""
    log = project.root / "worker.log"
    argv = [PYTHON, "-m", "celery", "-A", "tasks", "worker", "-l", "info", "--without-mingle", *options]
    with log.open("wb") as output:
        worker = subprocess.Popen(
            argv, cwd=project.root, env={**project.environ, "PYTHONUNBUFFERED": "1"}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(lambda: " ready." in log.read_text(), why=log.read_text)
        yield log
    finally:
        # Paused in its rdb a worker cannot be asked to end.
        for child in psutil.Process(worker.pid).children(recursive=True):
            child.kill()
        worker.kill()
        worker.wait()
