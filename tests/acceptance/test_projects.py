"""Projects of other shapes than the sample app's, and brokers that run already."""

import shutil
from contextlib import closing
from pathlib import Path

import celery
import psutil
import pytest

from tests.acceptance.harness import (
    REPOSITORY,
    SMALL_APP,
    Project,
    environment,
    fetch,
    free_port,
    running_redis,
    task_through_api,
)

TICKING = """
app.conf.beat_schedule = {"tick": {"task": "tasks.add", "schedule": 0.5, "args": (20, 22)}}
"""


@pytest.fixture
def ticking(small: Project) -> Project:
    small.write({"tasks.py": SMALL_APP["tasks.py"] + TICKING})
    return small


def test_a_beat_schedule_gets_a_beat(ticking: Project) -> None:
    ticking.up("--no-flower", "-P", "solo")
    assert list(ticking.services()) == ["redis", "worker", "beat"]
    ticking.wait_for_log("worker", r"tasks\.add\[\S+\] succeeded in \S+ 42")


def test_a_beat_can_be_left_out(ticking: Project) -> None:
    ticking.up("--no-flower", "--no-beat", "-P", "solo")
    assert list(ticking.services()) == ["redis", "worker"]


def test_a_project_with_celery_alone(small: Project) -> None:
    small.up()
    assert list(small.services()) == ["redis", "worker", "flower"]
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


def test_what_is_left_out_does_not_run(sample: Project) -> None:
    sample.up("--no-flower", "--no-api", "-c", "1", "-Q", "one,two", "-P", "threads")
    assert list(sample.services()) == ["redis", "worker"]
    sample.wait_for_log("worker", r"concurrency: 1 \(thread\)")
    assert sample.devkit("run", "divide", "--args", "[5, 2]", "--queue", "two").expect(0).out == "2.5\n"


def test_src_layout(empty: Project) -> None:
    files = {path.name: path.read_text() for path in (Path(__file__).parents[2] / "sample_app").glob("*.py")}
    empty.write({f"src/shop/{name}": text.replace("sample_app", "shop") for name, text in files.items()})
    empty.write({"pyproject.toml": '[project]\nname = "shop"\n'})
    empty.up()
    assert list(empty.services()) == ["redis", "api", "worker", "flower"]
    assert task_through_api(empty.url("api"), "/divide", x=5, y=2)["result"] == 2.5


def test_an_app_in_a_folder_of_its_own(empty: Project) -> None:
    """The code lies one folder down and imports its neighbours as if that were the working directory."""
    empty.write({"backend/helpers.py": "def add(x, y): return x + y\n"})
    app = "from celery import Celery\nfrom helpers import add\napp = Celery()\n"
    empty.write({"backend/worker.py": app + "@app.task(name='sum')\ndef total(x, y): return add(x, y)\n"})
    empty.up("worker", "-P", "solo")
    assert empty.devkit("run", "sum", "--args", "[1, 2]").expect(0).out == "3\n"


def test_projects_among_the_tests_are_none_of_the_projects_own(sample: Project) -> None:
    """Dozens of apps and of lines that start them, as in devkit's own repository."""
    shutil.copytree(REPOSITORY / "tests" / "projects", sample.root / "tests" / "projects")
    sample.up("--no-flower", "-P", "solo")
    assert list(sample.services()) == ["redis", "api", "worker"]
    assert sample.devkit("run", "divide", "--args", "[5, 2]").expect(0).out == "2.5\n"


def test_an_app_named_by_the_user(empty: Project) -> None:
    for name in ("cart", "stock"):
        empty.write(
            {f"{name}.py": f"from celery import Celery\n{name} = Celery()\n@{name}.task\ndef go(): return '{name}'\n"}
        )
    empty.up("worker", "-P", "solo", "-A", "stock:stock")
    assert empty.devkit("run", "go", "-A", "stock:stock").expect(0).out == '"stock"\n'


def test_a_project_with_an_interpreter_of_its_own(sample: Project) -> None:
    """devkit is installed apart from it."""
    python = environment(sample.root / ".venv", str(Path(celery.__file__).parents[1]))
    sample.up()
    assert list(sample.services()) == ["redis", "api", "worker", "flower"]
    for name in ("api", "worker"):  # devkit's own process watches, one under the project's interpreter runs the code
        (zygote,) = psutil.Process(sample.pids()[name]).children()
        assert zygote.cmdline()[0] == str(python)
    assert psutil.Process(sample.pids()["flower"]).cmdline()[0] == str(python)
    assert task_through_api(sample.url("api"), "/divide", x=5, y=2)["result"] == 2.5
    assert sample.devkit("run", "divide", "--args", "[5, 2]").expect(0).out == "2.5\n"


