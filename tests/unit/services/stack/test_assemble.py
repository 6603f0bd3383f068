"""Which services a project's stack has, with the app's facts given."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from devkit.errors import UsageError
from devkit.model.status import HANDED_OUT
from devkit.services.stack.assemble import Stack, _with_dependencies, assemble
from devkit.services.stack.early import EarlyProcesses
from devkit.settings.load import load
from devkit.settings.paths import Paths
from devkit.stack.process import Process
from devkit.stack.service import Service

FACTS: dict[str, Any] = {
    "celery": "5.5.0",
    "broker": "memory://",
    "broker_error": None,
    "result_backend": None,
    "result_backend_error": None,
    "anothers": {},
    "beat": True,
    "tasks": ["worker.add"],
    "flower": True,
    "servers": ["uvicorn"],
    "pools": ["prefork", "solo", "threads"],
    "forces_root": False,
    "python": "python",
    "broker_missing": False,
    "result_backend_missing": False,
    "redis_lacks": None,
    "amqp_needs": [],
    "eager": None,
    "tls": [],
    "queues": ["celery"],
    "routed": [],
}


def service(name: str, *depends_on: str) -> Service:
    return Service(name=name, argv=(), cwd=Path("/"), env={}, ready=None, depends_on=depends_on)


def names(services: list[Service]) -> list[str]:
    return [service.name for service in services]


# --- with what they depend on ---

ALL = [service("redis"), service("api", "redis"), service("worker", "redis"), service("web", "api"), service("docs")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], ["redis", "api", "worker", "web", "docs"]),
        (["docs"], ["docs"]),
        (["worker"], ["redis", "worker"]),
        (["web"], ["redis", "api", "web"]),
        (["web", "worker", "web"], ["redis", "api", "worker", "web"]),
    ],
)
def test_services_come_with_all_that_they_depend_on(wanted: list[str], found: list[str]) -> None:
    assert names(_with_dependencies(ALL, wanted)) == found


def test_a_dependency_may_come_later_in_the_list() -> None:
    assert names(_with_dependencies([service("a", "b"), service("b")], ["a"])) == ["a", "b"]


def test_two_ways_to_one_dependency_are_no_circle() -> None:
    diamond = [service("a"), service("b", "a"), service("c", "a"), service("d", "b", "c")]

    assert names(_with_dependencies(diamond, ["d"])) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("services", "circle"),
    [
        ([service("a", "a")], "a → a"),
        ([service("a", "b"), service("b", "c"), service("c", "a")], "a → b → c → a"),
        ([service("x", "a"), service("a", "b"), service("b", "a")], "a → b → a"),
    ],
)
def test_a_circle_is_shown(services: list[Service], circle: str) -> None:
    with pytest.raises(UsageError) as caught:
        _with_dependencies(services, [])

    assert caught.value.what == f"services depend on one another in a circle: {circle}"


# --- the whole stack ---


class Answers(EarlyProcesses):
    """Starts nothing: each process is this, and answers with these facts."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__()
        self._facts = facts

    def start(self, argv: tuple[str, ...], cwd: Path, env: Mapping[str, str]) -> Process:
        return cast("Process", self)

    def say(self, order: bytes) -> None:
        app = json.loads(order)["describe"]
        assert (app["module"], app["attribute"]) == ("worker", "app")

    def answer(self, timeout_s: float) -> dict[str, Any]:
        return {"facts": self._facts}


