"""`devkit debug` on this machine, and tasks that pause in containers: devkit's workers there, and Celery's own."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult

from tests.acceptance.containers import REDIS, ComposeProject, Images, worker
from tests.acceptance.debugging import LINE, PLAIN, PROGRAM, Debugging, debugging
from tests.acceptance.dialogues import CTRL_C, CTRL_D, TAB, Terminal, piped, plain_worker
from tests.acceptance.harness import DEADLINE_S, Json, Project, free_port, running_redis, wait_until

FILES = {"tasks.py": PROGRAM + PLAIN.partition("app.conf.task_track_started = True\n")[2]}
TOTAL = FILES["tasks.py"].splitlines().index("        total += n") + 1
AFTER = LINE["result = x / y"]
NOWHERE = "unix:///nowhere/docker.sock"
PROMPT = r"\(Pdb\)"


class Stack:
    """A project whose stack runs in containers, and a client that sends tasks to it."""

    def __init__(self, project: ComposeProject) -> None:
        self.project = project
        url = project.redis
        self._client = Celery("client", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False)
        self._sent: list[AsyncResult[Any]] = []

    def send(self, task: str, *args: object, **options: Any) -> "AsyncResult[Any]":
        result: AsyncResult[Any] = self._client.send_task(task, args, **options)
        self._sent.append(result)
        return result

    def listed(self, *arguments: str) -> list[Json]:
        found: list[Json] = self.project.devkit("debug", "--list", "--json", *arguments).expect(0).json()
        return found

    def paused(self, *results: "AsyncResult[Any]") -> list[Json]:
        """Wait until devkit lists these tasks; returns them in their order here."""

        def found() -> list[Json] | None:
            by_id = {one["id"]: one for one in self.listed()}
            return [by_id[one.id] for one in results] if {one.id for one in results} <= by_id.keys() else None

        return wait_until(found, why=lambda: f"{results} of {self.listed()}")

    def leftovers(self) -> list[str]:
        """What runs in the containers beside their own programs: devkit's helpers have to end with it."""
        ours = ("-c", "python")
        found = []
        for container in self.project.containers():
            lines = self.project.run("docker", "top", container, "-o", "args").out.splitlines()[1:]
            found += [line for line in lines if all(word in line for word in ours) and "worker" not in line]
        return found

    def close(self) -> None:
        for result in self._sent:
            result.backend = None  # it would ask a Redis that is gone, whenever it is collected
        self._client.close()


