"""`run`, `failures`, `show` and `replay` on the host, the stack being in containers: with nothing to set by hand."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.containers import REDIS, ComposeProject, Images, worker
from tests.acceptance.dialogues import Terminal
from tests.acceptance.harness import PYTHON, environment, wait_until

TASKS = """
import os
from pathlib import Path

from celery import Celery

app = Celery("tasks"{urls})
app.conf.update(result_extended=True, task_track_started=False)


@app.task
def divide(x, y):
    return x / y


@app.task
def where(fails=False):
    if fails:
        raise LookupError("nowhere")
    return os.environ["SHOP"]


@app.task
def reads(name):
    return (Path(__file__).parent / name).read_text()


@app.task
def sends(x):
    divide.delay(x, 1)
    raise ValueError(f"{{x}} is sent")
"""
# The app's own, as only containers know them.
IN_THE_CODE = ', broker="amqp://guest:guest@rabbitmq:5672//", backend="redis://redis:6379/1"'
RABBITMQ = {
    "image": "rabbitmq:4-management",
    "environment": {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1"},
    "healthcheck": {
        "test": ["CMD", "rabbitmq-diagnostics", "-q", "check_port_connectivity"],
        "interval": "1s",
        "retries": 60,
    },
}


@pytest.fixture(scope="module")
def published(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeProject]:
    """devkit's worker, its broker and its result backend at a port that docker has chosen."""
    command = ("devkit", "worker", "-A", "shop.tasks", "-c", "1")
    environment = {
        "CELERY_BROKER_URL": "redis://redis:6379/0",
        "CELERY_RESULT_BACKEND": "redis://redis:6379/1",
        "SHOP": "in a container",
    }
    files = {"shop/__init__.py": "", "shop/tasks.py": TASKS.format(urls="")}
    services = {"redis": REDIS, "worker": worker(images.devkit, *command, environment=environment)}
    with closing(ComposeProject(tmp_path_factory.mktemp("published"), files, services)) as project:
        project.compose_up()
        project.wait_for_line("worker", "generation 1 is live")
        yield project


@pytest.fixture(scope="module")
def hidden(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeProject]:
    """Celery's own worker; nothing is published, and the app's code says where RabbitMQ and Redis are."""
    command = ("celery", "-A", "tasks", "worker", "-l", "info", "-c", "1", "--without-mingle")
    celery = worker(images.plain, *command, environment={}, depends_on={"rabbitmq": {"condition": "service_healthy"}})
    redis = {**REDIS, "ports": []}
    services = {"redis": redis, "rabbitmq": RABBITMQ, "worker": celery}
    files = {"tasks.py": TASKS.format(urls=IN_THE_CODE)}
    with closing(ComposeProject(tmp_path_factory.mktemp("hidden"), files, services)) as project:
        project.compose_up()
        # Of these the tests' own environment would tell another story.
        for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
            del project.environ[name]
        project.wait_for_line("worker", " ready.")
        yield project


def failed(project: ComposeProject, task: str, args: str) -> str:
    """Have the worker fail at it; the id that the task got."""
    done = project.devkit("run", task, "--args", args, "--json").expect(1)
    task_id: str = done.json()["id"]
    return task_id


def test_a_task_is_sent_and_its_result_awaited(published: ComposeProject) -> None:
    assert published.devkit("run", "divide", "--args", "[6, 3]").expect(0).out.strip() == "2.0"
    assert "in a container" in published.devkit("run", "where").expect(0).out


def test_a_failure_is_listed_and_shown_without_the_projects_environment(
    published: ComposeProject, tmp_path: Path
) -> None:
    task_id = failed(published, "divide", "[1, 0]")
    nothing = {"DEVKIT_PYTHON": str(environment(tmp_path / "nothing"))}

    listed = wait_until(
        lambda: [one for one in published.devkit("failures", "--json", env=nothing).json() if one["id"] == task_id]
    )
    assert listed[0]["source"] == "recorded"
    shown = published.devkit("show", task_id, env=nothing).expect(0).out
    assert re.search(r"^shop/tasks\.py:\d+ in divide\n.*\n? *\d+  def divide\(x, y\):\n", shown, re.MULTILINE)
    frames = published.devkit("show", task_id, "--json", env=nothing).json()["frames"]
    assert frames[-1]["file"] == str(published.root / "shop" / "tasks.py")