def test_a_project_whose_interpreter_has_no_celery(small: Project) -> None:
    python = environment(small.root / ".venv")
    for command in (["up"], ["run", "add"]):
        done = small.devkit(*command).expect(2)
        assert f"uv pip install --python '{python}' celery" in done.err
    assert small.processes() == {}


@pytest.mark.parametrize(
    ("broker", "backend"),
    [
        ("redis://:secret@redis.invalid:6379/0", "redis://:secret@redis.invalid:6379/1"),
        ("amqp://shop:secret@rabbitmq.invalid:5672//", "rpc://"),
        ("amqp://shop:secret@127.0.0.1:1//", None),
    ],
)
def test_an_app_whose_broker_is_elsewhere_gets_an_embedded_one(small: Project, broker: str, backend: str) -> None:
    """Addresses in the code, such as those that only docker compose knows."""
    app = f'app = Celery("small", broker={broker!r}, backend={backend!r})'
    small.write({"tasks.py": SMALL_APP["tasks.py"].replace('app = Celery("small")', app)})
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        del small.environ[name]
    table = small.up("worker", "-P", "solo").out
    assert "secret" not in table + small.devkit("status", "--json").out
    assert "embedded" in table
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


def test_env_files_reach_the_services(small: Project) -> None:
    look = "import os\n@app.task\ndef look(*names): return [os.environ.get(name) for name in names]\n"
    small.write({"tasks.py": SMALL_APP["tasks.py"] + look})
    small.write({".env": "SKY='dark blue'  # mine\nSEA=green\nSAND=yellow\n", "night.env": "SEA=black\n"})
    small.environ["SAND"] = "what is really set wins"
    small.up("worker", "-P", "solo", "--env-file", "night.env")
    seen = small.devkit("run", "look", "--args", '["SKY", "SEA", "SAND"]', "--json").expect(0).json()["result"]
    assert seen == ["dark blue", "black", "what is really set wins"]


def test_an_app_whose_own_broker_answers_keeps_it(small: Project, tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        small.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        small.up("worker", "-P", "solo")

        redis = small.services()["redis"]
        assert (redis["state"], redis["pid"], redis["url"]) == ("ready", None, f"{url}/0")
        assert "the app's own" in small.devkit("status").expect(0).out
        assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
        assert "not devkit's to restart" in small.devkit("restart", "redis").expect(2).err

        small.devkit("down").expect(0)
        small.environ.pop("CELERY_BROKER_URL")
        assert small.run("redis-cli", "-u", url, "ping").expect(0).out == "PONG\n"


def test_a_broker_asked_for_is_used(small: Project, tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        small.up("worker", "-P", "solo", "--broker", f"{url}/3", "--result-backend", f"{url}/4")
        assert small.url("redis") == f"{url}/3"
        assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
        small.devkit("down").expect(0)


def test_the_embedded_redis_of_another_project_is_not_shared(tmp_path: Path) -> None:
    """Both apps mean the same address by default: the second worker must not take the first one's tasks."""
    with (
        closing(Project(tmp_path / "first", SMALL_APP)) as first,
        closing(Project(tmp_path / "second", SMALL_APP)) as second,
    ):
        first.up("redis")
        url = first.url("redis")
        second.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}
        second.up("worker", "-P", "solo")
        assert second.url("redis") != url

        first.devkit("run", "add", "--args", "[1, 2]", "--no-wait").expect(0)
        assert second.devkit("run", "add", "--args", "[3, 4]").expect(0).out == "7\n"
        assert "succeeded in" in second.log("worker")
        assert ": 3" not in second.log("worker")


def test_two_projects_may_start_at_the_same_time(tmp_path: Path) -> None:
    """Both look for free ports before either has a server there; neither may take the other's server for its own."""
    api = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef name(): return '{}'\n"
    with (
        closing(Project(tmp_path / "one", SMALL_APP | {"main.py": api.format("one")})) as one,
        closing(Project(tmp_path / "two", SMALL_APP | {"main.py": api.format("two")})) as two,
    ):
        ups = [project.start("up", "api") for project in (one, two)]
        for up in ups:
            up.wait_for_all_ready()
        assert [fetch("GET", project.url("api")).json() for project in (one, two)] == ["one", "two"]
        assert one.url("redis") != two.url("redis")

        one.devkit("down").expect(0)
        assert fetch("GET", two.url("api")).json() == "two"


def test_an_embedded_redis_where_the_app_expects_its_own_is_still_embedded_the_next_time(small: Project) -> None:
    """As with the usual address, localhost:6379: what devkit starts there must not pass for the app's own broker."""
    port = str(free_port())
    small.environ |= {"DEVKIT_REDIS_PORT": port, "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}
    for _ in range(2):
        small.up("worker", "-P", "solo")
        assert small.services()["redis"]["pid"]
        assert small.devkit("run", "add", "--args", "[2, 3]").expect(0).out == "5\n"
        small.devkit("down").expect(0)
