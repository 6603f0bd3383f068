"""Which workers a project has: by its start lines, by who has the tasks; and what is only named in a note."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.settings.discover import AppRef, find_celery, find_programs
from devkit.settings.discover.programs import WorkerProgram
from devkit.settings.evidence.line import StartLine
from tests.unit.settings.apps import APP, CELERY, Write

TASK = "@app.task\ndef {}(): ...\n"
CORE = CELERY.format("celery_app")
OF_CORE = "from app.core import celery_app\n@celery_app.task\ndef {}(): ...\n"
BESIDE = {"app/__init__.py": "", "app/core.py": CORE, "app/worker.py": OF_CORE.format("add")}
TWO = {"shop.py": APP + TASK.format("sell"), "bank.py": APP + TASK.format("pay")}


def line(root: Path, spec: str, file: str = "docker-compose.yml", number: int = 1, **more: object) -> StartLine:
    """As a file of the project has it, whose folders are the project's own unless it says others."""
    found = StartLine("worker", spec, root / file, number, f"celery -A {spec} worker", (root,))
    return replace(found, **more)  # type: ignore[arg-type]


def workers(root: Path, *lines: StartLine, celery: str | None = None) -> Sequence[WorkerProgram]:
    return find_programs(root, lines, celery=celery).workers


def told(programs: Sequence[WorkerProgram]) -> list[tuple[str, str, str | None]]:
    return [(program.name, str(program.app), program.queues) for program in programs]


# --- by start lines ---


def test_a_start_line_decides_and_its_options_count(project: Write) -> None:
    root = project({**BESIDE, "celery_app.py": APP + TASK.format("other")})

    (worker,) = workers(root, line(root, "app.worker", queues="celery,slow", pool="solo", concurrency=3, number=7))

    assert worker == WorkerProgram(
        name="worker",
        app=AppRef(root, "app.worker", "celery_app"),
        queues="celery,slow",
        pool="solo",
        concurrency=3,
        reasons=("docker-compose.yml:7  celery -A app.worker worker",),
    )


@pytest.mark.parametrize(
    ("files", "spec", "folders", "expected"),
    [
        ({"main.py": "celery = create().celery"}, "main.celery", ["."], "main:celery"),
        ({"jobs.py": CELERY.format("queue")}, "jobs", ["."], "jobs:queue"),
        ({"proj/__init__.py": "", "proj/celery.py": APP}, "proj", ["."], "proj.celery:app"),
        ({"back/jobs.py": APP}, "jobs", ["nowhere", "back"], "jobs:app"),
        ({"jobs.py": "x = 1", "back/jobs.py": APP}, "jobs", [".", "back"], "jobs:app"),
        ({"jobs.py": "from company import app"}, "jobs:app", ["."], "jobs:app"),
        ({"jobs.py": "def ("}, "jobs", ["."], "jobs"),
        (
            {"jobs.py": "def make():\n    from celery import Celery\n    return Celery()"},
            "jobs:make",
            ["."],
            "jobs:make()",
        ),
    ],
)
def test_a_line_names_an_app_as_celery_does(
    project: Write, files: dict[str, str | bytes], spec: str, folders: list[str], expected: str
) -> None:
    root = project({"worker.py": APP + TASK.format("go"), **files})

    (worker,) = workers(root, line(root, spec, folders=tuple(root / folder for folder in folders)))

    assert str(worker.app) == expected


def test_a_line_that_names_nothing_of_the_project_does_not_count(project: Write) -> None:
    root = project({"worker.py": APP})

    assert told(workers(root, line(root, "gone.app"), line(root, "${APP}"), line(root, ""))) == [
        ("worker", "worker:app", None)
    ]


def test_what_lies_outside_the_project_is_none_of_its_workers(project: Write) -> None:
    """A folder of a repository whose compose file starts other folders' programs, too."""
    root = project({"docker-compose.yml": "", "docs/conf.py": "", "jobs.py": APP, "back/worker.py": APP})
    lines = [line(root, "jobs"), line(root, "worker", folders=(root / "back",))]

    with pytest.raises(UsageError):
        workers(root / "docs", *lines)
    assert told(workers(root / "back", *lines)) == [("worker", "worker:app", None)]


