"""A service that prints a million lines: all arrive, whole and in order, soon enough, and Ctrl-C still answers.

The floor is the same program writing through `cat` into a file: the least that any tool can do that stands between a
service and a file. devkit, besides, stamps every line for the service's log file and prefixes it for the terminal.

What arrives on stdout is compared line by line. The log file is rotated: of 80-byte lines, each with its stamp, it
keeps about the last third of a million. So what it keeps has to be the end of the flood, without a gap, over all its
rotations. Lines come out of the program in blocks that end anywhere in a line, as from any program that buffers.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks._common import (
    TIMEOUT_S,
    Lines,
    Project,
    Row,
    asked_runs,
    clean_environ,
    interleaved,
    interrupt,
    process,
    report,
    spread,
    temporary_folder,
)
from devkit.stack.logfile import KEEP

LINES = 1_000_000
PROMISED_LINES_PER_S = 100_000
PROMISED_ANSWER_S = 1.0
FLOOD_BEFORE_CTRL_C_S = 1.0
POLL_S = 0.002

TEXT = "the quick brown fox jumps over the lazy dog, and then it does so again"
LINE = re.compile(rb"(\d{10}) " + TEXT.encode())
STAMPED = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (.*)\n")
SHOWN = re.compile(rb"flood +\| (.*)\n")


def flood(lines: int) -> str:
    """The program, as a shell command: it starts to print when somebody writes to the FIFO `go`.

    So the clock starts with the first line, on both sides, and not with devkit.
    """
    return f"read _ <go; seq -f '%010.0f {TEXT}' 1 {lines}"


SETTINGS = f"""
[tool.devkit.services.flood]
command = "{flood(LINES)}; exec sleep 3600"

[tool.devkit.services.endless]
command = "{flood(10**10 - 1)}"
"""


class Findings:
    """What is wrong with the lines of all floods so far."""

    def __init__(self) -> None:
        self.lost = self.torn = self.misplaced = 0

    def check(self, lines: Iterable[bytes], first: int = 1) -> None:
        """Expect the lines from number `first` to the last."""
        previous, found = first - 1, 0
        for line in lines:
            match = LINE.fullmatch(line)
            if not match:
                self.torn += 1
                continue
            number = int(match[1])
            found += 1
            self.misplaced += number <= previous
            previous = number
        self.lost += max(0, LINES - first + 1 - found)

    def __str__(self) -> str:
        return f"{self.lost} lost, {self.torn} torn, {self.misplaced} misplaced"

    def __bool__(self) -> bool:
        return bool(self.lost or self.torn or self.misplaced)


class Flood:
    """Runs the program in a project of its own, under devkit and without; keeps what was found."""

    def __init__(self, home: Path) -> None:
        self.project = Project(home / "project", SETTINGS)
        self.shown, self.logged = Findings(), Findings()
        self.kept_lines = 0
        self.exits: dict[str, list[float]] = {"a file": [], "a blocked pipe": []}
        self._output = home / "output"
        self._go = self.project.folder / "go"
        os.mkfifo(self._go)

    def through_cat(self) -> float:
        """Seconds from the first line to the last one in the file."""
        command = f"{{ {flood(LINES)}; }} | cat >'{self._output}'"
        self._output.write_bytes(b"")  # the last line of the run before is not this run's
        with process(["/bin/sh", "-c", command], self.project.folder, clean_environ()):
            return self._let_it_flow()

    def through_devkit(self) -> float:
        """The same; then what arrived is checked."""
        logs = self.project.folder / ".devkit" / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        with (
            self._output.open("wb") as output,
            self.project.devkit("up", "flood", stdout=output, stderr=subprocess.PIPE) as stack,
        ):
            talk = Lines(stack.stderr)
            talk.first("devkit: all is ready")
            seconds = self._let_it_flow()
            interrupt(stack)
        self.shown.check(shown_lines(self._output))
        kept = list(logged_lines(logs))
        self.kept_lines = len(kept)
        first = LINE.fullmatch(kept[0])
        self.logged.check(kept, int(first[1]) if first else 1)
        return seconds

    def ctrl_c_into_file(self) -> float:
        """Seconds from Ctrl-C amid a flood to devkit's answer."""
        with self._output.open("wb") as output:
            return self._answer("a file", output.fileno())

    def ctrl_c_blocked(self) -> float:
        """The same, while nobody reads what devkit prints: a terminal on which output is paused."""
        with blocked_pipe() as write_end:
            return self._answer("a blocked pipe", write_end)

    def _answer(self, where: str, stdout: int) -> float:
        with self.project.devkit("up", "endless", stdout=stdout, stderr=subprocess.PIPE) as stack:
            talk = Lines(stack.stderr)
            talk.first("devkit: all is ready")
            self._start()
            time.sleep(FLOOD_BEFORE_CTRL_C_S)
            began = time.perf_counter()
            self.exits[where].append(interrupt(stack))
            with suppress(LookupError):
                return talk.first("devkit: stopping")[0] - began
        return float("inf")

    def _let_it_flow(self) -> float:
        last = b"%010d %s\n" % (LINES, TEXT.encode())
        self._start()
        began = time.perf_counter()
        while tail(self._output, len(last)) != last:
            assert time.perf_counter() - began < TIMEOUT_S, "the last line did not arrive"
            time.sleep(POLL_S)
        return time.perf_counter() - began

    def _start(self) -> None:
        """Opening a FIFO waits for its other end: the program is there and waits, too."""
        self._go.write_bytes(b"\n")


