"""Apps that no module makes by plainly calling their class: what reading follows, and where it gives up."""

from pathlib import Path

import pytest

from devkit.settings.discover import find_celery, find_programs
from tests.unit.settings.apps import APP, Write, celery_error

IN_UTILS = "from celery import Celery\n"
FACTORY = IN_UTILS + "def make():\n    made = Celery('x')\n    return made\n"
HANG = "from fastapi import FastAPI\nfrom utils import make\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # a function's result, by what it returns or by its annotation
        ({"utils.py": FACTORY, "jobs.py": "from utils import make\nqueue = make()"}, "jobs:queue"),
        ({"utils.py": FACTORY, "jobs.py": "import utils\nqueue = utils.make()"}, "jobs:queue"),
        ({"utils.py": FACTORY, "jobs.py": "import utils as u\nqueue = u.make()"}, "jobs:queue"),
        ({"utils.py": FACTORY, "jobs.py": "from utils import *\nqueue = make()"}, "jobs:queue"),
        ({"utils.py": FACTORY + "queue = make()"}, "utils:queue"),
        ({"utils.py": FACTORY, "jobs.py": "from utils import make\nif True:\n    queue = make()"}, "jobs:queue"),
        ({"utils.py": FACTORY, "jobs.py": "from utils import make\ntry:\n    q = make()\nfinally: ..."}, "jobs:q"),
        ({"utils.py": IN_UTILS + "def make() -> Celery: ...\nqueue = make()"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "def make() -> 'Celery': ...\nqueue = make()"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "def make() -> Celery | None: ...\nqueue = make()"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "async def make() -> Celery: ...\nqueue: Celery = run(make())"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "def make(a: Celery):\n    return a\nqueue = make(other)"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "def told(a):\n    return a\nqueue = told(Celery('x'))"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "def two():\n    return 1, Celery()\nsettings, queue = two()"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "def make():\n    import x\n    return x.q or Celery()\nq = make()"}, "utils:q"),
        ({"utils.py": IN_UTILS + "import typing\nqueue = typing.cast(Celery, load())"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "queue: Celery = load()"}, "utils:queue"),
        ({"utils.py": IN_UTILS + "queue = load() if X else Celery()"}, "utils:queue"),
        # through packages
        (
            {
                "core/__init__.py": "from .utils import make",
                "core/utils.py": FACTORY,
                "run.py": "from core import make\nqueue = make()",
            },
            "run:queue",
        ),
        (
            {
                "core/__init__.py": "",
                "core/utils.py": FACTORY,
                "core/deep/__init__.py": "",
                "core/deep/run.py": "from ..utils import make as m\nqueue = m()",
            },
            "core.deep.run:queue",
        ),
        ({"core/utils.py": FACTORY, "run.py": "from core.utils import make\nqueue = make()"}, "run:queue"),
        ({"core/utils.py": FACTORY, "run.py": "from core import utils\nqueue = utils.make()"}, "run:queue"),
        ({"src/core/u.py": FACTORY, "src/core/run.py": "from core.u import make\nqueue = make()"}, "core.run:queue"),
        # subclasses
        ({"utils.py": IN_UTILS + "class Queue(Celery): ...\n", "q.py": "from utils import Queue\nq = Queue()"}, "q:q"),
        ({"utils.py": "import celery\nclass Queue(celery.Celery): ...\nq = Queue('x')"}, "utils:q"),
        ({"utils.py": IN_UTILS + "class A(Celery): ...\nclass B(A): ...\nq = B('x')"}, "utils:q"),
        # what hangs on another app
        (
            {"utils.py": FACTORY, "main.py": HANG + "app = FastAPI()\napp.queue = make()\nqueue = app.queue"},
            "main:queue",
        ),
        (
            {
                "utils.py": FACTORY,
                "web.py": HANG + "def create():\n    app = FastAPI()\n    app.state.celery = make()\n    return app\n",
                "main.py": "from web import create\napp = create()\ncelery = app.state.celery",
            },
            "main:celery",
        ),
        (
            {
                "utils.py": FACTORY,
                "web.py": HANG + "def hang(app):\n    app.celery_app = make()\n"
                "def create():\n    app = FastAPI()\n    hang(app)\n    return app\n",
                "main.py": "from web import create\napp = create()",
                "celery_worker.py": "from main import app\ncelery = app.celery_app",
            },
            "celery_worker:celery",
        ),
        (
            {"web.py": "def create(): ...\n", "make_celery.py": "from web import create\nflask_app = create()\n"
             "celery_app = flask_app.extensions['celery']\n"},
            "make_celery:celery_app",
        ),
        (
            {
                "own.py": IN_UTILS + "class K:\n    def __init__(me):\n        me.queue = Celery()\nkept = K()\n",
                "main.py": "from own import kept\ncelery = kept.queue",
            },
            "main:celery",
        ),
        (
            {"web.py": HANG + "def create():\n    app = FastAPI()\n    return app, make()\n", "utils.py": FACTORY,
             "run.py": "from web import create\napp, queue = create()"},
            "run:queue",
        ),
        # Celery's current app
        ({"q.py": "from celery import current_app\nqueue = current_app"}, "q:queue"),
        ({"q.py": "import celery\ndef make():\n    return celery.current_app\nqueue = make()"}, "q:queue"),
        ({"q.py": "from celery import current_app as c\nqueue = c._get_current_object()"}, "q:queue"),
    ],
)  # fmt: skip
def test_an_app_that_a_function_makes(project: Write, files: dict[str, str | bytes], expected: str) -> None:
    assert str(find_celery(project(files))) == expected


