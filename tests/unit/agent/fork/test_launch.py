"""A service's program that is started early and hears later what it is to run."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from devkit.services.commands import agent_argv
from devkit.stack.process import Process

# Tells all that a program can see of how it was started.
PROGRAM = """
import json, os, sys
print(json.dumps({
    "name": __name__,
    "argv": sys.argv[1:],
    "cwd": os.getcwd(),
    "path": sys.path[0],
    "mark": os.environ.get("MARK"),
    "notify": "DEVKIT_NOTIFY_FD" in os.environ,
    "input": sys.stdin.read(),
    "imported": sorted({"wave", "colorsys"} & sys.modules.keys()),
}))
sys.exit(3)
"""


class Early:
    """A process that was started early."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.output = b""
        self._code: SimpleQueue[int] = SimpleQueue()
        process.follow(self._read, self._code.put)

    def _read(self, chunk: bytes) -> None:
        self.output += chunk

    def run(self, module: str, *argv: str, cwd: Path, **env: str) -> int:
        """Give it its order; returns the exit code."""
        order = {"run": True, "module": module, "argv": argv, "cwd": os.fspath(cwd), "env": env}
        self.process.say(json.dumps(order).encode() + b"\n")
        self.process.end_orders()
        return self.code()

    def code(self) -> int:
        return self._code.get(timeout=10)


@pytest.fixture
def start() -> Iterator[Callable[..., Early]]:
    with ExitStack() as end:

        def start(*, ahead: tuple[str, ...] = ()) -> Early:
            argv = agent_argv(sys.executable, "web", ahead)
            process = Process(argv, cwd=Path("/"), env=os.environ, talks=True)
            end.callback(process.wait)
            end.callback(process.signal, signal.SIGKILL)
            return Early(process)

        yield start


Start = Callable[..., Early]


def test_it_becomes_the_program_as_python_m_runs_it(start: Start, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM)
    early = start()

    code = early.run("prog", "--port", "80", cwd=tmp_path, MARK="x")

    assert code == 3
    assert json.loads(early.output) == {
        "name": "__main__",
        "argv": ["--port", "80"],
        "cwd": str(tmp_path),
        "path": str(tmp_path),
        "mark": "x",
        "notify": False,
        "input": "",
        "imported": [],
    }


def test_what_it_imports_ahead_is_there(start: Start, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM)
    early = start(ahead=("wave", "no_such_module.at_all", "colorsys"))

    early.run("prog", cwd=tmp_path)

    assert "wave" in json.loads(early.output)["imported"]


def test_it_imports_from_the_working_directory_then_from_pythonpath(start: Start, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("here", "first", "second")]
    for number, folder in enumerate(folders):
        folder.mkdir()
        for name in ("one", "two", "three")[: number + 1]:
            (folder / f"{name}.py").write_text(f"where = {folder.name!r}")
    (folders[0] / "prog.py").write_text(
        "import os, one, subprocess, sys, three, two\n"
        "print(one.where, two.where, three.where, flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import two; print(two.where)'])\n"
    )
    early = start()

    assert early.run("prog", cwd=folders[0], PYTHONPATH=os.pathsep.join(map(str, folders[1:]))) == 0
    assert early.output == b"here first second\nfirst\n"


@pytest.mark.parametrize("name", ["kept.app", "make()"])
def test_celery_finds_an_app_by_a_name_that_it_does_not_take_itself(start: Start, tmp_path: Path, name: str) -> None:
    (tmp_path / "jobs.py").write_text(
        "from celery import Celery\nclass Kept: ...\nkept = Kept()\nkept.app = Celery('here')\n"
        "def make(): return kept.app\n"
    )
    early = start()

    assert early.run("celery", "-A", f"jobs:{name}", "report", cwd=tmp_path) == 0
    assert b"celery:" in early.output


def test_a_package_is_run_by_its_main_module(start: Start, tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__main__.py").write_text("print('main of', __package__)")
    early = start()

    assert early.run("pkg", cwd=tmp_path) == 0
    assert early.output == b"main of pkg\n"


def test_a_module_that_is_not_there_is_the_programs_own_error(start: Start, tmp_path: Path) -> None:
    early = start()

    assert early.run("no_such_program", cwd=tmp_path) == 1
    assert b"No module named no_such_program" in early.output


def test_the_projects_modules_do_not_get_in_the_way_of_devkits(start: Start, tmp_path: Path) -> None:
    for name in ("launch", "describe", "select", "json", "devkit"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "prog.py").write_text("print('fine')")
    early = start()

    assert early.run("prog", cwd=tmp_path) == 0
    assert early.output == b"fine\n"


def test_without_an_order_it_ends_with_its_input(start: Start) -> None:
    early = start(ahead=("wave",))

    early.process.end_orders()

    assert early.code() == 0
    assert early.output == b""


def test_a_program_that_was_told_to_run_hears_no_more(start: Start, tmp_path: Path) -> None:
    """The next order would be for somebody else."""
    (tmp_path / "prog.py").write_text("import sys; print(repr(sys.stdin.read()))")
    early = start()
    early.process.say(
        b'{"run": true, "module": "prog", "argv": [], "cwd": "%s", "env": {}}\nmore\n' % os.fsencode(tmp_path)
    )

    assert early.code() == 0
    assert early.output == b"''\n"
