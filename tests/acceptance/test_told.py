"""What `up` was told every other command knows, from wherever in the project it is run."""

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.harness import PYTHON, Project, environment, running_redis

# Discovery would take tasks.py; main.py, whose app a function makes, cannot even be imported without its variable.
FILES = {
    "back/main.py": """
import os, sys
import helper
from celery import Celery

SHOP = os.environ["SHOP"]

def make():
    return Celery("main")

queue = make()

@queue.task
def greet(name):
    return [f"{SHOP} greets {name}", os.path.dirname(os.path.dirname(sys.executable))]

@queue.task
def fail(name):
    raise ValueError(f"{SHOP} does not know {name}")
""",
    "back/helper.py": "",
    "tasks.py": "from celery import Celery\ncelery = Celery('decoy')\n",
    "settings/shop.env": "SHOP=the shop\n",
    "docs/notes/read.me": "",
    "web.py": "",
}
SECRET = "hunter2"  # noqa: S105


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with nothing written down: no pyproject.toml, no virtualenv where one is looked for."""
    folder = tmp_path_factory.mktemp("told")
    python = environment(folder / "elsewhere", *filter(os.path.isdir, sys.path[1:]))
    with closing(Project(folder, {**FILES, "settings/shop.env": f"SHOP=the shop\nSECRET={SECRET}\n"})) as project:
        where = project.root / "settings"
        options = ("-A", "main:queue", "--env-file", "shop.env", "--python", str(python))
        project.devkit("-C", "..", "up", "-d", *options, cwd=where).expect(2)  # a path starts from the folder of -C
        project.devkit("-C", "..", "up", "-d", *(option.replace("shop.env", "settings/shop.env") for option in options),
                       "-Q", "celery,slow", cwd=where).expect(0)  # fmt: skip
        yield project


PLACES = ["", "docs/notes", "back"]


@pytest.mark.parametrize("place", PLACES)
def test_a_task_runs_with_nothing_said_again(told: Project, place: str) -> None:
    done = told.devkit("run", "greet", "--args", '["you"]', "--json", cwd=told.root / place).expect(0)

    assert done.json()["result"] == ["the shop greets you", str(told.root.parent / "elsewhere")]


def test_so_are_a_failure_shown_and_replayed_and_a_task_debugged(told: Project) -> None:
    below = told.root / "docs"
    failed = told.devkit("run", "fail", "--args", '["you"]', "--json", cwd=below).expect(1).json()

    assert failed["exception"] == "ValueError: the shop does not know you"
    assert failed["id"][:8] in told.devkit("failures", cwd=below).expect(0).out
    assert "the shop does not know you" in told.devkit("show", failed["id"], cwd=below).expect(0).out
    assert "same failure" in told.devkit("replay", failed["id"], cwd=below).expect(1).out
    typed = ("-e", "p 'here', name", "-e", "c")
    talk = told.devkit("debug", "greet", "--run", "--args", '["me"]', "--break", "greet", *typed, cwd=below)
    assert "('here', 'me')" in talk.out, talk
    told.devkit("debug", "--clear", cwd=below).expect(0)


def test_where_a_file_marks_another_project_the_stack_above_is_not_meant(told: Project) -> None:
    marked = told.root / "docs" / "pyproject.toml"
    own = told.root / "back" / "pyproject.toml"
    try:
        marked.write_text("")
        assert "No Celery app found" in told.devkit("run", "greet", cwd=marked.parent / "notes").expect(2).err
        assert told.devkit("status", cwd=marked.parent).expect(1).out == ""
        # That of the code which the stack runs marks no other.
        own.write_text("[project]\nname = 'back'\n")
        told.devkit("run", "greet", "--args", '["you"]', cwd=own.parent).expect(0)
    finally:
        marked.unlink()
        own.unlink(missing_ok=True)


def test_a_flag_counts_more(told: Project) -> None:
    (told.root / "other.env").write_text("SHOP=another shop\n")
    assert "decoy" not in told.devkit("run", "nothing").expect(2).err
    assert "no task 'greet'" in told.devkit("run", "greet", "-A", "tasks:celery").expect(2).err
    found = told.devkit("run", "greet", "--python", PYTHON, "--env-file", "../other.env", cwd=told.root / "docs")
    assert "another shop" not in found.expect(2).err  # the worker has its own
    assert "does not" in told.devkit("run", "greet", "--broker", "redis://127.0.0.2:1", "--args", '["x"]').expect(1).err


def test_a_variable_or_a_file_does_not(told: Project) -> None:
    (told.root / ".env").write_text("DEVKIT_CELERY=tasks:celery\n")
    try:
        env = {"DEVKIT_CELERY": "tasks:celery"}
        told.devkit("run", "greet", "--args", '["you"]', env=env).expect(0)
    finally:
        (told.root / ".env").unlink()


def test_a_worker_beside_it_is_told_the_same(told: Project) -> None:
    beside = told.start("-C", "docs", "worker", "-n", "beside", "-Q", "only-there")
    beside.wait_for("beside.1@")
    beside.wait_for("ready")
    sent = told.devkit("run", "greet", "--queue", "only-there", "--args", '["you"]', cwd=told.root / "docs")
    assert "the shop greets you" in sent.expect(0).out
    beside.press_ctrl_c()
    assert beside.end() == 0


def test_a_second_start_below_is_refused(told: Project) -> None:
    assert "runs already" in told.devkit("up", "-d", cwd=told.root / "back").expect(1).err


def test_an_env_file_that_is_gone_is_named(told: Project) -> None:
    file = told.root / "settings" / "shop.env"
    text = file.read_text()
    file.unlink()
    try:
        error = told.devkit("run", "greet").expect(2).err
        assert f"there is no env file {file}" in error
        assert "start it anew" in error
        told.devkit("status").expect(0)
    finally:
        file.write_text(text)


def test_init_writes_it_down(told: Project) -> None:
    try:
        told.devkit("init", cwd=told.root / "docs").expect(0)
        written = tomllib.loads((told.root / "pyproject.toml").read_text())["tool"]["devkit"]
    finally:
        (told.root / "pyproject.toml").unlink(missing_ok=True)
    assert written == {
        "celery": "main:queue",
        "python": "../elsewhere/bin/python",
        "env_file": "settings/shop.env",
        "queues": "celery,slow",
    }


def test_no_value_of_an_env_file_is_ever_told(told: Project) -> None:
    shown = told.devkit("status", "--json").expect(0)
    assert SECRET not in shown.out + shown.err


def test_flags_alone_do_for_every_command(empty: Project, tmp_path: Path) -> None:
    """No stack runs, nothing is written: a worker of this project's, and what is said of it, by flags."""
    empty.write(FILES)
    with running_redis(tmp_path) as redis:
        flags = ["-A", "main:queue", "--env-file", "settings/shop.env", "--python", PYTHON]
        flags += ["--broker", f"{redis}/0", "--result-backend", f"{redis}/1"]
        worker = empty.start("worker", *flags)
        worker.wait_for("ready")
        sent = empty.devkit("run", "greet", "--args", '["you"]', *flags).expect(0)
        assert "the shop greets you" in sent.out
        failed = empty.devkit("run", "fail", "--args", '["you"]', "--json", *flags).expect(1).json()
        assert "ValueError" in empty.devkit("failures", *flags).expect(0).out
        empty.devkit("show", failed["id"], *flags).expect(0)
        empty.devkit("replay", failed["id"], *flags).expect(1)
        empty.devkit("debug", "--list", *flags).expect(0)
        worker.press_ctrl_c()
        assert worker.end() == 0