@pytest.fixture(scope="module")
def three(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three of devkit's workers, the project mounted in each."""
    services = {"redis": REDIS, "worker": worker(images.devkit, "devkit", "worker", "-A", "tasks", "-c", "1")}
    with closing(ComposeProject(tmp_path_factory.mktemp("stack"), FILES, services)) as project:
        project.compose_up("--scale", "worker=3")
        project.wait_for_line("worker", " is live", times=3)
        with closing(Stack(project)) as three:
            yield three


@pytest.fixture
def stack(three: Stack) -> Iterator[Stack]:
    """The same; what a test that fails leaves paused goes on."""
    yield three
    for started in three.project.started():
        started.close()
    for path in (three.project.root / ".devkit" / "debug" / "sessions").glob("*.json"):
        piped(three.project, path.stem, "--timeout", "1", "-e", "q")


@pytest.fixture(scope="module")
def several(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Workers that devkit's folder on this machine knows nothing of, each with a queue of its own."""

    def celery(image: str, queue: str) -> Json:
        return worker(image, "celery", "-A", "tasks", "worker", "-l", "info", "-c", "1", "-Q", queue)

    code = {"type": "bind", "source": "./tasks.py", "target": "/app/tasks.py", "read_only": True}
    apart = worker(images.devkit, "devkit", "worker", "-A", "tasks", "-c", "1", "-Q", "apart")
    services = {
        "redis": REDIS,
        "plain": celery(images.plain, "plain"),
        "bare": celery(images.no_shell, "bare"),
        "apart": {**apart, "volumes": [code]},
    }
    with closing(ComposeProject(tmp_path_factory.mktemp("mixed"), FILES, services)) as project:
        project.compose_up()
        for service in ("plain", "bare", "apart"):
            project.wait_for_line(service, " ready.")
        with closing(Stack(project)) as several:
            yield several


@pytest.fixture
def mixed(several: Stack) -> Iterator[Stack]:
    """The same; nobody of an earlier test is attached any more."""
    yield several
    for started in several.project.started():
        started.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Project]:
    """A project that has nothing to do with any of the containers."""
    with closing(Project(tmp_path, {})) as project:
        yield project


def pauses(stack: Stack, service: str, task: str = "tasks.divide", *args: object) -> "AsyncResult[Any]":
    """Send a task to that service's queue, and wait until it waits for a client."""
    text = "Waiting for client" if service in {"plain", "bare"} else "is paused at"
    before = stack.project.logs(service).count(text)
    result = stack.send(task, *(args or (10, 4)), queue=service)
    stack.project.wait_for_line(service, text, before + 1)
    return result


# devkit's workers, their folder shared


def test_the_list_says_in_which_container_and_the_one_that_is_meant_is_attached(stack: Stack) -> None:
    results = [stack.send("tasks.divide", n, 1) for n in (1, 2, 3)]
    project = stack.project

    listed = stack.paused(*results)

    assert {one["container"] for one in listed} == set(project.containers("worker"))
    assert {(one["file"], one["line"]) for one in listed} == {(str(project.root / "tasks.py"), AFTER)}
    table = project.devkit("debug", "--list").expect(0).out.splitlines()
    for one, result in zip(listed, results, strict=True):
        (row,) = [row for row in table if row.lstrip().startswith(result.id[:8])]
        assert one["container"] in row
        assert f" tasks.py:{AFTER} in divide" in row
    for n in (3, 1, 2):
        done = piped(project, results[n - 1].id[:8], "-e", "p x * 100", "-e", "c").expect(0)
        assert f"\n{n}00\n" in done.out
        assert results[n - 1].get(timeout=DEADLINE_S) == n
    assert stack.listed() == []


def test_a_dialogue_on_a_terminal(stack: Stack) -> None:
    """The task is the one paused of three workers."""
    waiting = Terminal(stack.project, "debug", "divide")
    waiting.expect("no divide is paused; waiting for one")
    result = stack.send("tasks.divide", 10, 4)

    waiting.expect(rf"> tasks\.py:{AFTER} in divide\n.*-> *{AFTER} +result = x / y.*{PROMPT}")
    waiting.type("n")
    waiting.expect(rf"> tasks\.py:{AFTER + 1} in divide.*{PROMPT}")
    waiting.keys("resu" + TAB)
    waiting.expect("lt")
    waiting.type(" + 1")
    waiting.expect(rf"3\.5\n.*{PROMPT}")
    waiting.type("print('be' + 'gun') or sum(1 for _ in iter(int, 1))")
    waiting.expect("begun")
    waiting.keys(CTRL_C)
    waiting.expect(rf"KeyboardInterrupt.*{PROMPT}")
    waiting.type("c")
    waiting.expect(r"divided 2\.5\n.*tasks\.divide SUCCESS: 2\.5")

    assert waiting.end() == 0
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_it_is_sent_and_stepped_through(stack: Stack) -> None:
    done = piped(
        stack.project, "tasks.fails", "--run", "--args", "[3]", "-e", "s", "-e", "n", "-e", "p y", "-e", "y = 2",
        "-e", "n", "-e", "c",
    ).expect(0)  # fmt: skip

    assert "\n3\n" in done.out
    assert stack.project.devkit("debug", "--breakpoints").err == "no breakpoint is set\n"


def test_detached_and_attached_again(stack: Stack) -> None:
    result = stack.send("tasks.twice", 1)
    (session,) = stack.paused(result)
    shell = Terminal(stack.project, "debug")
    shell.expect(PROMPT)
    shell.type("x = 10")
    shell.expect(rf"x = 10\n.*{PROMPT}")
    shell.keys(CTRL_D)
    assert shell.end() == 0

    (again,) = stack.paused(result)
    assert again["container"] == session["container"]
    done = piped(stack.project, result.id[:8], "-e", "p x", "-e", "c", "-e", "p x", "-e", "c").expect(0)
    assert [line for line in done.out.splitlines() if line.isdigit()] == ["10", "11"]
    assert result.get(timeout=DEADLINE_S) == 12
    wait_until(lambda: not stack.leftovers(), why=stack.leftovers)


def test_a_client_that_is_killed_leaves_the_task_paused_and_nothing_behind(stack: Stack) -> None:
    result = stack.send("tasks.divide", 10, 4)
    stack.paused(result)
    shell = Terminal(stack.project, "debug")
    shell.expect(PROMPT)

    shell.signal(signal.SIGKILL)

    shell.end()
    wait_until(lambda: not stack.leftovers(), why=stack.leftovers)
    done = piped(stack.project, result.id[:8], "-e", "p x", "-e", "c").expect(0)
    assert "\n10\n" in done.out
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_a_breakpoint_of_this_machine_pauses_in_a_container(stack: Stack) -> None:
    project = stack.project
    place = f"tasks.py:{TOTAL}"
    project.devkit("debug", "--break", place, "--if", "n == 5", "--no-wait").expect(0)
    result = stack.send("tasks.counts", 8)

    done = piped(project, "counts", "-e", "p n", "-e", "c").expect(0)

    assert done.out.endswith("\n5\n")
    assert result.get(timeout=DEADLINE_S) == 28
    assert project.devkit("debug", "--break", place, "--clear").expect(0).out == "1 breakpoint removed\n"


def test_containers_that_are_killed(stack: Stack) -> None:
    """One in mid-session, and one while nobody is attached."""
    results = [stack.send("tasks.divide", n, 1) for n in (1, 2)]
    project = stack.project
    first, second = stack.paused(*results)
    shell = Terminal(project, "debug", results[0].id[:8])
    shell.expect(PROMPT)
    try:
        project.run("docker", "kill", first["container"], second["container"]).expect(0)

        shell.expect("the connection was lost")
        shell.expect(first["container"])
        assert shell.end() == 1
        assert "Traceback" not in shell.text
        assert stack.listed() == []
        assert list((project.root / ".devkit" / "debug" / "sessions").glob("*.json")) == []
    finally:
        live = project.logs("worker").count(" is live")
        project.compose_up("--scale", "worker=3")
        project.wait_for_line("worker", " is live", live + 2)


def test_only_in_one_container(stack: Stack, elsewhere: Project) -> None:
    results = [stack.send("tasks.divide", n, 1) for n in (1, 2)]
    first, second = stack.paused(*results)

    assert [one["id"] for one in stack.listed("--container", second["container"])] == [second["id"]]
    from_elsewhere = elsewhere.devkit("debug", "-l", "--json", "--container", first["container"]).expect(0).json()
    assert [one["id"] for one in from_elsewhere] == [first["id"]]
    done = piped(elsewhere, "--container", second["container"], "-e", "p x", "-e", "c").expect(0)
    assert "\n2\n" in done.out
    piped(stack.project, "--container", first["container"], "-e", "c").expect(0)
    assert [result.get(timeout=DEADLINE_S) for result in results] == [1, 2]


def test_the_wait_in_a_container_ends(stack: Stack) -> None:
    name = stack.project.containers("worker")[0]
    waited = stack.project.devkit("debug", "--container", name, "--timeout", "0.2").expect(1)
    assert "nothing paused within 0.2 s" in waited.err
    assert name in waited.err

    shell = Terminal(stack.project, "debug", "--container", name)
    shell.expect("waiting for one")
    shell.keys(CTRL_C)
    assert shell.end() == 130
    wait_until(lambda: not stack.leftovers(), why=stack.leftovers)


# Workers that know nothing of devkit, and one whose folder is not shared


def test_a_plain_worker_of_the_project(mixed: Stack) -> None:
    result = pauses(mixed, "plain")
    container = mixed.project.container("plain")
    (one,) = wait_until(mixed.listed)
    assert (one["container"], one["plain"]) == (container, True)
    assert container in mixed.project.devkit("debug", "--list").out

    shell = Terminal(mixed.project, "debug")
    shell.expect(rf"^in {container}\n")
    shell.expect("this is Celery's own rdb")
    shell.expect(rf"tasks\.divide\(10, 4\)  {result.id}")
    shell.expect(rf"-> *{AFTER - 1} +rdb\.set_trace\(\)\n *{AFTER} +result = x / y.*{PROMPT}")  # from the file here
    shell.type("n")
    shell.expect(rf"> tasks\.py:{AFTER} in divide.*{PROMPT}")
    shell.type("n")
    shell.expect(rf"> tasks\.py:{AFTER + 1} in divide.*{PROMPT}")
    shell.type("result = 7")
    shell.expect(rf"result = 7\n.*{PROMPT}")
    shell.type("c")

    assert shell.end() == 0
    assert result.get(timeout=DEADLINE_S) == 7
    assert mixed.listed() == []


def test_a_plain_worker_pauses_while_somebody_waits(mixed: Stack) -> None:
    waiting = mixed.project.start("debug", "-e", "p x", "-e", "c")
    waiting.wait_for("waiting for one")
    result = mixed.send("tasks.divide", 10, 4, queue="plain")

    assert waiting.end() == 0
    assert "\n10\n" in waiting.out
    assert result.get(timeout=DEADLINE_S) == 2.5


@pytest.mark.parametrize("service", ["plain", "bare", "apart"])
def test_from_elsewhere_by_the_containers_name(mixed: Stack, elsewhere: Project, service: str) -> None:
    """`bare` has no shell; in `apart` is a worker of devkit, whose folder nobody else sees."""
    result = pauses(mixed, service)
    name = mixed.project.container(service)

    (one,) = wait_until(lambda: elsewhere.devkit("debug", "-l", "--json", "--container", name).expect(0).json())
    assert (one["container"], one["plain"]) == (name, service != "apart")
    done = piped(elsewhere, "--container", name, "-e", "p x", "-e", "n", "-e", "c").expect(0)

    assert "\n10\n" in done.out
    assert "result = x / y" in done.out
    assert result.get(timeout=DEADLINE_S) == 2.5
    still = mixed.project.devkit("debug", "--list", "--json", "--container", name).expect(0).json()
    assert still == []


def test_a_worker_whose_folder_is_not_shared_is_found_from_the_projects_folder(mixed: Stack) -> None:
    result = pauses(mixed, "apart")

    (one,) = mixed.paused(result)
    assert one["container"] == mixed.project.container("apart")
    done = piped(mixed.project, "divide", "-e", "p x", "-e", "c").expect(0)

    assert "\n10\n" in done.out
    assert result.get(timeout=DEADLINE_S) == 2.5


def test_a_plain_worker_whose_container_is_killed(mixed: Stack) -> None:
    pauses(mixed, "plain")
    name = mixed.project.container("plain")
    shell = Terminal(mixed.project, "debug")
    shell.expect(PROMPT)
    try:
        mixed.project.run("docker", "kill", name).expect(0)
        shell.expect("the connection was lost")
        assert shell.end() == 1
        assert mixed.listed() == []
    finally:
        ready = mixed.project.logs("plain").count(" ready.")
        mixed.project.compose_up()
        mixed.project.wait_for_line("plain", " ready.", ready + 1)


# What cannot be


def test_containers_that_cannot_be_looked_into(mixed: Stack, elsewhere: Project) -> None:
    unknown = elsewhere.devkit("debug", "--container", "no-such-container").expect(2)
    assert "no-such-container" in unknown.err
    assert "docker ps" in unknown.err

    redis = mixed.project.container("redis")
    without_python = elsewhere.devkit("debug", "--container", redis, "--timeout", "5").expect(1)
    assert redis in without_python.err
    assert "Python" in without_python.err

    both = elsewhere.devkit("debug", "--container", redis, "--pod", "web-0").expect(2)
    assert "--pod" in both.err
    assert "belongs to --pod" in elsewhere.devkit("debug", "-n", "staging").expect(2).err


@pytest.fixture
def local(empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugging]:
    """A worker on this machine, and a compose file beside it, while docker does not answer."""
    empty.write({"docker-compose.yml": json.dumps({"services": {"worker": {"image": "worker"}}})})
    empty.environ["DOCKER_HOST"] = NOWHERE
    with debugging(empty, tmp_path_factory.mktemp("redis")) as made:
        yield made


def test_docker_does_not_answer(local: Debugging) -> None:
    """What runs on this machine is debugged as ever; only who asks for a container hears of it."""
    local.start("-c", "1")
    result = local.send("divide", 10, 4)
    local.paused(result)

    (one,) = local.project.devkit("debug", "--list", "--json").expect(0).json()
    assert one["id"] == result.id
    done = piped(local.project, "-e", "p x", "-e", "c").expect(0)
    assert "\n10\n" in done.out
    assert "docker" not in done.err
    assert result.get(timeout=DEADLINE_S) == 2.5
    asked = local.project.devkit("debug", "--container", "any").expect(1)
    assert "docker" in asked.err
    assert NOWHERE in asked.err
    in_vain = local.project.devkit("debug", "--timeout", "1").expect(1)
    assert "docker" in in_vain.err


# Pods

KUBECTL = """#!{python}
import os, sys

given = sys.argv[1:]
if given[:5] != ["-n", "staging", "exec", "-i", "web-0"] or given[5] != "--":
    sys.exit(f'Error from server (NotFound): pods "{{given[4]}}" not found')
os.execvp(given[6], given[6:])
"""


def kubectl(project: Project, folder: Path) -> None:
    """A stand-in for kubectl: its only pod is this machine."""
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(KUBECTL.format(python=sys.executable))
    program.chmod(0o755)
    project.environ["PATH"] = f"{folder}{os.pathsep}{project.environ['PATH']}"


def test_a_pod(empty: Project, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        running_redis(tmp_path_factory.mktemp("redis")) as url,
        closing(Project(tmp_path / "elsewhere", {})) as elsewhere,
    ):
        empty.write({"tasks.py": PROGRAM})
        empty.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        empty.environ["CELERY_RDB_PORT"] = str(free_port())
        kubectl(elsewhere, tmp_path / "programs")
        client = Celery("client", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False)
        with closing(client), plain_worker(empty, "-c", "1") as log:
            result = client.send_task("tasks.divide", (10, 4))
            wait_until(lambda: "Waiting for client" in log.read_text(), why=log.read_text)
            (here,) = empty.devkit("debug", "--list", "--json").expect(0).json()

            listed = elsewhere.devkit("debug", "-l", "--json", "--pod", "web-0", "-n", "staging").expect(0).json()
            (there,) = [one for one in listed if one["id"] == here["id"]]
            assert there["container"] == "staging/web-0"
            # By its id: in this "pod" the workers of other tests pause as well.
            done = piped(
                elsewhere, here["id"], "--pod", "web-0", "--namespace", "staging", "-e", "p x", "-e", "c"
            ).expect(0)
            assert "\n10\n" in done.out
            assert result.get(timeout=DEADLINE_S) == 2.5
            result.backend = None


def test_a_pod_that_is_not_there(elsewhere: Project, tmp_path: Path) -> None:
    elsewhere.environ["PATH"] = str(tmp_path)
    without = elsewhere.devkit("debug", "--pod", "web-0").expect(1)
    assert "kubectl" in without.err

    kubectl(elsewhere, tmp_path / "programs")
    unknown = elsewhere.devkit("debug", "--pod", "web-9", "-n", "staging", "--timeout", "5").expect(1)
    assert 'pods "web-9" not found' in unknown.err
