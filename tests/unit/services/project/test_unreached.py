"""Tasks that nothing imports: which they are, and the line that would import each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from devkit.services.project.unreached import Unreached, in_words, note_of, task_modules, tasks_not_reached
from devkit.settings.discover import AppRef

CELERY = "from celery import Celery\napp = Celery('core')\n"
TASK = "from core.celery_app import app\n\n\n@app.task\ndef evaluate(month): ...\n"
FILES = {"core/__init__.py": "", "core/celery_app.py": CELERY, "core/tasks/__init__.py": ""}
MADE = "where the app is made, core/celery_app.py:2"

Write = Callable[[dict[str, str]], AppRef]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(files: dict[str, str]) -> AppRef:
        for name, text in {**FILES, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return AppRef(tmp_path, "core.celery_app", "app")

    return write


def test_a_task_that_nothing_imports_is_named_with_its_place_and_the_lines_that_would_import_it(
    write: Write, tmp_path: Path
) -> None:
    app = write({"core/tasks/budget.py": TASK})

    assert tasks_not_reached(tmp_path, app, ["celery.ping"]) == [
        Unreached(
            name="core.tasks.budget.evaluate",
            module="core.tasks.budget",
            defined="core/tasks/budget.py:4",
            mend=(
                f'import it {MADE}: include=["core.tasks.budget"]',
                'or let it be found: autodiscover_tasks(["core.tasks"], related_name="budget")',
                "or start the worker with that module, without a change: devkit up -A core.tasks.budget:app",
            ),
        )
    ]


@pytest.mark.parametrize(
    ("file", "source", "name", "mend"),
    [
        ("core/tasks.py", TASK, "core.tasks.evaluate", 'autodiscover_tasks(["core"])'),
        ("jobs.py", TASK, "jobs.evaluate", 'include=["jobs"]'),
        ("jobs.py", TASK.replace("app.task", "app.task(name='go')"), "go", 'include=["jobs"]'),
        ("jobs.py", TASK.replace("app.task", "app.task(bind=True)"), "jobs.evaluate", 'include=["jobs"]'),
        ("jobs.py", "import core.celery_app as c\n@c.app.task\ndef go(): ...\n", "jobs.go", 'include=["jobs"]'),
        ("jobs.py", "from celery import shared_task\n@shared_task\ndef go(): ...\n", "jobs.go", 'include=["jobs"]'),
        ("jobs.py", "import celery\n@celery.shared_task(name='a:go')\ndef go(): ...\n", "a:go", 'include=["jobs"]'),
        (
            "jobs.py",
            "from core.celery_app import app\nfrom celery import Task\nclass Go(Task):\n    name = 'go'\n"
            "app.register_task(Go())\n",
            "go",
            'include=["jobs"]',
        ),
        (
            "jobs.py",
            "from celery import shared_task\ndef ours(f):\n    return shared_task(f)\n@ours\ndef go(): ...\n",
            "jobs.go",
            'include=["jobs"]',
        ),
    ],
)
def test_tasks_of_every_kind(write: Write, tmp_path: Path, file: str, source: str, name: str, mend: str) -> None:
    (found,) = tasks_not_reached(tmp_path, write({file: source}), [])

    assert found.name == name
    assert any(mend in way for way in found.mend)


@pytest.mark.parametrize(
    ("file", "source", "known"),
    [
        ("core/tasks/budget.py", TASK, "core.tasks.budget.evaluate"),
        ("core/tasks/budget.py", TASK, "tasks.budget.evaluate"),  # imported by another name
        ("core/tasks/budget.py", TASK, "backend.core.tasks.budget.evaluate"),
        ("tests/test_tasks.py", TASK, ""),
        ("jobs.py", "from celery import Celery\nother = Celery()\n@other.task\ndef go(): ...\n", ""),
        ("jobs.py", "from huey import Huey\napp = Huey()\n@app.task\ndef go(): ...\n", ""),
        ("jobs.py", "@app.task\ndef (", ""),
    ],
)
def test_what_the_app_has_or_is_not_to_have_is_none(
    write: Write, tmp_path: Path, file: str, source: str, known: str
) -> None:
    assert tasks_not_reached(tmp_path, write({file: source}), [known]) == []


def test_a_note_before_the_worker_starts(write: Write, tmp_path: Path) -> None:
    app = write({"core/tasks/budget.py": TASK})

    assert note_of(tmp_path, app, []) == (
        "core.celery_app:app has no tasks: nothing imports core.tasks.budget (core/tasks/budget.py:4); "
        f'import it {MADE}: include=["core.tasks.budget"]; '
        'or let it be found: autodiscover_tasks(["core.tasks"], related_name="budget"); '
        "or start the worker with that module, without a change: devkit up -A core.tasks.budget:app"
    )
    assert note_of(tmp_path, app, ["core.other"]).startswith(
        "core.celery_app:app does not have core.tasks.budget.evaluate: nothing imports core.tasks.budget "
    )
    assert note_of(tmp_path, app, ["core.tasks.budget.evaluate"]) == ""


def test_an_app_for_which_the_project_has_no_tasks(write: Write, tmp_path: Path) -> None:
    assert note_of(tmp_path, write({}), []) == (
        "core.celery_app:app has no tasks, and no module of the project has any for it"
    )


def test_of_many_the_first_few_are_told() -> None:
    many = [Unreached(f"t{number}", "m", f"m.py:{number}", ("same",)) for number in range(5)]

    looked, mend = in_words(many)

    assert looked[0] == "m.py:0 defines t0, but nothing that comes with the app imports it"
    assert looked[-1] == "and 2 more"
    assert (len(looked), mend) == (4, ["same"])


@pytest.mark.parametrize("name", ["NAME", "'celery.notify'", "f'{NAME}.go'"])
def test_a_name_that_reading_does_not_tell_may_be_one_of_those_that_the_worker_has(
    write: Write, tmp_path: Path, name: str
) -> None:
    task = TASK.replace("app.task", f"app.task(name={name})").replace("\n\n", "\nfrom core.names import NAME\n", 1)
    app = write({"core/tasks/budget.py": task})

    assert note_of(tmp_path, app, ["video.encode"]) == ""
    assert "nothing imports core.tasks.budget" in note_of(tmp_path, app, [])


@pytest.mark.parametrize(
    ("others", "modules"),
    [
        ({}, ["core.mail", "core.tasks.budget"]),
        # What is shared may be meant for the other app.
        ({"other.py": "from celery import Celery\napp = Celery('other')\n"}, ["core.tasks.budget"]),
    ],
)
def test_the_modules_that_would_give_an_app_tasks(
    write: Write, tmp_path: Path, others: dict[str, str], modules: list[str]
) -> None:
    shared = "from celery import shared_task\n@shared_task\ndef go(): ...\n"
    app = write({"core/tasks/budget.py": TASK, "core/mail.py": shared, **others})

    assert sorted(task_modules(tmp_path, app)) == modules


def test_the_note_on_what_the_worker_imports(write: Write, tmp_path: Path) -> None:
    app = write({"core/tasks/budget.py": TASK})

    assert note_of(tmp_path, app, ["core.tasks.budget.evaluate"], ["core.tasks.budget"]) == (
        "core.celery_app:app has no tasks of its own: nothing imports core.tasks.budget (core/tasks/budget.py:4), so"
        f" the worker does: celery worker -I core.tasks.budget; for good, import it {MADE}:"
        ' include=["core.tasks.budget"]'
    )
