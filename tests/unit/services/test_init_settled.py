"""What `devkit init` writes down of what it has found."""

from dataclasses import replace
from pathlib import Path

from devkit.model.status import StartedWith
from devkit.services.init.settled import tables
from devkit.services.init.table import Written, write_tables
from devkit.settings.discover import AppRef
from devkit.settings.discover.programs import ApiProgram, Found, WorkerProgram
from devkit.settings.load import Settings, load

MANY = ("compose.yml:4  celery -A app.worker worker -b redis://:hunter2@x", "worker.py:3  has 2\ttasks", "3", "4")


def settings(root: Path, **flags: object) -> Settings:
    return load(root, flags, {})


def known(root: Path) -> Settings:
    """Those of a file of which devkit reads the first table only."""
    text = (root / "pyproject.toml").read_text()
    (root / "first").mkdir()
    (root / "first" / "pyproject.toml").write_text(text.partition("[tool.devkit.workers")[0])
    return replace(load(root / "first", {}, {}), root=root)


def found(root: Path) -> Found:
    return Found(
        (
            WorkerProgram("worker", AppRef(root, "app.worker", "app"), queues="main-queue", reasons=MANY),
            WorkerProgram(
                "mails", AppRef(root / "mails", "tasks", "queue"), "out", "threads", 4, ("Procfile:2  celery",)
            ),
        ),
        (
            ApiProgram("api", "asgi", root, AppRef(root, "app.main", "app"), reasons=("main.py:9  FastAPI()",)),
            ApiProgram("shop", "flask", root / "shop", AppRef(root / "shop", "web", "create"), factory=True),
            ApiProgram("admin", "django", root / "admin", reasons=("admin/manage.py",)),
        ),
    )


def written(root: Path, tables: list[Written]) -> str:
    write_tables(root / "pyproject.toml", tables, force=True)
    return (root / "pyproject.toml").read_text()


def test_all_that_is_found_is_written_with_its_reasons(tmp_path: Path) -> None:
    text = written(tmp_path, tables(settings(tmp_path), found(tmp_path), None))

    assert (
        text
        == """[tool.devkit]
# found: compose.yml:4  celery -A app.worker worker -b redis://:***@x
# found: worker.py:3 has 2 tasks
# found: 3
celery = "app.worker:app"
# found: main.py:9 FastAPI()
api = "app.main:app"
queues = "main-queue"

[tool.devkit.workers.mails]
# found: Procfile:2 celery
celery = "tasks:queue"
folder = "mails"
queues = "out"
pool = "threads"
concurrency = 4

[tool.devkit.apis.shop]
api = "web:create"
folder = "shop"
kind = "flask"
factory = true

[tool.devkit.apis.admin]
# found: admin/manage.py
folder = "admin"
kind = "django"
""".replace("compose.yml:4  celery", "compose.yml:4 celery")
    )


def test_once_more_changes_nothing(tmp_path: Path) -> None:
    what = tables(settings(tmp_path), found(tmp_path), None)

    assert written(tmp_path, what) == written(tmp_path, what)


def test_what_up_was_told_counts_more(tmp_path: Path) -> None:
    told = StartedWith("a:b", "/p", "/usr/bin/python3", queues="celery,slow", pool="solo", concurrency=2)
    first, *_ = tables(settings(tmp_path), found(tmp_path), told)

    assert (first.values["queues"], first.values["pool"], first.values["concurrency"]) == ("celery,slow", "solo", 2)


def test_the_interpreter_is_written_where_it_would_not_be_found(tmp_path: Path) -> None:
    usual, other = tmp_path / "project" / ".venv" / "bin" / "python", tmp_path / "envs" / "bin" / "python"
    for python in (usual, other):
        python.parent.mkdir(parents=True)
        python.symlink_to("/bin/sh")
    root = tmp_path / "project"

    assert "python" not in tables(settings(root, python=str(usual)), found(root), None)[0].values
    assert tables(settings(root, python=str(other)), found(root), None)[0].values["python"] == "../envs/bin/python"
    assert tables(settings(root, python="/bin/sh"), found(root), None)[0].values["python"] in ("/bin/sh", "/usr/bin/sh")


def test_env_files_are_written_from_the_projects_folder(tmp_path: Path) -> None:
    for name in ("a.env", "b.env"):
        (tmp_path / name).touch()
    one, two = settings(tmp_path, env_file=("a.env",)), settings(tmp_path, env_file=("a.env", "b.env"))
    other = settings(tmp_path, env_from="compose:worker")

    assert tables(one, found(tmp_path), None)[0].values["env_file"] == "a.env"
    assert tables(two, found(tmp_path), None)[0].values["env_file"] == ["a.env", "b.env"]
    assert tables(other, found(tmp_path), None)[0].values["env_from"] == "compose:worker"


def test_without_an_api_none_is_written(tmp_path: Path) -> None:
    names = [one.name for one in tables(settings(tmp_path, with_api=False), found(tmp_path), None)]

    assert names == [(), ("workers", "mails")]


def test_an_entrypoint_that_devkit_reads_anyhow_is_not_written_twice(tmp_path: Path) -> None:
    known = replace(settings(tmp_path), fastapi_entrypoint="app.main:app")

    assert "api" not in tables(known, found(tmp_path), None)[0].values


def test_what_makes_the_first_api_is_written_as_a_call(tmp_path: Path) -> None:
    worker = WorkerProgram("worker", AppRef(tmp_path, "jobs", "app"))
    made = ApiProgram("api", "asgi", tmp_path, AppRef(tmp_path, "web", "create_app"), factory=True)

    assert tables(settings(tmp_path), Found((worker,), (made,)), None)[0].values["api"] == "web:create_app()"


def test_of_djangos_api_nothing_is_written(tmp_path: Path) -> None:
    """Its own folder tells of it."""
    worker = WorkerProgram("worker", AppRef(tmp_path, "jobs", "app"))
    django = ApiProgram("api", "django", tmp_path)

    assert tables(settings(tmp_path), Found((worker,), (django,)), None)[0].values == {"celery": "jobs:app"}


def test_what_the_file_has_stays_there_with_its_reasons(tmp_path: Path) -> None:
    once = written(tmp_path, tables(settings(tmp_path), found(tmp_path), None))

    again = found(tmp_path)
    asked = replace(again.workers[0], reasons=("app.worker:app was asked for",))
    assert written(tmp_path, tables(known(tmp_path), replace(again, workers=(asked, *again.workers[1:])), None)) == once