def test_pythonpath_is_imported_from_beside_the_working_directory(project: Write) -> None:
    root = project({"src/jobs/app.py": APP, "libs/shared.py": ""})
    environ: Mapping[str, str] = {"PYTHONPATH": "/app/src:/app/libs"}

    (worker,) = workers(
        root, line(root, "jobs.app", folders=(root, root / "src", root / "libs", root / "no"), environ=environ)
    )

    assert worker.app == AppRef(root, "jobs.app", "app", (root / "src", root / "libs"))


@pytest.mark.parametrize(
    ("imports", "paths"),
    [
        ("from app.config import x", ["."]),  # backend/app/jobs.py is run as `jobs`, and imports as if from backend/
        ("import app.config", ["."]),
        ("from app import config", ["."]),
        ("import config", []),
        ("import other", []),
        ("def f():\n    import app.config", []),
        ("from shared.db import x", [".."]),
        ("import celery, json", []),
    ],
)
def test_the_folders_that_the_code_itself_imports_from_come_with_it(
    project: Write, imports: str, paths: list[str]
) -> None:
    root = project(
        {
            "backend/app/__init__.py": "",
            "backend/app/jobs.py": APP + "import other\n",
            "backend/app/other.py": imports,
            "backend/app/config.py": "",
            "shared/db.py": "",
            "celery/config.py": "",
        }
    )
    folder = root / "backend" / "app"

    (worker,) = workers(root, line(root, "jobs", folders=(folder,)))

    assert worker.app == AppRef(folder, "jobs", "app", tuple((root / "backend" / path).resolve() for path in paths))
    assert find_programs(root, (), celery="app.jobs:app").workers[0].app.folder == root / "backend"


def test_of_several_lines_for_one_app_the_first_has_the_options(project: Write) -> None:
    """They come in the order of their trustworthiness; those of examples do not count where there are others."""
    root = project({**BESIDE})
    files = ("examples/docker-compose.yml", "docker-compose.yml", "Procfile", "README.md")
    lines = [line(root, "app.worker", file, queues=str(number)) for number, file in enumerate(files)]

    (worker,) = workers(root, *lines)

    assert worker.queues == "1"
    assert [reason.partition(":")[0] for reason in worker.reasons] == ["docker-compose.yml", "Procfile", "README.md"]


def test_different_apps_in_one_file_are_different_workers(project: Write) -> None:
    root = project({**TWO})

    found = workers(root, line(root, "shop", service="shop-worker"), line(root, "bank", service="celery_bank"))

    assert told(found) == [("worker", "shop:app", None), ("celery-bank", "bank:app", None)]


def test_one_app_with_other_queues_in_other_services_is_several_workers(project: Write) -> None:
    root = project({**BESIDE})

    found = workers(
        root,
        line(root, "app.worker", service="worker", queues="slow", concurrency=1),
        line(root, "app.worker", service="mails", queues="mails", pool="threads"),
        line(root, "app.worker", service="worker-default"),
        line(root, "app.worker", service="more-mails", queues="mails"),
    )

    assert told(found) == [
        ("worker", "app.worker:celery_app", None),  # what goes to no queue in particular is the first one's
        ("worker-slow", "app.worker:celery_app", "slow"),
        ("mails", "app.worker:celery_app", "mails"),
    ]
    assert (found[1].concurrency, found[2].pool) == (1, "threads")


def test_one_service_of_two_files_is_one_worker(project: Write) -> None:
    root = project({**BESIDE})
    lines = [
        line(root, "app.worker", file, service="worker", queues=queues)
        for file, queues in (("docker-compose.yml", "a"), ("docker-compose.prod.yml", "a,b"), ("Procfile", "c"))
    ]

    assert told(workers(root, *lines)) == [("worker", "app.worker:celery_app", "a")]


