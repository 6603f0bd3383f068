"""Real zygotes, real generations: what they tell, and how they end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
import redis

from devkit.errors import DevkitError
from devkit.model.wire import AppFacts, AppPlace, Note, WorkerOrder
from devkit.reload.messages import AllGone, Inbox, Message, Told, ZygoteEnded
from devkit.reload.zygote import ZygoteProcess
from devkit.services.commands import zygote_argv
from tests.unit.waiting import wait_for

DEADLINE_S = 20.0  # generous: only what is broken ever waits that long
SHOP = """
import os
from celery import Celery
app = Celery("shop", broker=os.environ.get("BROKER", "memory://"))
@app.task(name="shop.mail")
def mail(): pass
"""
SOLO = ["-A", "shop:app", "worker", "-P", "solo", "-l", "WARNING", "--without-mingle", "--without-gossip"]
REDIS = shutil.which("redis-server")
# Without a real broker, celery's worker takes some seconds to end.
needs_redis = pytest.mark.skipif(REDIS is None, reason="needs redis-server")


class Started:
    """A zygote in a project's folder, and all that it told."""

    def __init__(self, folder: Path, *, learned: str = "", **env: str) -> None:
        self.folder = folder
        self.learned = Path(learned)
        self.inbox: Inbox = SimpleQueue()
        self.heard: list[Message] = []
        self._forks: dict[int, int] = {}  # generations that run, and their pids
        environ = {**os.environ, "PYTHONUNBUFFERED": "1", **env}
        argv = zygote_argv(sys.executable, "worker", learned)
        self.zygote = ZygoteProcess(argv, cwd=folder, env=environ, keep=(), inbox=self.inbox)
        self.order = self.zygote.order

    def wait(self, wanted: Callable[[Message], bool]) -> Message:
        """Wait for a message, which may have arrived before."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := next(filter(wanted, self.heard), None)):
            with suppress(Empty):
                self._hear(self.inbox.get(timeout=max(0.01, deadline - time.monotonic())))
            assert time.monotonic() < deadline, f"not told within {DEADLINE_S:g} s; told: {self.heard}"
        return found

    def _hear(self, message: Message) -> None:
        self.heard.append(message)
        match message:
            case Told(_, {"generation": number, "pid": pid}):
                self._forks[number] = pid
            case Told(_, {"exited": number}):
                self._forks.pop(number, None)

    def told(self, key: str, **values: Any) -> Note:
        """Wait until something is told that has this key and these values."""

        def fits(message: Message) -> bool:
            return isinstance(message, Told) and key in message.message and message.message.items() >= values.items()

        found = self.wait(fits)
        assert isinstance(found, Told)
        assert found.zygote == self.zygote.pid
        return found.message

    def knows(self, key: str) -> bool:
        """Whether something like that has been told by now."""
        return any(isinstance(message, Told) and key in message.message for message in self.heard)

    def ended(self) -> int:
        """Wait until the zygote has ended; returns its exit code."""
        found = self.wait(lambda message: isinstance(message, ZygoteEnded))
        assert isinstance(found, ZygoteEnded)
        return found.code

    def all_gone(self) -> None:
        self.wait(lambda message: isinstance(message, AllGone))

    def describe(self, **env: str) -> AppFacts:
        self.order(describe=self._app(env))
        return self.told("facts")["facts"]

    def trouble(self) -> Note:
        """What is wrong with the app."""
        self.order(describe=self._app({}))
        return self.told("problem")

    def _app(self, env: dict[str, str]) -> AppPlace:
        return {"module": "shop", "attribute": "app", "cwd": str(self.folder), "env": env}

    def start(self, number: int, *, become: bool = False, argv: list[str] | None = None) -> None:
        worker: WorkerOrder = {
            **self._app({}),
            "kind": "worker",
            "argv": [*(argv or SOLO), "-n", f"celery.{number}@%h"],
            "debug": str(self.folder / "debug"),
            "root": str(self.folder),
            "consume": None,
            "failures": {"folder": str(self.folder / "failures"), "limits": [10, 1.0, 1.0]},
        }
        self.order(start=number, become=become, program=worker)

    def live(self, number: int, **more: Any) -> int:
        """Start a generation and wait until it is live; returns its pid."""
        self.start(number, **more)
        pid: int = self.told("pid", generation=number)["pid"]
        self.told("live", generation=number)
        return pid

    def close(self) -> None:
        """End all of it, whatever it does."""
        self.zygote.close()
        self.zygote.kill()
        self.ended()
        while not any(isinstance(message, AllGone) for message in self.heard):
            for pid in self._forks.values():
                self.zygote.kill_generation(pid)
            with suppress(Empty):
                self._hear(self.inbox.get(timeout=0.1))


Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts zygotes in the folder of the project "shop"."""
    (tmp_path / "shop.py").write_text(SHOP)
    with ExitStack() as end:

        def start(**how: Any) -> Started:
            started = Started(tmp_path, **how)
            end.callback(started.close)
            return started

        yield start


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis that is nobody else's."""
    assert REDIS
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    argv = [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: _answers(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- the zygote ---


def test_it_tells_where_packages_are_installed(start: Start) -> None:
    import celery

    assert str(Path(celery.__file__).parents[1]) in start().told("installed")["installed"]


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DevkitError, match=r"^cannot run /no/python: /no/python: No such file or directory$"):
        ZygoteProcess(("/no/python", "x"), cwd=tmp_path, env={}, keep=(), inbox=SimpleQueue())


def test_without_orders_it_ends(start: Start) -> None:
    started = start()
    started.zygote.close()

    assert started.ended() == 0
    started.all_gone()


def test_orders_to_one_that_has_ended_are_lost_without_an_error(start: Start) -> None:
    started = start()
    started.zygote.kill()

    assert started.ended() == -signal.SIGKILL
    started.order(learn=True)


# --- what it tells of the app ---


def test_the_facts_about_the_app(start: Start) -> None:
    facts = start().describe()

    assert facts["tasks"] == ["shop.mail"]
    assert facts["broker"].startswith("memory://")
    assert "memory" in str(facts["broker_error"])


def test_the_facts_are_those_in_the_environment_of_the_order(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP.replace('"shop.mail"', 'os.environ["NAME"]'))

    assert start().describe(NAME="named")["tasks"] == ["named"]


def test_an_app_that_cannot_be_imported_is_told_with_its_own_frames(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def deep(): return 1 / 0\ndeep()")
    trouble = start().trouble()

    assert (trouble["problem"], trouble["message"]) == ("raises", "ZeroDivisionError: division by zero")
    assert trouble["traceback"].count("File ") == trouble["traceback"].count("shop.py") == 2


def test_an_app_that_ends_the_process_on_import(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import os; os._exit(3)")

    assert start().trouble() == {"problem": "died", "code": 3}


def test_the_projects_code_is_imported_anew_each_time(start: Start, tmp_path: Path) -> None:
    started = start()
    started.describe()
    (tmp_path / "shop.py").write_text(SHOP.replace("shop.mail", "shop.post"))
    started.heard.clear()

    assert started.describe()["tasks"] == ["shop.post"]


# --- a generation ---


@needs_redis
def test_a_generation_tells_its_pid_and_when_it_is_live_and_ends_when_told_to(broker: str, start: Start) -> None:
    started = start(BROKER=broker)
    pid = started.live(1)
    assert runs(pid)
    assert os.getpgid(pid) == pid
    started.order(tell=1, order="stop")

    assert started.told("draining", generation=1) == {"generation": 1, "draining": 0, "tasks": [], "given_back": 0}
    started.told("done", generation=1)
    assert started.told("exited", exited=1)["code"] == 0
    assert not runs(pid)


@needs_redis
def test_a_drained_generation_goes_on_when_it_is_to_resume(broker: str, start: Start) -> None:
    started = start(BROKER=broker)
    pid = started.live(1)
    started.order(tell=1, order="drain")
    started.told("draining", generation=1)
    started.order(tell=1, order="resume")
    started.heard.clear()
    started.order(tell=1, order="drain")

    started.told("draining", generation=1)
    assert runs(pid)


def test_an_edit_of_the_same_size_in_the_same_second_is_run(start: Start, tmp_path: Path) -> None:
    words = "import os; open(os.environ['SAID'], 'a').write('{}')\n"
    (tmp_path / "words.py").write_text(words.format(1))
    (tmp_path / "shop.py").write_text(f"import words\n{SHOP}")
    before = (tmp_path / "words.py").stat()
    started = start(SAID=str(tmp_path / "said"))
    started.live(1)
    (tmp_path / "words.py").write_text(words.format(2))
    os.utime(tmp_path / "words.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    started.live(2)

    assert (tmp_path / "said").read_text() == "12"


def test_a_new_module_is_found(start: Start, tmp_path: Path) -> None:
    started = start()
    started.live(1)
    (tmp_path / "extra.py").write_text("")
    (tmp_path / "shop.py").write_text(f"import extra\n{SHOP}")

    started.live(2)


def test_code_that_cannot_be_imported_is_told_and_does_no_harm(start: Start, tmp_path: Path) -> None:
    started = start()
    started.live(1)
    (tmp_path / "shop.py").write_text("def deep(): return 1 / 0\ndeep()")
    started.start(2)
    told = started.told("failed", generation=2)

    problem = {"problem": "raises", "message": "ZeroDivisionError: division by zero"}
    assert told["failed"].items() >= {**problem, "file": str(tmp_path / "shop.py"), "line": 1}.items()
    assert told["text"].count("File ") == told["text"].count("shop.py") == 2
    assert started.told("exited", exited=2)["code"] == 1
    (tmp_path / "shop.py").write_text(SHOP)
    started.live(3)


def test_one_that_ends_before_it_is_live_is_told(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import os; os._exit(7)")
    started = start()
    started.start(1)

    assert started.told("exited", exited=1)["code"] == 7
    assert not started.knows("live")


def test_one_that_was_told_to_stop_at_once_is_never_live(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"import time; time.sleep(0.2)\n{SHOP}")
    started = start()
    started.start(1)
    started.order(tell=1, order="stop")

    assert started.told("exited", exited=1)["code"] == 0
    assert not started.knows("live")


def test_one_that_is_killed_is_told_and_its_pool_with_it(start: Start, tmp_path: Path) -> None:
    started = start()
    pid = started.live(1, argv=["-A", "shop:app", "worker", "-P", "prefork", "-c", "2", "-l", "WARNING"])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    started.zygote.kill_generation(pid)

    assert started.told("exited", exited=1)["code"] == -signal.SIGKILL
    assert len(children) >= 2
    wait_for(lambda: not any(runs(int(child)) for child in children))


def test_orders_to_a_generation_that_has_ended_are_nobodys(start: Start) -> None:
    started = start()
    started.order(tell=7, order="stop")
    started.live(1)


def test_code_outside_the_project_is_told_to_be_watched(start: Start, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "pkg").mkdir(parents=True)
    (elsewhere / "pkg" / "__init__.py").write_text("")
    (elsewhere / "single.py").write_text("")
    project = tmp_path / "project"
    project.mkdir()
    (project / "own.py").write_text("")
    (project / "shop.py").write_text(f"import pkg, single, own\n{SHOP}")
    started = start(PYTHONPATH=str(elsewhere))
    started.folder = project
    started.live(1)

    assert started.told("live")["sources"] == [str(elsewhere / "pkg"), str(elsewhere / "single.py")]


def test_nothing_reads_the_generations_input(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"import sys; assert sys.stdin.read() == ''\n{SHOP}")
    started = start()

    started.live(1)


# --- ends ---


@needs_redis
def test_without_orders_its_generations_end_first(broker: str, start: Start) -> None:
    started = start(BROKER=broker)
    pids = [started.live(number) for number in (1, 2)]
    started.zygote.close()

    assert started.ended() == 0
    started.all_gone()
    assert [started.told("exited", exited=number)["code"] for number in (1, 2)] == [0, 0]
    assert not any(map(runs, pids))


@needs_redis
def test_generations_of_a_zygote_that_was_killed_end_by_themselves(broker: str, start: Start) -> None:
    started = start(BROKER=broker)
    pids = [started.live(number) for number in (1, 2)]
    started.zygote.kill()

    assert started.ended() == -signal.SIGKILL
    started.all_gone()
    wait_for(lambda: not any(map(runs, pids)))


@needs_redis
def test_a_zygote_becomes_a_generation_where_there_is_to_be_no_fork(broker: str, start: Start) -> None:
    started = start(BROKER=broker)
    assert started.live(1, become=True) == started.zygote.pid
    started.order(order="stop")

    assert started.ended() == 0
    started.all_gone()
    assert started.knows("done")


# --- what is imported ahead ---


def test_what_a_generation_imported_is_learned_for_the_next_zygote(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"import wave, colorsys\nfrom xml.dom import minidom\n{SHOP}")
    learned = tmp_path / "worker.json"
    started = start(learned=str(learned))
    started.live(1)
    wait_for(learned.exists)
    kept = json.loads(learned.read_text())

    assert {"wave", "colorsys", "xml.dom.minidom", "celery.apps.worker"} <= {*kept["modules"]}
    assert {"shop", "__main__"} & {*kept["modules"]} == set()
    assert kept["left_out"] == {}


def test_what_was_learned_is_there_before_the_projects_code_is(start: Start, tmp_path: Path) -> None:
    said = "open(__import__('os').environ['SAID'], 'w').write(str('wave' in __import__('sys').modules))"
    (tmp_path / "shop.py").write_text(f"{said}\n{SHOP}")
    (tmp_path / "worker.json").write_text(json.dumps({"modules": ["wave"], "left_out": {}}))
    started = start(learned=str(tmp_path / "worker.json"), SAID=str(tmp_path / "said"))
    started.live(1)

    assert (tmp_path / "said").read_text() == "True"


def test_a_module_that_makes_it_unfit_is_told_and_no_generation_is_forked(start: Start, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.py").write_text("")
    learned = tmp_path / "worker.json"
    learned.write_text(json.dumps({"modules": ["mine", "wave"], "left_out": {}}))
    first = start(learned=str(learned), PYTHONPATH=str(tmp_path / "elsewhere"))
    first.start(1)

    told = first.told("unfit")
    assert told == {"unfit": "mine", "why": "it imports mine"}
    first.zygote.close()
    assert first.ended() == 0
    first.all_gone()
    assert not first.knows("pid")
    second = start(learned=str(learned), PYTHONPATH=str(tmp_path / "elsewhere"))
    second.live(1)
    assert not second.knows("unfit")


def test_an_interpreter_with_threads_is_told_and_no_generation_is_forked(start: Start, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    )
    started = start(PYTHONPATH=str(tmp_path / "site"))
    started.start(1)

    assert started.told("unforkable") == {"unforkable": 1, "why": "2 threads run before any code of the project does"}
    assert not started.knows("pid")


# --- handing over, with a broker ---

LISTS = """
import os, time
from celery import Celery
app = Celery("shop", broker=os.environ["BROKER"])
app.conf.worker_prefetch_multiplier = 4
@app.task(name="shop.note", acks_late={late})
def note(text, wait_for=""):
    with open(os.environ["SAID"], "a") as said:
        said.write(text + " ")
    while wait_for and not os.path.exists(wait_for):
        time.sleep(0.01)
"""
POOLS = {"prefork": ["-c", "1", "-P", "prefork"], "threads": ["-c", "1", "-P", "threads"], "solo": ["-P", "solo"]}


class Queue:
    """Tasks that write down what they are, and wait if they are to."""

    def __init__(self, start: Start, folder: Path, broker: str, pool: str, *, late: bool = False) -> None:
        from celery import Celery

        (folder / "shop.py").write_text(LISTS.format(late=late))
        self._app = Celery("sender", broker=broker)
        self._said = folder / "said"
        self._said.write_text("")
        self.gate = folder / "gate"
        self.argv = ["-A", "shop:app", "worker", *POOLS[pool], "-l", "WARNING", "--without-mingle", "--without-gossip"]
        self.started = start(BROKER=broker, SAID=str(self._said))

    def send(self, text: str, **options: Any) -> None:
        waits = options.pop("wait_for", "")
        self._app.send_task("shop.note", [text], {"wait_for": str(waits)}, **options)

    def close(self) -> None:
        self._app.close()

    @property
    def taken(self) -> int:
        """How many tasks the only worker has, wherever in it."""
        ask = self._app.control.inspect(limit=1)
        answers = [ask.active(), ask.reserved(), ask.scheduled()]
        tasks = [task for answer in answers for found in (answer or {}).values() for task in found]
        return len({task.get("request", task)["id"] for task in tasks})

    @property
    def said(self) -> list[str]:
        return self._said.read_text().split()


@needs_redis
@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("late", [False, True])
def test_what_waits_is_given_back_at_once_and_what_runs_ends(
    broker: str, start: Start, tmp_path: Path, pool: str, late: bool
) -> None:
    queue = Queue(start, tmp_path, broker, pool, late=late)
    started = queue.started
    started.live(1, argv=queue.argv)
    queue.send("long", wait_for=queue.gate)
    wait_for(lambda: queue.said == ["long"])
    queue.send("soon", countdown=600)
    for text in "abc":
        queue.send(text)
    started.start(2, argv=queue.argv)
    started.told("live", generation=2)
    started.order(tell=1, order="drain")
    drained = started.told("draining", generation=1)
    started.order(tell=1, order="stop")
    wait_for(lambda: {*queue.said} == {"long", "a", "b", "c"})

    assert drained["draining"] == 1
    assert [task.partition("[")[0] for task in drained["tasks"]] == ["shop.note"]
    assert not started.knows("done")
    queue.gate.touch()
    started.told("done", generation=1)
    assert started.told("exited", exited=1)["code"] == 0
    assert sorted(queue.said) == ["a", "b", "c", "long"]
    queue.close()


@needs_redis
def test_what_does_not_end_is_abandoned_by_name(broker: str, start: Start, tmp_path: Path) -> None:
    queue = Queue(start, tmp_path, broker, "prefork")
    started = queue.started
    started.live(1, argv=queue.argv)
    queue.send("long", wait_for=queue.gate)
    wait_for(lambda: queue.said == ["long"])
    started.order(tell=1, order="stop")
    started.told("draining", generation=1, draining=1)
    started.order(tell=1, order="abandon")

    (name,) = started.told("abandoned", generation=1)["abandoned"]
    assert name.startswith("shop.note[")
    assert started.told("exited", exited=1)["code"] == -signal.SIGKILL
    queue.close()


@needs_redis
@pytest.mark.parametrize("pool", sorted(POOLS))
def test_a_generation_that_resumes_consumes_again(broker: str, start: Start, tmp_path: Path, pool: str) -> None:
    queue = Queue(start, tmp_path, broker, pool)
    started = queue.started
    started.live(1, argv=queue.argv)
    started.order(tell=1, order="drain")
    started.told("draining", generation=1)
    queue.send("a")
    started.order(tell=1, order="resume")

    wait_for(lambda: queue.said == ["a"])
    queue.close()


@needs_redis
def test_an_orphan_finishes_what_it_runs(broker: str, start: Start, tmp_path: Path) -> None:
    queue = Queue(start, tmp_path, broker, "prefork")
    started = queue.started
    pid = started.live(1, argv=queue.argv)
    queue.send("long", wait_for=queue.gate)
    wait_for(lambda: queue.said == ["long"])
    started.zygote.kill()
    started.told("draining", generation=1, draining=1)
    assert runs(pid)
    queue.gate.touch()

    started.all_gone()
    wait_for(lambda: not runs(pid))
    queue.close()


# --- what does not work ---


@needs_redis
def test_a_generation_that_resumed_still_gives_back_what_waits(broker: str, start: Start, tmp_path: Path) -> None:
    queue = Queue(start, tmp_path, broker, "prefork")
    started = queue.started
    started.live(1, argv=queue.argv)
    queue.send("long", wait_for=queue.gate)
    queue.send("a")
    wait_for(lambda: queue.taken == 2)
    started.order(tell=1, order="drain")
    assert started.told("draining")["given_back"] == 1
    started.order(tell=1, order="resume")
    wait_for(lambda: queue.taken == 2)
    started.heard.clear()
    started.order(tell=1, order="drain")

    assert started.told("draining")["draining"] == 1
    queue.close()


@needs_redis
def test_a_generation_that_resumed_tells_what_it_gives_back_this_time(
    broker: str, start: Start, tmp_path: Path
) -> None:
    queue = Queue(start, tmp_path, broker, "prefork")
    started = queue.started
    started.live(1, argv=queue.argv)
    queue.send("soon", countdown=600)
    wait_for(lambda: queue.taken == 1)
    started.order(tell=1, order="drain")
    assert started.told("draining")["given_back"] == 1
    started.order(tell=1, order="resume")
    wait_for(lambda: queue.taken == 1)
    started.heard.clear()
    started.order(tell=1, order="drain")

    assert started.told("draining")["given_back"] == 1
    queue.close()


def test_brokers_that_celery_polls_have_their_tasks_run(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their workers have no event loop."""
    from celery import Celery

    said, folder = tmp_path / "said", tmp_path / "broker"
    folder.mkdir()
    options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder)}
    code = f"def say(): open({str(said)!r}, 'w').close()"
    task = f"app.conf.broker_transport_options = {options!r}\n@app.task(name='shop.say')\n{code}\n"
    (tmp_path / "shop.py").write_text(SHOP + task)
    started = start(BROKER="filesystem://")
    started.live(1)
    with Celery("sender", broker="filesystem://") as app:
        app.conf.broker_transport_options = options
        app.send_task("shop.say")
    monkeypatch.setattr("tests.unit.waiting.DEADLINE_S", 5.0)  # celery looks every second

    wait_for(said.exists)


@needs_redis
def test_a_generation_whose_broker_is_gone_ends_when_told_to(
    broker: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start(BROKER=broker)
    started.live(1)
    with redis.Redis.from_url(broker) as client:
        client.shutdown(nosave=True)
    monkeypatch.setattr("tests.unit.agent.fork.test_zygote.DEADLINE_S", 8.0)  # plain celery ends within two
    started.order(tell=1, order="stop")

    started.told("exited", exited=1)