@pytest.mark.parametrize(
    "source",
    [
        "from celery import current_app",  # of somebody who uses it, as any task's module may
        "from celery import Celery\ndef make():\n    return Celery().tasks\nqueue = make()",
        "from celery import Celery\ndef make(): ...\nqueue = make()",
        "from celery import Celery\nclass Kept:\n    app = Celery('x')\nkept = Kept()",
        "from celery import Celery\nclass Queue: ...\nq = Queue()",
        "def make():\n    return make()\nqueue = make()",
        "a = b\nb = a",
        "from worker import a as b, b as a",
        "class A(B): ...\nclass B(A): ...\na = A()",
        "from . import *",
        "from ....... import make\nqueue = make()",
        "def two():\n    return 1, 2\n_, _, queue = two()",
    ],
)
def test_what_is_none_or_leads_nowhere(project: Write, source: str) -> None:
    assert celery_error(project({"worker.py": f"from celery import Celery\n{source}"})).what == "No Celery app found"


def test_imports_in_a_circle(project: Write) -> None:
    root = project(
        {
            "core/__init__.py": "from .b import make",
            "core/a.py": "from celery import Celery\nfrom .b import other\ndef make():\n    return Celery()\n",
            "core/b.py": "from core import *\nfrom .a import make\nother = make\nqueue = make()\n",
        }
    )

    assert str(find_celery(root)) == "core.b:queue"


def test_names_that_lead_to_one_another_in_all_ways_come_to_an_end(project: Write) -> None:
    """To try every way would outlast the universe."""
    many = "".join(f"a{number} = a{number + 1} or a{number + 1} or Celery\n" for number in range(200))
    root = project({"worker.py": "from celery import Celery\n" + many + "a200 = b or c\napp = Celery()\n"})

    assert str(find_celery(root)) == "worker:app"


def test_an_app_of_one_name_for_two_is_one_app(project: Write) -> None:
    root = project({"core.py": APP + "@app.task\ndef go(): ...\n", "web.py": "import core\ncelery = core.app\n"})

    found = find_programs(root)

    assert len(found.workers) == 1
    assert found.notes == ()


@pytest.mark.parametrize(
    ("files", "attribute", "factory"),
    [
        ({"web.py": "from fastapi import FastAPI\ndef create_app() -> FastAPI:\n    return f()\n"}, "create_app", True),
        (
            {"web.py": "from fastapi import FastAPI\ndef create_app():\n    return FastAPI()\n",
             "main.py": "from web import create_app\napp = create_app()\n"},
            "app", False,
        ),
        ({"web.py": "from fastapi import FastAPI\ndef build(*, debug=False):\n    return FastAPI()\n"}, "build", True),
        ({"web.py": "from fastapi import FastAPI\nclass Web(FastAPI): ...\napi = Web()\n"}, "api", False),
    ],
)  # fmt: skip
def test_an_api_that_a_function_makes(
    project: Write, files: dict[str, str | bytes], attribute: str, factory: bool
) -> None:
    (api,) = find_programs(project({"worker.py": APP, **files})).apis

    assert api.app is not None
    assert (api.kind, api.app.attribute, api.factory) == ("asgi", attribute, factory)


def test_a_function_that_has_to_be_given_something_makes_no_api_by_itself(project: Write) -> None:
    root = project({"worker.py": APP, "web.py": "from fastapi import FastAPI\ndef f(x):\n    return FastAPI()\n"})

    assert find_programs(root).apis == ()


def test_a_file_beyond_the_project_is_followed_to(tmp_path: Path, project: Write) -> None:
    root = project({"shared/__init__.py": "", "shared/q.py": FACTORY, "shared/api/__init__.py": "",
                    "shared/api/w.py": "from shared.q import make\ncelery = make()"}) / "shared" / "api"  # fmt: skip

    assert str(find_celery(root)) == "shared.api.w:celery"