def test_scripts_of_one_folder_start_the_project_together(project: Write) -> None:
    root = project({**TWO})

    found = workers(root, line(root, "shop", "bin/start-shop"), line(root, "bank", "bin/start-bank.sh"))

    assert [str(worker.app) for worker in found] == ["shop:app", "bank:app"]


def test_projects_of_their_own_in_one_repository_are_not_all_started(project: Write) -> None:
    """A course, say: each chapter has everything."""
    root = project({f"{chapter}/jobs.py": APP + TASK.format("go") for chapter in ("one", "two")})
    lines = [
        line(root, "jobs", f"{chapter}/docker-compose.yml", folders=(root / chapter,)) for chapter in ("one", "two")
    ]

    found = find_programs(root, lines)

    assert [worker.app.folder for worker in found.workers] == [root / "one"]
    assert found.notes == ("two/jobs.py:2 has a Celery app, too: devkit -C two up starts that one",)


def test_texts_that_contradict_one_another_are_a_note(project: Write) -> None:
    root = project({**BESIDE})
    lines = [line(root, "app.worker", "README.md", number, queues=f"q{number}") for number in range(10, 20)]

    found = find_programs(root, lines)

    assert told(found.workers) == [("worker", "app.worker:celery_app", "q10")]
    assert found.notes == (
        "the worker starts as in README.md:10; README.md:11, README.md:12, README.md:13 say otherwise",
    )


def test_a_text_that_names_two_apps_starts_both(project: Write) -> None:
    root = project({**TWO})

    assert len(workers(root, line(root, "shop", "README.md"), line(root, "bank", "README.md", 2))) == 2


def test_beats_and_flowers_lines_name_the_app_too(project: Write) -> None:
    root = project({**TWO, "worker.py": APP + TASK.format("go")})

    (worker,) = workers(root, line(root, "bank", program="flower", queues="x"))

    assert (str(worker.app), worker.queues) == ("bank:app", None)


def test_variables_that_nobody_knows_are_no_options(project: Write) -> None:
    root = project({**BESIDE})

    (worker,) = workers(root, line(root, "app.worker", queues="${QUEUES}", pool="$POOL"))

    assert (worker.queues, worker.pool) == (None, None)


def test_the_app_that_the_user_names_has_the_options_of_its_lines(project: Write) -> None:
    root = project({**BESIDE, "bank.py": APP})
    lines = [line(root, "app.worker", queues="a"), line(root, "bank", queues="b")]

    assert told(workers(root, *lines, celery="app.core:celery_app")) == [("worker", "app.core:celery_app", "a")]
    assert told(workers(root, *lines, celery="bank")) == [("worker", "bank:app", "b")]
    assert told(workers(root, line(root, "bank"), celery="app.worker")) == [("worker", "app.worker:celery_app", None)]


def test_names_of_services_that_devkit_has_itself_are_not_given_twice(project: Write) -> None:
    root = project({f"w{number}.py": APP for number in range(4)})
    services = ("flower", "api", "worker", "")

    found = workers(root, *(line(root, f"w{number}", service=services[number]) for number in range(4)))

    assert [worker.name for worker in found] == ["worker", root.name.replace("_", "-"), "w2", "w3"]


# --- by code ---


MANY = {"app/__init__.py": "", "app/core.py": CORE, **{f"app/{name}.py": OF_CORE.format(name) for name in "abc"}}
SHARED = "from celery import shared_task\n@shared_task\ndef go(): ...\n"
OF_A_CLASS = "class Go(app.Task):\n    name = 'go'\napp.register_task(Go())\n"
HUEY = "from huey import Huey\nhuey = Huey()\n@huey.task()\ndef go(): ...\n"