def tail(path: Path, length: int) -> bytes:
    """The last bytes of a file that grows."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - length))
        return file.read()


def shown_lines(path: Path) -> Iterator[bytes]:
    """What devkit printed from the first such line on, without the prefix; a line that lacks it stays as it is."""
    with path.open("rb") as file:
        begun = False
        for line in file:
            match = SHOWN.fullmatch(line)
            begun = begun or match is not None  # before that comes the table
            if begun:
                yield match[1] if match else line


def logged_lines(logs: Path) -> Iterator[bytes]:
    """What the service's log files hold, the oldest first, without the stamps."""
    files = [*(logs / f"flood.log.{number}" for number in range(KEEP, 0, -1)), logs / "flood.log"]
    for path in files:
        with path.open("rb") as file:
            for line in file:
                match = STAMPED.fullmatch(line)
                yield match[1] if match else line


@contextmanager
def blocked_pipe() -> Iterator[int]:
    """The write end of a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    try:
        yield write_end
    finally:
        os.close(write_end)
        os.close(read_end)


def answer_rows(where: str, answers: list[float], exits: list[float]) -> list[Row]:
    """The slowest answer counts: whoever presses Ctrl-C presses it once."""
    worst = max(answers)
    return [
        Row(
            f"Ctrl-C amid a flood into {where}, until it answers",
            spread(answers) if worst < TIMEOUT_S else "no answer",
            promise=f"<= {PROMISED_ANSWER_S:g} s",
            kept=worst <= PROMISED_ANSWER_S,
        ),
        Row("the same, until it has exited", spread(exits)),
    ]


def main() -> int:
    """Measure, and print the table."""
    runs = asked_runs(__doc__, default=3)
    with temporary_folder() as home:
        floods = Flood(home)
        sides: dict[str, Callable[[], float]] = {
            "cat": floods.through_cat,
            "devkit": floods.through_devkit,
            "Ctrl-C, file": floods.ctrl_c_into_file,
            "Ctrl-C, blocked": floods.ctrl_c_blocked,
        }
        times = interleaved(sides, runs)
    ours, floor = ([LINES / seconds for seconds in times[side]] for side in ("devkit", "cat"))
    rate = statistics.median(ours)
    shown, logged = floods.shown, floods.logged
    whole = "0 lost, torn, misplaced"
    return report(
        [
            Row(
                f"{LINES:,} lines into a file; through cat",
                spread([each / 1e6 for each in ours], "M lines/s"),
                spread([each / 1e6 for each in floor], "M lines/s"),
                f"{rate / statistics.median(floor):.2f} x",
                f">= {PROMISED_LINES_PER_S / 1e6} M lines/s",
                rate >= PROMISED_LINES_PER_S,
            ),
            Row(f"those lines, of {runs + 1} runs", str(shown), promise=whole, kept=not shown),
            Row(f"the last {floods.kept_lines:,} in its log", str(logged), promise=whole, kept=not logged),
            *answer_rows("a file", times["Ctrl-C, file"], floods.exits["a file"]),
            *answer_rows("a blocked pipe", times["Ctrl-C, blocked"], floods.exits["a blocked pipe"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
