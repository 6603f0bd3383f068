"""What the project's interpreter tells of its Celery app, and what is said where it cannot."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import celery
import pytest
from celery.concurrency import ALIASES

from devkit.agent.app.asking import OWN_MEMORY
from devkit.errors import DevkitError, UsageError
from devkit.model.wire import AppFacts
from devkit.services.commands import zygote_argv
from devkit.services.project.facts import ask_facts
from devkit.settings.discover import AppRef
from devkit.stack.process import Process

APP = "from celery import Celery\napp = Celery('x', broker='memory://')\n"


class Asker:
    """A process that answers for projects' apps: that of a worker which has no order yet."""

    def __init__(self, *argv: str, **environ: str) -> None:
        self._process = Process(argv, cwd=Path("/"), env=environ, talks=True)

    def facts(
        self, folder: Path, app: str = "worker:app", *, environ: Mapping[str, str] | None = None, timeout_s: float = 10
    ) -> AppFacts:
        """The facts about the app of the project in this folder."""
        module, _, attribute = app.partition(":")
        return ask_facts(self._process, AppRef(folder, module, attribute), environ or {}, timeout_s, folder)

    def error(self, folder: Path, app: str = "worker:app", *, timeout_s: float = 10) -> DevkitError:
        """The error that there is instead."""
        with pytest.raises(DevkitError) as caught:
            self.facts(folder, app, timeout_s=timeout_s)
        return caught.value

    def end(self) -> str | None:
        """End it; returns what it printed."""
        self._process.signal(signal.SIGKILL)
        self._process.wait()
        return self._process.last_words()

    def close(self) -> None:
        with suppress(ValueError):  # ended and heard already
            self.end()


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    """One for many: what it is asked, a child of it finds out."""
    with closing(Asker(*zygote_argv(sys.executable, "worker", "/no/such/file"))) as asker:
        yield asker


@pytest.fixture
def new_asker() -> Iterator[Callable[..., Asker]]:
    """Makes askers of the test's own, which may come to harm."""
    with ExitStack() as end:
        yield lambda *argv, **environ: end.enter_context(closing(Asker(*argv, **environ)))


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Writes a project: modules, or files where a name has a dot."""

    def write(files: Mapping[str, str] | None = None, **modules: str) -> Path:
        for name, source in {**(files or {}), **{f"{name}.py": source for name, source in modules.items()}}.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        return tmp_path

    return write


Write = Callable[..., Path]
NewAsker = Callable[..., Asker]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on; held, so that nobody else comes to listen on it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


# --- facts ---


def test_the_facts_about_an_app(asker: Asker, project: Write) -> None:
    facts = asker.facts(project(worker=APP + "@app.task\ndef add(x, y): return x + y\n"))

    assert facts == {
        "celery": celery.__version__,
        "broker": "memory://",
        "broker_error": OWN_MEMORY,
        "result_backend": None,
        "result_backend_error": None,
        "anothers": {},
        "beat": False,
        "tasks": ["worker.add"],
        "flower": True,
        "servers": ["uvicorn"],
        "pools": list(ALIASES),
        "forces_root": False,
        "python": sys.executable,
        "broker_missing": False,
        "result_backend_missing": False,
        "redis_lacks": None,
        "amqp_needs": [],
        "eager": None,
        "tls": [],
        "queues": ["celery"],
        "routed": [],
    }


def test_an_app_that_leaves_the_broker_to_celery(asker: Asker, project: Write) -> None:
    facts = asker.facts(project(worker="from celery import Celery\napp = Celery('x')"))

    assert facts["broker"] == "amqp://guest:guest@localhost:5672//"


def test_what_the_app_is_configured_with(asker: Asker, project: Write) -> None:
    more = """