def core(text: str, first: str = CORE) -> dict[str, str]:
    """The app's own module says more; its tasks are in a module beside it."""
    return {**BESIDE, "app/core.py": first + text}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # who has the tasks
        (BESIDE, "app.worker:celery_app"),
        (
            {
                **BESIDE,
                "app/worker.py": "from app.core import celery_app\nimport app.a\n",
                "app/a.py": MANY["app/a.py"],
            },
            "app.worker:celery_app",
        ),
        ({"core.py": CORE, "jobs.py": "import core\n@core.celery_app.task\ndef go(): ...\n"}, "core:celery_app"),
        # ... unless the app says itself where tasks are
        (core("@celery_app.task\ndef own(): ...\n"), "app.core:celery_app"),
        (core("celery_app.autodiscover_tasks(['app'])"), "app.core:celery_app"),
        (core("celery_app.conf.imports = ['app.worker']"), "app.core:celery_app"),
        (core("import app.worker"), "app.core:celery_app"),
        (core("from . import worker"), "app.core:celery_app"),
        (core("from app import (\n    worker,\n)"), "app.core:celery_app"),
        (core("app = Celery('x', include=['app.worker'])", "from celery import Celery\n"), "app.core:app"),
        # tasks in many modules, of which none brings the others
        (MANY, "app.core:celery_app"),
        (
            {**MANY, "app/celery_worker.py": "from app.core import celery_app\nfrom app import a, b, c\n"},
            "app.celery_worker:celery_app",
        ),
        # who only sends
        ({"web.py": CELERY.format("celery"), "jobs.py": APP + TASK.format("go")}, "jobs:app"),
        ({"celery_app.py": CORE, "jobs.py": APP + OF_A_CLASS}, "jobs:app"),
        ({"celery_app.py": CORE, "jobs.py": APP + "def go(): ...\ngo = app.task(go)\n"}, "jobs:app"),
        ({"celery_app.py": CORE, "jobs.py": APP + "app.autodiscover_tasks(['x'])", "x/tasks.py": SHARED}, "jobs:app"),
        # tests and examples come last
        ({"tests/worker.py": APP + TASK.format("go"), "jobs.py": CELERY.format("queue")}, "jobs:queue"),
        # other libraries' tasks are none
        ({"celery_app.py": CORE, "jobs.py": HUEY, "core.py": APP + TASK.format("go")}, "core:app"),
    ],
)
def test_who_has_the_tasks_is_started(project: Write, files: dict[str, str], expected: str) -> None:
    assert str(find_celery(project({**files}))) == expected


def test_a_reason_tells_why(project: Write) -> None:
    assert workers(project({**BESIDE}))[0].reasons == (
        "app/worker.py:1  celery_app, whose tasks come with this module",
        "app/core.py:2  makes it",
    )


def test_where_no_app_has_tasks_all_others_are_named(project: Write) -> None:
    root = project({"jobs.py": APP, "web.py": CELERY.format("celery")})

    found = find_programs(root)

    assert (str(found.workers[0].app), len(found.notes)) == ("web:celery", 1)


def test_only_one_celery_app_is_no_note(project: Write) -> None:
    root = project({"jobs.py": APP + TASK.format("go"), "web.py": CELERY.format("celery")})

    assert find_programs(root).notes == ()  # web's is for sending


# --- bad input ---


def test_broken_files_and_links_stop_nothing(project: Write) -> None:
    root = project({"jobs.py": APP + TASK.format("go"), "broken.py": "@app.task\ndef (", "nul.py": b"Celery\0@x.task"})
    (root / "loop").symlink_to(root)
    (root / "self.py").symlink_to(root / "self.py")

    assert told(workers(root, line(root, "broken"))) == [("worker", "broken", None)]
    assert told(workers(root)) == [("worker", "jobs:app", None)]


def test_a_module_that_is_called_like_a_library_brings_no_folder_onto_the_path(project: Write) -> None:
    root = project(
        {
            "main.py": "from shop import celery_app\n",
            "shop/__init__.py": "from shop.celery.made import celery_app\nfrom shop import logging\n",
            "shop/logging.py": "import logging.config\n",
            "shop/celery/__init__.py": "",
            "shop/celery/made.py": CORE,
        }
    )

    (worker,) = workers(root, line(root, "main:celery_app"))
    assert worker.app == AppRef(root, "main", "celery_app")