Up = Callable[..., Stack]


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Up:
    """Assembles the stack of a project with a Celery app and a FastAPI app, which has a redis-server on its PATH."""
    (tmp_path / "worker.py").write_text("from celery import Celery\napp = Celery('x')")
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\napp = FastAPI()")
    (tmp_path / "redis-server").touch(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # ports that other stacks have reserved do not matter

    def assemble_with(
        *wanted: str, extras: str = "", facts: dict[str, Any] | None = None, flags: Mapping[str, Any] | None = None
    ) -> Stack:
        (tmp_path / "pyproject.toml").write_text(extras)
        settings = load(tmp_path, flags or {}, {"PATH": str(tmp_path)})
        settings = replace(settings, paths=Paths(tmp_path / ".devkit", tmp_path / "run"))
        early = Answers(FACTS | (facts or {}))
        stack = assemble(settings, wanted, early)
        stack.ports.close()
        return stack

    return assemble_with


def test_all_that_the_project_has(up: Up) -> None:
    assert names(up().services) == ["broker", "api", "worker", "beat", "flower"]
    assert names(up(facts={"beat": False}).services) == ["broker", "api", "worker", "flower"]


def test_what_is_switched_off_is_left_out(up: Up) -> None:
    flags = {"with_api": False, "with_flower": False, "with_beat": False}

    assert names(up(flags=flags).services) == ["broker", "worker"]


@pytest.mark.parametrize(
    ("url", "name"), [("redis://x", "redis"), ("rediss://x", "redis"), ("amqp://x", "rabbitmq"), ("sqs://x", "broker")]
)
def test_the_apps_own_broker_is_shown_but_not_started(up: Up, url: str, name: str) -> None:
    first = up(facts={"broker": url}).services[0]

    assert (first.name, first.url, first.how, first.external) == (name, url, "the app's own", True)


def test_an_embedded_redis_takes_the_place_of_a_broker_that_does_not_answer(up: Up) -> None:
    stack = up(facts={"broker_error": "refused"})
    redis = stack.services[0]

    assert names(stack.services) == ["redis", "api", "worker", "beat", "flower"]
    assert not redis.external
    assert stack.project.late["CELERY_BROKER_URL"] == f"{redis.url}/0"


def test_an_embedded_redis_may_be_the_result_backend_alone(up: Up) -> None:
    stack = up(facts={"broker": "amqp://x", "result_backend": "redis://x", "result_backend_error": "refused"})

    assert names(stack.services)[:2] == ["redis", "rabbitmq"]
    assert [service.external for service in stack.services[:2]] == [False, True]
    assert set(stack.services[2].depends_on) == {"redis", "rabbitmq"}
    assert list(stack.project.late) == ["CELERY_RESULT_BACKEND"]


def test_naming_services_starts_those_and_what_they_need(up: Up) -> None:
    assert names(up("worker").services) == ["broker", "worker"]
    assert names(up("flower", "api").services) == ["broker", "api", "flower"]


def test_a_project_without_an_api_is_told_so(up: Up, tmp_path: Path) -> None:
    (tmp_path / "main.py").unlink()

    stack = up()

    assert "api" not in names(stack.services)
    assert "no FastAPI app found" in stack.notes[0]
    with pytest.raises(UsageError, match="'api' is not part of this stack"):
        up("api")


@pytest.mark.parametrize(
    ("celery", "is_told"), [("4.4.7", True), ("5.0.5", True), ("5.1.0", False), ("5.10.0rc1", False)]
)
def test_a_celery_that_nobody_has_tested_is_told(up: Up, celery: str, is_told: bool) -> None:
    told = f"Celery {celery} is older than 5.1, the oldest one that devkit is tested with"
    assert (told in up(facts={"celery": celery}).notes) is is_told


def test_an_unknown_name(up: Up) -> None:
    with pytest.raises(UsageError) as caught:
        up("wroker")

    assert caught.value.what == "there is no service 'wroker'; did you mean 'worker'?"


EXTRAS = """
[tool.devkit.services.web]
command = "x"
depends_on = ["assets", "worker"]

[tool.devkit.services.assets]
command = "x"
depends_on = ["api"]
"""


def test_the_projects_services_come_last(up: Up) -> None:
    assert names(up(extras=EXTRAS).services) == ["broker", "api", "worker", "beat", "flower", "web", "assets"]


def test_a_service_of_the_project_comes_with_all_that_it_needs(up: Up) -> None:
    assert names(up("assets", extras=EXTRAS).services) == ["broker", "api", "assets"]
    assert names(up("web", extras=EXTRAS).services) == ["broker", "api", "worker", "web", "assets"]


def test_services_that_are_not_wanted_need_nothing(up: Up) -> None:
    assert names(up("worker", extras=EXTRAS).services) == ["broker", "worker"]


def test_a_service_cannot_depend_on_what_is_switched_off(up: Up) -> None:
    with pytest.raises(UsageError, match="depends on 'api', which is no service here"):
        up(extras=EXTRAS, flags={"with_api": False})


def test_a_service_may_depend_on_redis_whichever_broker_there_is(up: Up) -> None:
    extras = "[tool.devkit.services.web]\ncommand = 'x'\ndepends_on = ['redis']"

    assert names(up("web", extras=extras, facts={"broker": "amqp://x"}).services) == ["web"]
    assert names(up("web", extras=extras, facts={"broker_error": "refused"}).services) == ["redis", "web"]


@pytest.mark.parametrize("name", ["rabbitmq", "broker"])
def test_a_service_called_like_the_apps_own_broker_is_still_a_service(up: Up, name: str) -> None:
    """Where the broker does not run yet, this is what starts it; names have to tell services apart."""
    extras = f"[tool.devkit.services.{name}]\ncommand = 'docker run --rm rabbitmq'"

    stack = up(extras=extras, facts={"broker": "amqp://localhost"})

    found = names(stack.services)
    assert len(set(found)) == len(found)
    assert [service.name for service in stack.services if not service.external][-1] == name


def test_the_status_tells_what_run_and_completion_need(up: Up, tmp_path: Path) -> None:
    status = up(facts={"broker_error": "refused"}).status(11, [])

    assert (status.project, status.pid, status.tasks) == (str(tmp_path), 11, ("worker.add",))
    assert status.environ["CELERY_BROKER_URL"].startswith("redis://127.0.0.1:")
    assert status.environ.keys() == HANDED_OUT - {"DEVKIT_INCLUDE"}  # that is of a worker with modules beside its app


# --- several workers and APIs ---

SEVERAL = """
[tool.devkit.workers.mails]
queues = "mails"
concurrency = 1

[tool.devkit.apis.admin]
api = "main:app"
port = 8123

[tool.devkit.apis.site]
folder = "site"
"""


@pytest.fixture
def several(up: Up, tmp_path: Path) -> Up:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "manage.py").touch()

    def assemble_with(*wanted: str, **more: Any) -> Stack:
        return up(*wanted, extras=SEVERAL + more.pop("extras", ""), **more)

    return assemble_with


