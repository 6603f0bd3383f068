"""Real processes for the tests of what starts, finds and ends them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from textwrap import dedent

import psutil

# Each program begins with this: `tell` says something to the test, `sleep` waits until somebody ends it.
PRELUDE = """
import os, signal, subprocess, sys, time
def tell(*words): print(*words, flush=True)
def sleep(): time.sleep(600)
"""


class Program:
    """A small Python program that leads a session of its own."""

    def __init__(self, code: str, *args: object, env: Mapping[str, str] | None = None) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + dedent(code), *map(str, args)],
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.pid = self._popen.pid

    def heard(self) -> str:
        """The next line that it tells."""
        assert self._popen.stdout is not None
        return self._popen.stdout.readline().rstrip("\n")

    def kill(self) -> None:
        """As `kill -9` does: the program cannot do anything about it."""
        os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> int:
        """Wait for its end; returns the exit code as `subprocess` does."""
        return self._popen.wait(10)

    def close(self) -> None:
        if self._popen.poll() is None:
            self.kill()
        self._popen.communicate()


class Programs:
    """Starts programs, and ends what is left of them and of theirs."""

    def __init__(self) -> None:
        self._started: list[Program] = []
        self._others: list[int] = []

    def start(self, code: str, *args: object, env: Mapping[str, str] | None = None) -> Program:
        """Start a program."""
        self._started.append(Program(code, *args, env=env))
        return self._started[-1]

    def sleeper(self, env: Mapping[str, str] | None = None) -> Program:
        """A program that does nothing, and has begun to."""
        program = self.start("tell('up'); sleep()", env=env)
        assert program.heard() == "up"
        return program

    def child_of(self, program: Program) -> int:
        """The pid of a process that the program started and tells of; it is ended with the test, too."""
        self._others.append(int(program.heard()))
        return self._others[-1]

    def close(self) -> None:
        for pid in self._others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for program in self._started:
            program.close()


def runs(pid: int) -> bool:
    """Whether the process runs; a zombie, which only waits for its parent, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
