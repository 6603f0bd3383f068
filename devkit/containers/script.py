"""How what lies in `inside` gets to run there: by whatever Python there is, with no shell and nothing copied."""

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from devkit.containers.execs import Exec

# Isolated: the working directory there, which is the project's, may hold a module of any name. No site: that is faster.
PYTHONS = (("python3", "-IS", "-c"), ("python", "-IS", "-c"))
INSIDE = Path(__file__).with_name("inside")
# Runs a script that comes as the first line of standard input: kubectl puts a command into a URL, which must be short.
FROM_STDIN = "import sys; exec(eval(sys.stdin.buffer.raw.readline()))"
PATIENCE_S = 20.0
NOT_EXECUTABLE, NOT_FOUND = 126, 127
# kubectl's log of its own attempts, and that there was an exit code.
NOISE = re.compile(r"[EWI]\d{4} |command terminated with exit code")


class UnreachableError(Exception):
    """Why nobody can be talked to there. `refused`: there is such a place, but nobody listens."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


@cache
def text(name: str) -> str:
    """The script of that name."""
    return (INSIDE / f"{name}.py").read_text(encoding="utf-8")


def line(script: str) -> bytes:
    """The script as FROM_STDIN takes it."""
    return ascii(script).encode() + b"\n"


@cache
def python_in(exec_: Exec) -> Sequence[str]:
    """The command of the Python there, which takes a script as its next argument. Raises UnreachableError."""
    for python in PYTHONS:
        try:
            done = subprocess.run(
                exec_.argv([*python, "pass"]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, errors="replace", timeout=PATIENCE_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnreachableError(str(error)) from error
        if done.returncode == 0:
            return python
        if not lacks(done.returncode, done.stderr):
            raise UnreachableError(said(done.stderr, done.returncode))
    raise UnreachableError(f"there is no Python in {exec_.name}")


def lacks(code: int, stderr: str) -> bool:
    """Whether a command ended like this because there is no such program."""
    return code in (NOT_EXECUTABLE, NOT_FOUND) or "executable file not found" in stderr


def said(stderr: str, code: int) -> str:
    """Why it failed: what docker or kubectl say, without what they say each time."""
    lines = [line.removeprefix("Error response from daemon: ").strip() for line in stderr.splitlines()]
    told = [line for line in lines if line and not NOISE.match(line)]
    return "; ".join(told) or f"the command ended with exit code {code}"
