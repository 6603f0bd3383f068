"""`devkit init`: what discovery finds is written down, and nothing that is there is lost."""

import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.harness import Project

CODE = "import celery, fastapi\nqueue = celery.Celery()\nweb = fastapi.FastAPI()\n"
BEFORE = "# ours\n[project]\nname = 'x'\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with closing(Project(tmp_path, {"shop.py": CODE, "pyproject.toml": BEFORE})) as project:
        yield project


def test_what_is_found_is_written_once(project: Project) -> None:
    done = project.devkit("init").expect(0)
    assert (done.out, 'celery = "shop:queue", api = "shop:web"' in done.err) == ("", True)
    after = (project.root / "pyproject.toml").read_text()
    assert after.startswith(f"{BEFORE}\n[tool.devkit]\n# found: shop.py:2 ")
    assert after.endswith('\napi = "shop:web"\n')
    assert tomllib.loads(after)["tool"]["devkit"] == {"celery": "shop:queue", "api": "shop:web"}

    assert "devkit init --force" in project.devkit("init").expect(2).err
    assert (project.root / "pyproject.toml").read_text() == after


def test_without_an_app_nothing_is_written(project: Project) -> None:
    project.write({"shop.py": ""})

    for arguments in ((), ("--docker",)):
        assert "No Celery app found" in project.devkit("init", *arguments).expect(2).err
    assert sorted(path.name for path in project.root.iterdir()) == ["pyproject.toml", "shop.py"]


def test_files_for_containers_have_the_name_that_is_set(project: Project) -> None:
    (project.root / "pyproject.toml").write_text(f'{BEFORE}[tool.devkit]\ncompose_file = "mine.yml"\n')
    project.devkit("init", "--docker", "--no-api").expect(0)
    assert "shop:web" not in (project.root / "mine.yml").read_text()
    assert "mine.yml" in (project.root / "Dockerfile.dev").read_text()

    (project.root / "mine.yml").write_text("edited")
    assert "--force" in project.devkit("init", "--docker").expect(2).err
    assert (project.root / "mine.yml").read_text() == "edited"

    project.devkit("init", "--docker", "--force").expect(0)
    assert "devkit api shop:web" in (project.root / "mine.yml").read_text()


def test_a_layout_as_strangers_have_it_is_written_down_and_runs(tmp_path: Path) -> None:
    """The app is made in one module, its tasks are in another, and only a script knows of the queue."""
    files = {
        "app/__init__.py": "",
        "app/core.py": "from celery import Celery\ndef make():\n    return Celery('app')\nqueue = make()\n",
        "app/worker.py": "from app.core import queue\n@queue.task(queue='orders')\ndef order(n):\n    return n * 2\n",
        "start-worker": "#!/bin/sh\nexec celery -A app.worker worker -Q orders -l info\n",
    }
    with closing(Project(tmp_path, files)) as project:
        project.devkit("init").expect(0)
        text = (project.root / "pyproject.toml").read_text()
        (project.root / "start-worker").unlink()  # what is written down needs no evidence

        assert "# found: start-worker:2 celery -A app.worker worker -Q orders -l info\n" in text
        assert 'celery = "app.worker:queue"\nqueues = "orders"\n' in text
        project.up("--no-flower")
        assert "42" in project.devkit("run", "order", "--args", "[21]").expect(0).out


APP = """
from celery import Celery

app = Celery({name!r})


@app.task(queue={name!r})
def {task}(n):
    return n * {by}
"""
PROCFILE = """
worker: celery -A shop.worker worker -Q orders
mails: cd mails && celery -A jobs worker -Q mails
"""


def test_several_workers_are_written_as_tables_which_up_reads(tmp_path: Path) -> None:
    files = {
        "shop/worker.py": APP.format(name="orders", task="sell", by=2),
        "mails/jobs.py": APP.format(name="mails", task="send", by=3),
        "Procfile": PROCFILE,
    }
    with closing(Project(tmp_path, files)) as project:
        project.devkit("init").expect(0)
        written = tomllib.loads((project.root / "pyproject.toml").read_text())["tool"]["devkit"]
        assert written == {
            "celery": "shop.worker:app",
            "queues": "orders",
            "workers": {"mails": {"celery": "jobs:app", "folder": "mails", "queues": "mails"}},
        }
        (project.root / "Procfile").unlink()

        project.up("--no-flower")
        assert {"worker", "mails"} <= project.services().keys()
        assert "4" in project.devkit("run", "sell", "--args", "[2]").expect(0).out
        assert "6" in project.devkit("run", "send", "--args", "[2]", cwd=project.root / "mails").expect(0).out
        before = (project.root / "pyproject.toml").read_text()
        project.devkit("init", "--force").expect(0)
        assert tomllib.loads((project.root / "pyproject.toml").read_text()) == tomllib.loads(before)