def test_the_verdict_is_the_same_in_another_folder(published: ComposeProject) -> None:
    task_id = failed(published, "shop.tasks.reads", '["no/such file"]')

    replayed = published.devkit("replay", task_id).expect(1)
    assert replayed.out.splitlines()[-1].startswith("same failure: FileNotFoundError in reads: ")
    assert f'File "{published.root}/shop/tasks.py", line ' in replayed.out
    (published.root / "shop" / "no").mkdir()
    (published.root / "shop" / "no" / "such file").write_text("there now")
    assert "passes now" in published.devkit("replay", task_id).expect(0).out
    assert (
        "'in a container'"
        in published.devkit("replay", failed(published, "where", "[true]"), "--args", "[]").expect(0).out
    )


def test_post_mortem_is_here(published: ComposeProject) -> None:
    terminal = Terminal(published, "replay", failed(published, "divide", "[1, 0]"), "--pdb")

    terminal.expect(rf"> {re.escape(str(published.root))}/shop/tasks\.py\(\d+\)divide\(\)\n-> return x / y\n\(Pdb\) $")
    terminal.type("p (x, y)")
    terminal.expect(r"\(1, 0\)\n\(Pdb\) $")
    terminal.type("c")
    terminal.expect(r"same failure: ZeroDivisionError in divide")
    assert terminal.end() == 1


def test_a_failure_becomes_a_test_here(published: ComposeProject) -> None:
    published.devkit("replay", failed(published, "divide", "[1, 0]"), "--to-test", "test_divide.py").expect(1)

    published.run(PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "test_divide.py").expect(0)


def test_what_goes_out_goes_to_the_containers(published: ComposeProject) -> None:
    task_id = failed(published, "sends", "[12]")
    assert "not sent: shop.tasks.divide(x=12, y=1)" in published.devkit("replay", task_id).expect(1).out
    before = published.logs("worker").count("shop.tasks.divide[")

    assert "sent: shop.tasks.divide(x=12, y=1)" in published.devkit("replay", task_id, "--live").expect(1).out
    wait_until(lambda: published.logs("worker").count("shop.tasks.divide[") > before)
    published.devkit("replay", task_id, "--send").expect(0)
    wait_until(lambda: published.logs("worker").count(f"shop.tasks.sends[{task_id}] received") == 2)


def test_where_the_project_cannot_be_imported_it_is_said_what_to_do(published: ComposeProject, tmp_path: Path) -> None:
    python = environment(tmp_path / "nothing")

    done = published.devkit("run", "divide", env={"DEVKIT_PYTHON": str(python)}).expect(2)
    assert "has no Celery" in done.err
    assert f"the stack runs in containers; devkit runs its code here, by {python}" in done.err
    assert f"docker exec -it {published.container('worker')} devkit" in done.err
    replayed = published.devkit("replay", failed(published, "divide", "[1, 0]"), env={"DEVKIT_PYTHON": str(python)})
    assert "docker exec -it" in replayed.expect(125).err


def test_nothing_has_to_be_published(hidden: ComposeProject) -> None:
    assert hidden.devkit("run", "divide", "--args", "[6, 3]").expect(0).out.strip() == "2.0"
    task_id = failed(hidden, "divide", "[1, 0]")

    (found,) = hidden.devkit("failures", "divide", "--json").json()
    assert (found["id"], found["source"]) == (task_id, "result")
    assert "ZeroDivisionError" in hidden.devkit("show", task_id).expect(0).out
    assert "same failure" in hidden.devkit("replay", task_id).expect(1).out

    hidden.devkit("replay", task_id, "--save", "case.json").expect(0)
    hidden.devkit("replay", "case.json", "--send").expect(0)
    hidden.wait_for_line("worker", f"tasks.divide[{task_id}] received", times=2)
