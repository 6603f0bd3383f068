"""Verdicts on stored results, whose tracebacks are only text: the same code is the project's own, then and now."""

import json
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.acceptance.harness import DEVKIT, Done, Project, environment

PACKAGES = sysconfig.get_path("purelib")
EAGER = "app.conf.update(task_always_eager=True, task_store_eager_result=True, result_extended=True)"
# The task fails in what this calls, which is not its own code.
TASKS = """{before}

from celery import Celery

app = Celery("shop", include=[__name__])


@app.task
def load(text):
    return {call}
"""
LIBRARY = "import json\n\n\ndef parse(text):\n    return json.loads(text)\n"
CALLS_LIBRARY = TASKS.format(before="import library", call="library.parse(text)")
RATES = LIBRARY.replace("def parse", "def rate")
CALLS_RATES = TASKS.format(before="from rates import rate", call="rate(text)")


def whole_environment(folder: Path) -> Path:
    """One with a standard library of its own, as conda makes them; its interpreter."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library, base = folder / "lib" / version, Path(sysconfig.get_path("stdlib"))
    (folder / "bin").mkdir(parents=True)
    (folder / "conda-meta").mkdir()
    shutil.copy(Path(sys.base_prefix, "bin", version), folder / "bin" / "python")
    (library / "site-packages").mkdir(parents=True)
    for entry in base.iterdir():
        if entry.name != "site-packages":
            (library / entry.name).symlink_to(entry)
    (library / "site-packages" / "packages.pth").write_text(f"{PACKAGES}\n")
    return folder / "bin" / "python"


def packages_of(python: Path) -> Path:
    return next(python.parents[1].glob("lib/python*/site-packages"))


def store(project: Project, python: Path, task_id: str = "load-1", text: str = "{", module: str = "tasks") -> None:
    """Have the task fail as it does in a worker without devkit, and Celery store its result in a file."""
    results = project.root.parent / "results"
    results.mkdir(exist_ok=True)
    project.environ |= {"CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": f"file://{results}"}
    project.environ |= {"DEVKIT_PYTHON": str(python)}
    code = f"from {module} import *; {EAGER}; load.apply_async(({text!r},), task_id={task_id!r})"
    project.run(str(python), "-B", "-c", code).expect(0)


def judge(project: Project, place: str, *options: str) -> None:
    """Replay it as the same failure, in this function: as it was stored, and as a container would have stored it."""
    results = project.root.parent / "results"
    meta = json.loads((results / "celery-task-meta-load-1").read_text())
    moved = meta["traceback"].replace(str(project.root.parent), "/srv")
    assert moved != meta["traceback"]
    meta |= {"task_id": "load-2", "traceback": moved}
    (results / "celery-task-meta-load-2").write_text(json.dumps(meta))

    done = project.devkit("replay", "load-1", "load-2", "--same", "--json", *options).expect(1)

    assert [one["verdict"] for one in done.json()] == ["same failure"] * 2, done
    assert [f" in {place}:" in one["why"] for one in done.json()] == [True, True], done


@pytest.mark.parametrize("name", [".venv", "env", "conda", "my-env"])
def test_an_environment_in_the_project(empty: Project, name: str) -> None:
    python = whole_environment(empty.root / name)
    (packages_of(python) / "library.py").write_text(LIBRARY)
    empty.write({"tasks.py": CALLS_LIBRARY})
    store(empty, python)

    judge(empty, "load")


def test_a_virtual_environment_in_the_project(empty: Project) -> None:
    python = environment(empty.root / "env", PACKAGES)
    (packages_of(python) / "library.py").write_text(LIBRARY)
    empty.write({"tasks.py": CALLS_LIBRARY})
    store(empty, python)

    judge(empty, "load")


@pytest.mark.parametrize("how", ["path", "link", "copy"])
def test_a_project_that_is_installed(empty: Project, how: str) -> None:
    """To be edited, by a path or a link to src/; or as it is, when only the name of its package tells."""
    python = environment(empty.root / ".venv", PACKAGES)
    code = TASKS.format(before="from shop.rates import rate", call="rate(text)")
    empty.write({"src/shop/__init__.py": "", "src/shop/tasks.py": code, "src/shop/rates.py": RATES})
    empty.environ |= {"DEVKIT_CELERY": "shop.tasks:app"}
    match how:
        case "path":
            (packages_of(python) / "shop.pth").write_text(f"{empty.root / 'src'}\n")
        case "link":
            (packages_of(python) / "shop").symlink_to(empty.root / "src" / "shop")
        case "copy":
            shutil.move(empty.root / "src" / "shop", packages_of(python) / "shop")
    store(empty, python, module="shop.tasks")

    judge(empty, "rate")


def test_a_folder_with_the_code_in_src(empty: Project) -> None:
    python = environment(empty.root / "env", PACKAGES)
    empty.write({"src/tasks.py": CALLS_RATES, "src/rates.py": RATES})
    empty.environ |= {"PYTHONPATH": "src"}
    store(empty, python)

    judge(empty, "rate")


def test_a_project_that_is_reached_by_a_link(empty: Project) -> None:
    python = environment(empty.root / "env", PACKAGES)
    empty.write({"tasks.py": CALLS_RATES, "rates.py": RATES})
    link = empty.root.parent / "link"
    link.symlink_to(empty.root)
    empty.environ |= {"PYTHONPATH": str(link), "PYTHONSAFEPATH": "1"}
    store(empty, python)
    meta = json.loads((empty.root.parent / "results" / "celery-task-meta-load-1").read_text())
    assert f'"{link}/rates.py"' in meta["traceback"]

    judge(empty, "rate")
    judge(empty, "rate", "-C", str(link))


def test_a_package_that_lies_beside_the_project(empty: Project) -> None:
    """A monorepo: the package is code of the same people, wherever a path leads there from."""
    shared = empty.root.parent / "shared" / "pricing"
    shared.mkdir(parents=True)
    (shared / "__init__.py").touch()
    (shared / "rates.py").write_text(RATES)
    python = environment(empty.root / "env", PACKAGES, str(shared.parent))
    empty.write({"tasks.py": CALLS_RATES.replace("from rates", "from pricing.rates")})
    store(empty, python)

    judge(empty, "rate")


def test_modules_that_are_frozen(empty: Project) -> None:
    python = environment(empty.root / "env", PACKAGES)
    empty.write({"tasks.py": TASKS.format(before="import importlib", call="importlib.import_module(text)")})
    store(empty, python, text="no_such.module")

    assert "<frozen importlib" in (empty.root.parent / "results" / "celery-task-meta-load-1").read_text()
    judge(empty, "load")


RIGHT, WRONG = "json.loads(text or '1')", "json.loads(text)"
OTHERWISE = "json.loads(text.no_such)"
HISTORY = (RIGHT, RIGHT, RIGHT, OTHERWISE, RIGHT, WRONG, OTHERWISE, WRONG, WRONG, WRONG)
BREAKS = 5


def test_bisecting_by_a_stored_result(empty: Project) -> None:
    def git(*arguments: str) -> Done:
        return empty.run("git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments).expect(0)

    python = whole_environment(empty.root / "env")
    git("init", "-q", "-b", "main")
    for number, call in enumerate(HISTORY):
        empty.write({"tasks.py": TASKS.format(before=f"# {number}\nimport json", call=call)})
        git("add", "tasks.py")
        git("commit", "-q", "-m", f"change {number}")
    store(empty, python, text="")

    git("bisect", "start", "HEAD", f"HEAD~{len(HISTORY) - 1}")
    found = empty.run("git", "bisect", "run", DEVKIT, "replay", "load-1", "--same").expect(0).out

    assert re.search(rf"is the first bad commit\n(?:.*\n)*?\s+change {BREAKS}\n", found), found
