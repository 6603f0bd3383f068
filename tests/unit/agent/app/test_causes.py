"""Why a project's code fails while it is imported: real failures, of the libraries that projects use."""

import os
import runpy
import socket
from pathlib import Path

import pytest

from devkit.agent.app.causes import cause
from devkit.model.wire import Trouble

TRIPWIRE = "Trip-Wire-7"
SETTINGS = "from pydantic_settings import BaseSettings, SettingsConfigDict\nclass Settings(BaseSettings):\n"


def why(folder: Path, source: str, **files: str) -> tuple[str, Trouble]:
    """What is told of this module's failure."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "worker.py").write_text(source)
    try:
        runpy.run_path(str(folder / "worker.py"), run_name="worker")
    except BaseException as error:  # noqa: BLE001 - also SystemExit
        return cause(error)
    pytest.fail("it does not fail")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's, in which its process works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("BROKER", "BROKER_URL", "DATABASE_URL", "SECRET_KEY", "WORKERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IS_SET", TRIPWIRE)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "line", "names"),
    [
        ("import os\nX = os.environ['BROKER']", 2, ["BROKER"]),
        ("import os\nX = int(os.getenv('WORKERS'))", 2, ["WORKERS"]),
        ("import os\nX = os.environ.get('BROKER').split(',')", 2, ["BROKER"]),
        ("from os import environ, getenv\nX = environ.get('IS_SET') + getenv('BROKER')", 2, ["BROKER"]),
        ("import os\nassert os.getenv('SECRET_KEY')", 2, ["SECRET_KEY"]),
        (
            "import os\nfrom sqlalchemy import create_engine\nURL = os.getenv('DATABASE_URL')\n\ncreate_engine(URL)",
            5,
            ["DATABASE_URL"],
        ),
        (f"{SETTINGS}    broker_url: str\n    is_set: str\nSettings()", 5, ["BROKER_URL"]),
        (
            f"{SETTINGS}    model_config = SettingsConfigDict(env_prefix='A_')\n    url: str\n    db: str\nSettings()",
            6,
            ["A_URL", "A_DB"],
        ),
        # As decouple, environs, starlette, django-environ and Django itself have it, and as people do.
        ("raise Exception('BROKER not found. Declare it as envvar or define a default value.')", 1, ["BROKER"]),
        ("raise Exception('Environment variable \"BROKER\" not set')", 1, ["BROKER"]),
        ("raise KeyError(\"Config 'BROKER' is missing, and has no default.\")", 1, ["BROKER"]),
        ("raise Exception('Set the DATABASE_URL environment variable')", 1, ["DATABASE_URL"]),
        ("raise Exception('The SECRET_KEY setting must not be empty.')", 1, ["SECRET_KEY"]),
        ("import sys\nsys.exit('DATABASE_URL is not set')", 2, ["DATABASE_URL"]),
    ],
)
def test_a_variable_that_is_not_set(folder: Path, source: str, line: int, names: list[str]) -> None:
    kind, told = why(folder, source)

    assert (kind, told["variables"]) == ("variable", names)
    assert (told["file"], told["line"]) == (str(folder / "worker.py"), line)
    assert TRIPWIRE not in told["message"] + told["traceback"]


@pytest.mark.parametrize(
    "source",
    [
        "X = {}['BROKER']",
        "X = None\nX.split(',')",
        "import os\nX = int(os.environ['IS_SET'])",
        "import os\nX = 1 / (os.getenv('BROKER') is None and 0)",
        "raise RuntimeError('IS_SET is not set as it should be')",
        "raise ValueError('no')",
        "from other import no_such_name",
        "import other.part",
        "x = = 1",
    ],
)
def test_the_projects_own_bug(folder: Path, source: str) -> None:
    assert why(folder, source, other="x = 1")[0] == "raises"


def test_what_pydantic_does_not_take_is_told_without_any_value(folder: Path) -> None:
    kind, told = why(folder, f"{SETTINGS}    is_set: int\nSettings()")

    assert kind == "raises"
    assert told["message"].startswith("ValidationError: is_set: Input should be a valid integer")
    assert TRIPWIRE not in told["message"] + told["traceback"]


def test_a_model_of_pydantics_is_no_settings(folder: Path) -> None:
    source = "from pydantic import BaseModel\nclass Order(BaseModel):\n    BROKER: str\nOrder()"

    assert why(folder, source)[0] == "raises"


def test_a_package_that_is_not_installed(folder: Path) -> None:
    kind, told = why(folder, "import no_such_package.part")

    assert (kind, told["missing"], told.get("what")) == ("package", "no_such_package", None)


@pytest.mark.parametrize("source", ["import celery.no_such_part", "from celery import no_such_name"])
def test_a_package_of_another_version(folder: Path, source: str) -> None:
    import celery

    kind, told = why(folder, source)

    assert (kind, told["what"]) == ("package", f"celery {celery.__version__}")


@pytest.mark.parametrize(
    "message",
    [
        "No module named 'redis'",
        "'NoneType' object has no attribute 'Redis'",
        "Redis transport requires redis-py versions 4.5.2 or later. You have 3.5.3",
        "You need to install the redis library in order to use the Redis result store backend.",
    ],
)
def test_a_transport_that_cannot_be_had(folder: Path, message: str) -> None:
    assert why(folder, f"raise Exception({message!r})")[0] == "transport"


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("import redis\nredis.Redis(host='127.0.0.1', port={port}).ping()", ("127.0.0.1", 0)),
        ("import socket\nsocket.create_connection(('127.0.0.1', {port}))", ("127.0.0.1", 0)),
        (
            "import urllib.request as u\nu.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:{port}')",
            ("127.0.0.1", 0),
        ),
        (
            "from celery import Celery\nCelery(broker='amqp://127.0.0.1:{port}').connection().ensure_connection("
            "max_retries=1, timeout=1)",
            ("127.0.0.1", 0),
        ),
        ("raise OSError('could not translate host name \"db\" to address: Name or service not known')", ("db", -1)),
        (
            "raise OSError('connection to server at \"10.0.0.1\", port 5432 failed: Connection refused')",
            ("10.0.0.1", 5432),
        ),
        ('raise OSError("(2003, \\"Can\'t connect to MySQL server on \'mysql\' ([Errno -2])\\")")', ("mysql", -1)),
        ("raise OSError('mongo:27017: [Errno -2] Name or service not known, Timeout: 30s')", ("mongo", 27017)),
    ],
)
def test_a_server_that_does_not_answer(folder: Path, source: str, address: tuple[str, int]) -> None:
    """A port of 0 is the one that was free, -1 is not told."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kind, told = why(folder, source.replace("{port}", str(port)))

    assert kind == "service"
    assert (told["host"], told["port"]) == (address[0], {0: port, -1: 0}.get(address[1], address[1]))


