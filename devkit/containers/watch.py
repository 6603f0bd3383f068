"""What may be debugged in one container or pod, told by a command that runs there as long as somebody wants to know."""

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from devkit.containers.execs import Exec
from devkit.containers.script import FROM_STDIN, PYTHONS, UnreachableError, lacks, line, said, text
from devkit.model import rdb
from devkit.model.session import Session, Waiting


@dataclass(frozen=True)
class Inside:
    """All that is told; `alive` are the ticks at which each living process started, by its number."""

    plain: tuple[Waiting, ...]
    sessions: tuple[Session, ...]
    alive: Mapping[int, float]

    @classmethod
    def from_line(cls, told: bytes) -> "Inside":
        """Raises KeyError, TypeError or ValueError for what is none."""
        data = json.loads(told)
        return cls(
            tuple(Waiting(**one) for one in data["plain"]),
            tuple(map(Session.from_wire, data["sessions"])),
            {int(pid): float(started) for pid, started in data["alive"].items()},
        )


class ContainerWatch:
    """`inside` is what was told last; None: nothing yet. `problem` is why it ended, if it did not end by `close`."""

    def __init__(self, exec_: Exec, changed: Callable[[], object] = lambda: None) -> None:
        """`changed` is called, in another thread, for all that is new."""
        self.inside: Inside | None = None
        self.problem: UnreachableError | None = None
        self.lacks_python = False
        self._exec = exec_
        self._changed = changed
        self._closed = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._follow, name=f"watch in {exec_.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look there no longer. Nobody has to wait until the command has noticed."""
        self._closed.set()
        if self._process:
            self._process.kill()

    def _follow(self) -> None:
        try:
            for python in PYTHONS:
                if self._run([*python, FROM_STDIN]):
                    return
            self.lacks_python = True
            self.problem = UnreachableError(f"there is no Python in {self._exec.name}")
        except (OSError, KeyError, TypeError, ValueError) as error:
            self.problem = UnreachableError(str(error))
        finally:
            self.inside = None
            self._changed()

    def _run(self, command: list[str]) -> bool:
        """Listen until it ends; whether there is such a program at all."""
        with subprocess.Popen(
            self._exec.argv(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            process_group=0,
        ) as process:  # fmt: skip
            self._process = process
            if self._closed.is_set():
                process.kill()
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            with suppress(BrokenPipeError):
                process.stdin.write(line(script()))
                process.stdin.flush()
            complaint = b""  # some docker complains on standard output
            try:
                for told in process.stdout:
                    if told.startswith(b"{"):
                        self.inside = Inside.from_line(told)
                        self._changed()
                    else:
                        complaint += told
                complaint += process.stderr.read()
            finally:
                process.kill()
            code, why = process.wait(), complaint.decode(errors="replace")
            if not self._closed.is_set():
                if lacks(code, why):
                    return False
                self.problem = UnreachableError(said(why, code))
            return True


def script() -> str:
    """What runs inside."""
    return Path(rdb.__file__).read_text(encoding="utf-8") + text("scan")