def test_each_table_is_a_service(several: Up) -> None:
    stack = several()

    assert names(stack.services) == ["broker", "admin", "site", "worker", "mails", "beat", "flower"]
    admin, site = stack.services[1:3]
    assert admin.url == "http://127.0.0.1:8123"
    assert site.how.startswith("manage.py runserver 127.0.0.1:")
    assert [service.name for service in stack.services if not service.optional] == ["broker"]
    assert [service.name for service in stack.services if not service.program] == ["broker", "flower"]
    assert [service.name for service in several("mails").services if not service.optional] == ["broker", "mails"]
    asked = several(flags={"api": "main:app"}).services
    assert [service.name for service in asked if not service.optional] == ["broker", "api"]
    assert [service.argv[4:] for service in stack.services if service.name in ("admin", "worker", "mails")] == [
        ("api",),
        ("worker",),
        ("worker", "--name", "mails"),
    ]


def test_one_of_several_can_be_named_or_needed(several: Up) -> None:
    assert names(several("mails").services) == ["broker", "mails"]
    assert names(several("site").services) == ["broker", "site"]
    web = "[tool.devkit.services.web]\ncommand = 'x'\ndepends_on = ['mails', 'site']"
    assert names(several("web", extras=web).services) == ["broker", "site", "mails", "web"]
    with pytest.raises(UsageError, match="there is no service 'mail'; did you mean 'mails'"):
        several("mail")


def test_without_api_there_is_none_of_them(several: Up) -> None:
    assert names(several(flags={"with_api": False}).services) == ["broker", "worker", "mails", "beat", "flower"]


@pytest.mark.parametrize(
    ("servers", "how"),
    [
        (["uvicorn", "hypercorn"], "uvicorn main:app"),
        (["hypercorn", "daphne"], "hypercorn --reload --bind 127.0.0.1:8123 main:app"),
        (["daphne"], "daphne -b 127.0.0.1 -p 8123 main:app; it does not reload: devkit restart admin"),
        ([], "uvicorn main:app"),  # which says itself what is missing
    ],
)
def test_without_uvicorn_another_server_of_the_project_serves(several: Up, servers: list[str], how: str) -> None:
    admin = next(one for one in several(facts={"servers": servers}).services if one.name == "admin")

    assert admin.how.startswith(how)


def test_a_pool_that_is_not_there_is_told_of(up: Up, tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("worker: celery -A worker worker -P gevent -c 1000\n")

    stack = up()

    worker = next(one for one in stack.services if one.name == "worker")
    assert "gevent" not in worker.how + " ".join(worker.argv)
    assert json.loads(worker.order or b"")["worker"]["concurrency"] is None  # so many greenlets are no processes
    assert any("no pool gevent here" in note and "pip install gevent" in note for note in stack.notes)


def test_who_has_which_queue_is_told_to_each(several: Up) -> None:
    stack = several()
    worker, mails = (json.loads(service.order or b"") for service in stack.services if service.name in MAILERS)

    assert worker["worker"] == {
        "name": "worker", "first": True, "queues": None, "concurrency": None, "leftovers": True, "besides": ["mails"],
    }  # fmt: skip
    assert mails["worker"]["leftovers"] is False
    assert mails["run"] == worker["run"]


MAILERS = ("worker", "mails")


def test_the_apps_are_told_with_their_tasks(several: Up, tmp_path: Path) -> None:
    (app,) = several().status(11, []).apps

    assert (app.celery, app.folder, app.tasks) == ("worker:app", str(tmp_path), ("worker.add",))