def test_it_is_the_cause_that_counts_not_what_came_of_it(folder: Path) -> None:
    source = (
        "import os\ntry:\n    os.environ['BROKER']\nexcept KeyError as error:\n    raise RuntimeError('no') from error"
    )

    assert why(folder, source)[0] == "variable"
    assert "BROKER" not in os.environ


@pytest.mark.parametrize(
    ("source", "install"),
    [
        (
            "raise ImportError(\"The SQLAlchemy asyncio module requires the Python 'greenlet' library. "
            "In order to ensure this dependency is available, use: 'pip install sqlalchemy[asyncio]'\")",
            "sqlalchemy[asyncio]",
        ),
        (
            "raise RuntimeError('Form data requires \"python-multipart\" to be installed.')",
            "python-multipart",
        ),
        ("raise AssertionError('jinja2 must be installed to use Jinja2Templates')", "jinja2"),
        ("raise ImportError('email-validator is not there, run `pip install -U pydantic[email]`')", "pydantic[email]"),
        ("from pydantic import BaseSettings", "pydantic<2"),
    ],
)
def test_a_package_that_the_error_itself_asks_for(folder: Path, source: str, install: str) -> None:
    kind, details = why(folder, source)

    assert (kind, details["install"]) == ("package", install)


@pytest.mark.parametrize(
    "source", ["raise RuntimeError('pip install -r requirements.txt first')", "raise ImportError('install it')"]
)
def test_what_names_no_package(folder: Path, source: str) -> None:
    assert why(folder, source)[0] == "raises"


def test_the_import_that_failed_is_told_where_a_library_says_only_that_there_is_no_such_module(folder: Path) -> None:
    source = "from celery import Celery\napp = Celery()\napp.config_from_object('package.settings')\napp.conf.imports"
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "settings.py").write_text("from json import nothing_like_it\n")

    kind, details = why(folder, source)

    assert kind == "raises"
    assert details["file"].endswith("package/settings.py")
    assert "nothing_like_it" in details["message"]
    assert "nothing_like_it" in details["traceback"]


def test_the_variables_that_the_code_and_what_it_imports_read_are_told_with_the_failure(folder: Path) -> None:
    config = (
        "import os\nclass Names:\n    port = 'REDIS_PORT'\nHOST = os.environ.get('REDIS_HOST', 'localhost')\n"
        "PORT = os.environ.get(Names.port)\nSET = os.getenv('IS_SET')\nURL = f'redis://{HOST}:{PORT}'\n"
    )
    source = "from redis import Redis\nfrom first_config import URL\n\nRedis.from_url(URL)"

    kind, details = why(folder, source, first_config=config)

    assert kind == "raises"
    assert details["reads"] == {
        "REDIS_HOST": f"{folder}/first_config.py:4",
        "REDIS_PORT": f"{folder}/first_config.py:5",
    }
    source = "from second_config import URL\n"
    kind, details = why(folder, source, second_config=f"{config}\nos.environ['BROKER']")
    assert (kind, details["variables"]) == ("variable", ["BROKER"])
    assert list(details["reads"]) == ["REDIS_PORT", "BROKER"]