app.conf.result_backend = "cache+memory://"
app.conf.beat_schedule = {"tick": {"task": "worker.tick", "schedule": 1.0}}
"""

    facts = asker.facts(project(worker=APP + more))

    assert (facts["result_backend"], facts["beat"]) == ("cache+memory://", True)
    assert facts["result_backend_error"] == OWN_MEMORY


def test_tasks_that_only_the_worker_would_import_count(asker: Asker, project: Write) -> None:
    jobs = "from celery import shared_task\n@shared_task\ndef run(): pass\n"
    files = {"jobs/tasks.py": jobs, "extra.py": jobs}
    app = "from celery import Celery\napp = Celery('x', broker='memory://', include=['extra'])\n"

    facts = asker.facts(project(files, worker=app + "app.autodiscover_tasks(['jobs'])"))

    assert facts["tasks"] == ["extra.run", "jobs.tasks.run"]


def test_an_app_in_a_package_and_one_made_by_a_factory(asker: Asker, project: Write) -> None:
    files = {
        "proj/__init__.py": "",
        "proj/celery.py": "from .factory import make\ncelery_app = make()",
        "proj/factory.py": "def make():\n    from celery import Celery\n    return Celery('x', broker='memory://')",
    }

    assert asker.facts(project(files), "proj.celery:celery_app")["broker"] == "memory://"


def test_the_broker_asked_for_reaches_the_app(asker: Asker, project: Write) -> None:
    app = "from celery import Celery\napp = Celery('x', broker='redis://no.such.host')"
    environ = {"CELERY_BROKER_URL": "sqla+sqlite://", "CELERY_RESULT_BACKEND": "cache+memory://"}

    facts = asker.facts(project(worker=app), environ=environ)

    assert (facts["broker"], facts["broker_error"]) == ("sqla+sqlite://", None)
    assert facts["result_backend"] == "cache+memory://"


def test_what_does_not_answer(asker: Asker, project: Write, closed_port: int) -> None:
    url = f"redis://127.0.0.1:{closed_port}"
    app = f"from celery import Celery\napp = Celery('x', broker='{url}/0', backend='{url}/1')"

    facts = asker.facts(project(worker=app))

    assert "refused" in (facts["broker_error"] or "")
    assert "refused" in (facts["result_backend_error"] or "")


def test_what_takes_connections_and_is_silent_does_not_answer(asker: Asker, project: Write) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"

        facts = asker.facts(project(worker=f"from celery import Celery\napp = Celery('x', broker='{url}')"))

    assert facts["broker_error"]


def test_a_broker_that_is_none_does_not_answer(asker: Asker, project: Write) -> None:
    for url in ("redis://localhost:port", "nonsense://x", "pigeon"):
        facts = asker.facts(project(worker=f"from celery import Celery\napp = Celery('x', broker='{url}')"))
        assert facts["broker_error"], url


def test_several_brokers_are_one_url(asker: Asker, project: Write) -> None:
    """Whoever shows it, or asks there, takes a string."""
    app = "from celery import Celery\napp = Celery('x', broker=['memory://a', 'memory://b'])"

    assert asker.facts(project(worker=app))["broker"] == "memory://a;memory://b"


def test_what_the_project_prints_at_its_import_is_not_shown(new_asker: NewAsker, project: Write) -> None:
    asker = new_asker(*zygote_argv(sys.executable, "worker", ""))
    loud = "import os, sys\nprint('hello')\nprint('error', file=sys.stderr)\nos.write(1, b'raw')\n"

    assert asker.facts(project(worker=loud + APP))["tasks"] == []
    assert asker.end() == ""


def test_each_question_is_asked_of_the_code_as_it_is_now(asker: Asker, project: Write) -> None:
    assert asker.facts(project(worker=APP))["tasks"] == []

    folder = project(worker=APP + "@app.task\ndef added_later(): pass\n")

    assert asker.facts(folder)["tasks"] == ["worker.added_later"]


# --- where there are none ---


def test_code_that_raises_at_its_import(asker: Asker, project: Write) -> None:
    folder = project(
        worker="from settings import app", settings="import json\ndef read():\n    json.loads('{')\nread()"
    )

    error = asker.error(folder)

    assert error.what.startswith("importing worker fails: JSONDecodeError: Expecting property name")
    assert error.exit_code == 1
    lines = error.excerpt.splitlines()
    frames = [line.split('"')[1] for line in lines if line.startswith("  File ")]
    assert frames == [str(folder / "worker.py"), str(folder / "settings.py"), str(folder / "settings.py")]
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("json.decoder.JSONDecodeError: ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('not today')", "SystemExit: not today"),
        ("raise AttributeError('no such setting')", "AttributeError: no such setting"),
        ("import os\nos.no_such_name", "AttributeError: module 'os' has no attribute 'no_such_name'"),
        ("from os import no_such_name", "ImportError: cannot import name 'no_such_name' from 'os'"),
        ("x = = 1", "SyntaxError: invalid syntax"),
        (APP + "app.conf.include = ['broken']", "ZeroDivisionError: division by zero"),
    ],
)
def test_whatever_it_raises_is_told_with_its_traceback(asker: Asker, project: Write, source: str, message: str) -> None:
    error = asker.error(project(worker=source, broken="1 / 0"))

    assert error.what.startswith(f"importing worker fails: {message}")
    assert "Traceback" in error.excerpt or "SyntaxError" in error.excerpt
    assert "devkit/agent" not in error.excerpt
    assert error.mend == ("correct the code at the traceback's last line",)


def test_a_syntax_error_shows_the_line_that_is_wrong(asker: Asker, project: Write) -> None:
    folder = project(worker="import settings", settings="x = 1\ny = = 2\n")

    assert f'File "{folder / "settings.py"}", line 2' in asker.error(folder).excerpt


@pytest.mark.parametrize(("app", "missing"), [("wroker:app", "wroker"), ("proj.worker:app", "proj")])
def test_no_module(asker: Asker, project: Write, app: str, missing: str) -> None:
    folder = project(worker=APP)

    error = asker.error(folder, app)

    assert isinstance(error, UsageError)
    assert error.what == f"there is no module {missing} to import {app} from"
    assert str(folder) in error.looked[0]


def test_no_attribute(asker: Asker, project: Write) -> None:
    error = asker.error(project(worker=APP), "worker:apps")

    assert isinstance(error, UsageError)
    assert error.what == "worker has no apps; did you mean 'app'?"


CELERY = "from celery import Celery\n"
NAMED = CELERY + "{} = Celery('x', broker='memory://')\n@{}.task(name='go')\ndef go(): ...\n"


@pytest.mark.parametrize(
    ("files", "app"),
    [
        ({"jobs.py": NAMED.format("app", "app")}, "jobs"),
        ({"jobs.py": NAMED.format("celery", "celery")}, "jobs"),
        ({"jobs.py": CELERY + NAMED.format("queue", "queue")}, "jobs"),
        ({"jobs.py": "import json as app\n" + NAMED.format("queue", "queue")}, "jobs"),
        ({"pkg/__init__.py": "", "pkg/celery.py": NAMED.format("queue", "queue")}, "pkg"),
        ({"pkg/__init__.py": "from . import celery", "pkg/celery.py": NAMED.format("app", "app")}, "pkg"),
        (
            {"jobs.py": "class Kept: ...\nkept = Kept()\n" + NAMED.format("kept.app", "kept.app")},
            "jobs:kept.app",
        ),
        (
            {
                "jobs.py": CELERY + "def print_it(): ...\n\ndef make():\n    made = Celery('x', broker='memory://')\n"
                "    made.task(name='go')(print_it)\n    return made\n"
            },
            "jobs:make()",
        ),
    ],
)
def test_an_app_as_celery_finds_it_in_a_module_one_that_hangs_on_another_object_and_one_that_a_function_makes(
    asker: Asker, tmp_path: Path, files: dict[str, str], app: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert asker.facts(tmp_path, app)["tasks"] == ["go"]


def test_a_module_without_any_app(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("x = 1")

    error = asker.error(tmp_path, "jobs")

    assert error.what == "there is no Celery app in jobs"
    assert error.mend == ("name it: -A MODULE:ATTR",)


@pytest.mark.parametrize(
    ("source", "kind"), [("app = 1", "int"), ("def app(): pass", "function"), ("app = None", "NoneType")]
)
def test_not_a_celery_app(asker: Asker, project: Write, source: str, kind: str) -> None:
    error = asker.error(project(worker=source))

    assert isinstance(error, UsageError)
    assert error.what == f"worker:app is not a Celery app but of type {kind}"


def test_an_interpreter_without_celery(new_asker: NewAsker, project: Write, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")

    error = new_asker(*zygote_argv(python, "worker", "/no/such/file")).error(project(worker=APP))

    assert isinstance(error, UsageError)
    assert error.what == f"{python} has no Celery: No module named 'celery'"
    assert error.mend[0] == f"uv pip install --python {python} celery"  # it has no pip either


def test_another_devkit_on_the_projects_path_is_not_this_one(new_asker: NewAsker, project: Write) -> None:
    """It may be of another version, or not this program at all."""
    folder = project({"devkit/__init__.py": "", "devkit/agent/__init__.py": "1 / 0"}, worker=APP)

    asker = new_asker(*zygote_argv(sys.executable, "worker", ""), PYTHONPATH=str(folder))

    assert asker.facts(folder)["tasks"] == []


def test_code_that_does_not_come_to_an_end(new_asker: NewAsker, project: Write) -> None:
    asker = new_asker(*zygote_argv(sys.executable, "worker", ""))

    error = asker.error(project(worker="import time\ntime.sleep(600)"), timeout_s=0.3)

    assert error.what == "importing worker does not come to an end (waited 0.3 s)"
    assert "--timeout" in error.mend[1]


def test_code_that_ends_its_process_is_not_called_slow(new_asker: NewAsker, project: Write) -> None:
    """A crash in a C extension looks the same."""
    asker = new_asker(*zygote_argv(sys.executable, "worker", ""))

    error = asker.error(project(worker="import os\nos._exit(3)"))

    assert error.what.startswith("importing worker ")
    assert "does not come to an end" not in error.what


def test_a_program_that_is_no_python_is_not_called_slow(new_asker: NewAsker, project: Write, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho 'no such version'\nexit 1")
    (tmp_path / "python").chmod(0o755)

    error = new_asker(*zygote_argv(f"{tmp_path}/python", "worker", "")).error(project(worker=APP))

    assert "does not come to an end" not in error.what
    assert error.excerpt.strip() == "no such version"
