"""What `devkit init` finds out, and what it writes."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

import devkit
from devkit.errors import DevkitError, UsageError
from devkit.services.init.docker import COPY, docker_files, write_files
from devkit.services.init.evidence import Evidence
from devkit.services.init.origin import Origin, find_origin, origin_of
from devkit.services.init.requirements import Install, find_install
from devkit.services.init.table import Written, with_table, write_tables
from devkit.settings.discover import AppRef
from devkit.settings.discover.programs import ApiProgram, Found, WorkerProgram

VALUES = Written({"celery": "jobs:app", "api": "main:app"})
TABLE = '[tool.devkit]\ncelery = "jobs:app"\napi = "main:app"\n'
FROM_AN_INDEX = Origin("celery-devkit==1.2")


def project(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def evidence(root: Path, files: dict[str, str]) -> Evidence:
    return Evidence(project(root, files), ["Dockerfile.dev", "docker-compose.dev.yml"])


def found(celery: AppRef, api: AppRef | None = None) -> Found:
    apis = (ApiProgram("api", "asgi", api.folder, api),) if api else ()
    return Found((WorkerProgram("worker", celery),), apis)


def compose_file(root: Path, files: dict[str, str], celery: AppRef | None = None, api: AppRef | None = None) -> str:
    project(root, files)
    return docker_files(root, "c.yml", found(celery or AppRef(root, "jobs", "app"), api), FROM_AN_INDEX).files["c.yml"]


def dockerfile(root: Path, files: dict[str, str], origin: Origin = FROM_AN_INDEX) -> str:
    written = docker_files(project(root, files), "c.yml", found(AppRef(root, "jobs", "app")), origin)
    return written.files["Dockerfile.dev"]


def install(root: Path, *folders: str, launched: tuple[str, ...] = ()) -> Install:
    found = find_install(root, [root / folder for folder in folders or [""]], launched)
    assert found
    return found


# --- [tool.devkit] ---


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", TABLE),
        ("[project]\nname = 'x'  # ä\n", f"[project]\nname = 'x'  # ä\n\n{TABLE}"),
        ("[project]\nname = 'x'", f"[project]\nname = 'x'\n\n{TABLE}"),
        ("[project]\r\nname = 'x'\r\n", "[project]\r\nname = 'x'\r\n\r\n" + TABLE.replace("\n", "\r\n")),
        # The table is there: only its own keys of these names are replaced.
        (
            '[tool.devkit]  # ours\nporto = 1\napi = "old:app"\n\n[tool.x]\napi = 2\n',
            '[tool.devkit]  # ours\ncelery = "jobs:app"\napi = "main:app"\nporto = 1\n\n[tool.x]\napi = 2\n',
        ),
        ("[tool.devkit]", TABLE),
    ],
)
def test_the_table_is_added_and_the_rest_stays(before: str, after: str) -> None:
    assert with_table(before, VALUES) == after
    assert tomllib.loads(after)["tool"]["devkit"].items() >= VALUES.values.items()


def test_a_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    write_tables(tmp_path / "pyproject.toml", [Written({"celery": 'say "ä":app'})], force=False)

    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["devkit"] == {"celery": 'say "ä":app'}


def test_a_table_that_is_there_is_changed_by_force_only(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    before = '[tool.devkit]\ncelery = "mine:app"\npoll = true\n'
    file.write_text(before)

    with pytest.raises(UsageError, match="already") as error:
        write_tables(file, [VALUES], force=False)
    assert "--force" in error.value.mend[0]
    assert file.read_text() == before

    write_tables(file, [VALUES], force=True)
    assert tomllib.loads(file.read_text())["tool"]["devkit"] == {**VALUES.values, "poll": True}


def test_further_services_are_no_table_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.devkit.services.web]\ncommand = "npm run dev"\n')

    write_tables(file, [VALUES], force=False)

    assert tomllib.loads(file.read_text())["tool"]["devkit"].keys() == {"services", *VALUES.values}


@pytest.mark.parametrize(
    "before",
    [
        '[tool]\ndevkit = { celery = "mine:app" }\n',
        '[tool.devkit]\ncelery = """\nmine:app"""\n',
        'x = """\n[tool.devkit]\n"""\n[tool]\ndevkit.poll = true\n',
    ],
)
def test_a_file_that_cannot_be_added_to_stays_as_it_is(tmp_path: Path, before: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(before)

    with pytest.raises(DevkitError, match="cannot add to") as error:
        write_tables(file, [VALUES], force=True)
    assert 'celery = "jobs:app"' in error.value.mend
    assert file.read_text() == before


# --- what the project's files tell ---


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({}, "3.13"),
        ({".python-version": "3.12.4\n"}, "3.12"),
        ({"runtime.txt": "python-3.11.9"}, "3.11"),
        ({"docker/Dockerfile": "FROM docker.io/library/python:3.12-alpine AS base\n"}, "3.12"),
        ({"Dockerfile.dev": "FROM python:3.12-slim\n"}, "3.13"),  # devkit's own
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.9,<3.13"\n'}, "3.12"),
        ({"pyproject.toml": '[project]\nrequires-python = "==3.11.*"\n'}, "3.11"),
        ({"pyproject.toml": '[project]\nrequires-python = "~=3.11"\n'}, "3.13"),
        ({"pyproject.toml": '[project]\nrequires-python = "~=3.11.2"\n'}, "3.11"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\n'}, "3.13"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.12"\n'}, "3.12"),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.10, !=3.13.*, <=3.12"\n'}, "3.12"),
    ],
)
def test_the_image_has_the_projects_python(tmp_path: Path, files: dict[str, str], version: str) -> None:
    assert evidence(tmp_path, files).python() == (version, "")


def test_a_python_that_devkit_does_not_run_on_is_told_of(tmp_path: Path) -> None:
    version, note = evidence(tmp_path, {".python-version": "3.9"}).python()

    assert version == "3.11"
    assert "pinned to Python 3.9" in note


@pytest.mark.parametrize(
    ("files", "amqp"),
    [
        ({"jobs.py": "broker='redis://x'", "other.py": "'amqp://y'"}, False),
        ({"jobs.py": "broker='pyamqp://x'", "other.py": "'redis://y'"}, True),
        ({"jobs.py": "", "settings.py": "BROKER = 'amqp://x'"}, True),
        ({"jobs.py": "", ".env": "BROKER=amqps://x\n"}, True),
        ({"jobs.py": "", "compose.yaml": "services:\n  w:\n    environment:\n      B: amqp://x\n"}, True),
        ({"jobs.py": ""}, False),
    ],
)
def test_the_broker_is_the_one_that_the_app_names(tmp_path: Path, files: dict[str, str], amqp: bool) -> None:
    assert evidence(tmp_path, files).speaks_amqp(AppRef(tmp_path, "jobs", "app")) is amqp


def test_a_schedule_counts_if_it_is_the_apps(tmp_path: Path) -> None:
    found = evidence(
        tmp_path, {"shop/app.py": "app.conf.beat_schedule = {}", "bank/app.py": "", "tests/t.py": "beat_schedule"}
    )

    assert found.has_schedule(AppRef(tmp_path, "shop.app", "app"))
    assert not found.has_schedule(AppRef(tmp_path, "bank.app", "app"))


def test_the_notes_say_what_only_people_know(tmp_path: Path) -> None:
    found = evidence(
        tmp_path,
        {
            "Dockerfile": (
                "FROM python\nRUN apt-get update && apt-get install -y --no-x \\\n"
                "# for psycopg, and curl\n  libpq-dev gcc \\\n && true # and no more\n"
            ),
            "docker-compose.yml": (
                "services:\n  worker:\n    build: .\n    image: mine\n  db:\n    image: postgres:16\n"
                "    volumes:\n      - x:/y\n\n  cache:\n    image: bitnami/redis\nvolumes:\n  x:\n    image: no\n"
            ),
            ".env": "DEBUG=1\nDATABASE_URL=postgres://localhost/x\n",
        },
    )

    packages, services, env = found.notes()
    assert "installs gcc libpq-dev: " in packages
    assert "start db:" in services
    assert "DATABASE_URL" in env


# --- what the project needs ---


def test_requirements_are_copied_with_what_they_include(tmp_path: Path) -> None:
    project(
        tmp_path,
        {
            "back/requirements/dev.txt": "-r base.txt\n-c ../pins.txt\n",
            "back/requirements/base.txt": "-e .\ncelery\n",
            "back/pins.txt": "",
        },
    )

    found = install(tmp_path, "back/src")
    assert found.files == ("back/requirements/dev.txt", "back/requirements/base.txt", "back/pins.txt")
    assert found.lines.splitlines() == [
        "COPY back/requirements/dev.txt back/requirements/base.txt back/requirements/",
        "COPY back/pins.txt back/",
        "RUN sed -i -E '/^(-e *|--editable[ =])?\\./d' back/requirements/base.txt"
        " && pip install -r back/requirements/dev.txt",
    ]


def test_the_file_that_a_dockerfile_installs_comes_first(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "",
        "deploy/all.txt": "",
        "Dockerfile": "FROM python\nRUN pip install --no-cache -r deploy/all.txt\n",
    }
    launched = evidence(tmp_path, files).requirements()

    assert launched == ["deploy/all.txt"]
    assert install(tmp_path, launched=("deploy/all.txt",)).files == ("deploy/all.txt",)


@pytest.mark.parametrize(
    ("files", "found", "tool"),
    [
        ({"pyproject.toml": "", "requirements.txt": "x"}, "requirements.txt", "pip install -r"),
        ({"pyproject.toml": "[project]\nname = 'x'\n", "uv.lock": "", "requirements.txt": "x"}, "uv.lock", "uv export"),
        ({"pyproject.toml": "[tool.poetry]\nname = 'x'\n", "poetry.lock": ""}, "poetry.lock", "poetry export"),
        ({"pyproject.toml": "[project]\ndependencies = ['x']\n"}, "pyproject.toml", "import tomllib"),
        ({"pyproject.toml": "[project]\nname = 'x'\n", "pdm.lock": ""}, "pdm.lock", "pdm export"),
        ({"Pipfile": "", "Pipfile.lock": "{}", "requirements.txt": "x"}, "Pipfile.lock", "pipenv requirements"),
        ({"Pipfile": ""}, "Pipfile", "pipenv lock"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\ncelery = '*'\n"}, "pyproject.toml", "poetry lock"),
        ({"setup.cfg": "[options]\ninstall_requires =\n  celery\n"}, "setup.cfg", "configparser"),
        ({"setup.cfg": "[flake8]\nx = 100%\n", "requirements/prod.txt": "x"}, "requirements/prod.txt", "pip install"),
        # One that names Celery before one that does not, and before one that lies nearer but is for something else.
        ({"requirements.txt": "mkdocs", "requirements/base.txt": "Celery[redis]>=5"}, "requirements/base.txt", "pip"),
        ({"requirements.txt": "-r more.txt", "more.txt": "celery", "requirements/base.txt": "x"}, "more.txt", "pip"),
        # Wherever it lies, if it names Celery.
        ({"server/pyproject.toml": "[project]\ndependencies = ['celery']\n"}, "server/pyproject.toml", "cd server && "),
        ({"deploy/requirements/prod.txt": "celery"}, "deploy/requirements/prod.txt", "pip install -r deploy/"),
        (
            {
                "a/uv.lock": "x",
                "a/pyproject.toml": "[project]\nname='a'",
                "b/uv.lock": 'name = "celery"',
                "b/pyproject.toml": "[project]\nname='b'",
            },
            "b/uv.lock",
            "cd b && ",
        ),
    ],
)
def test_a_lock_comes_before_requirements_before_dependencies(
    tmp_path: Path, files: dict[str, str], found: str, tool: str
) -> None:
    project(tmp_path, files)

    assert install(tmp_path).files[-1] == found
    assert tool in install(tmp_path).lines


def test_nothing_tells_and_the_dockerfile_says_so(tmp_path: Path) -> None:
    assert find_install(tmp_path, [tmp_path], []) is None
    assert "list it here" in dockerfile(tmp_path, {})
    assert any(
        "list in Dockerfile.dev" in note
        for note in docker_files(tmp_path, "c.yml", found(AppRef(tmp_path, "a", "b")), FROM_AN_INDEX).notes
    )


def test_what_has_nothing_to_do_with_celery_counts_beside_the_code_only(tmp_path: Path) -> None:
    project(tmp_path, {"docs/requirements.txt": "mkdocs", "tests/requirements.txt": "celery-types"})

    assert find_install(tmp_path, [tmp_path], []) is None


# --- what the project's compose files have ---

COMPOSE = """
services:
  web:
    build: .
    command: uvicorn main:app
    environment:
      DATABASE_URL: postgresql://me:${DB_PASSWORD}@db/shop   # theirs
      MODE: web
      WEB_ONLY: "yes: really"
  tasks:
    build: .
    command: celery -A jobs worker
    environment:
      - MODE=worker
      - CELERY_BROKER_URL=redis://cache:6379/0
      - PYTHONPATH=/code
      - FROM_OUTSIDE
      - PRICE=5$$
    env_file: [.env, env/dev.env, env/gone.env]
  front:
    build: front
    command: npm start
    environment: {NODE_ENV: development}
  cache:
    image: redis:7
"""


def test_the_environment_of_what_runs_the_code_is_carried_over(tmp_path: Path) -> None:
    """As it is written: what it takes from elsewhere, as a password from `.env`, does not get into the file."""
    files = {"jobs.py": "", "docker-compose.yml": COMPOSE, ".env": "DB_PASSWORD=hunter2\n", "env/dev.env": "A=1\n"}
    document = yaml.safe_load(compose_file(tmp_path, files))

    worker = document["services"]["worker"]
    usual = {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"}
    environment = {name: value for name, value in worker["environment"].items() if "DEVKIT" not in name}
    assert {name: value for name, value in environment.items() if name not in usual} == {
        "MODE": "worker",
        "FROM_OUTSIDE": None,
        "PRICE": "5$$",
        "DATABASE_URL": "postgresql://me:${DB_PASSWORD}@db/shop",
        "WEB_ONLY": "yes: really",
    }
    assert worker["env_file"] == ["env/dev.env"]
    assert document["services"]["flower"]["env_file"] == [".env", "env/dev.env"]
    assert document["services"]["redis"]["networks"]["default"]["aliases"] == ["cache"]
    assert "networks" not in document["services"]["rabbitmq"]
    assert "hunter2" not in str(document)


def test_a_dockerfile_tells_what_runs_the_code_where_compose_does_not(tmp_path: Path) -> None:
    files = {
        "jobs.py": "",
        "compose.yaml": "services:\n  w:\n    build: {dockerfile: docker/w}\n    environment:\n      A: 012\n",
        "docker/w": 'FROM python:3.12\nCMD ["celery", "-A", "jobs", "worker"]\n',
    }
    document = yaml.safe_load(compose_file(tmp_path, files))

    assert document["services"]["worker"]["environment"]["A"] == "012"


# --- how the image gets devkit ---


@pytest.mark.parametrize(
    ("noted", "requirement"),
    [
        (None, "celery-devkit==1.2"),
        ({"url": "https://x/devkit.whl", "archive_info": {}}, "celery-devkit @ https://x/devkit.whl"),
        (
            {"url": "https://g/devkit.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "celery-devkit @ git+https://g/devkit.git@abc",
        ),
    ],
)
def test_devkit_comes_from_where_it_was_installed_from(noted: dict[str, object] | None, requirement: str) -> None:
    origin = origin_of(json.dumps(noted) if noted else None, "1.2")

    assert (origin.requirement, origin.source) == (requirement, None)
    assert origin.needs_git is requirement.startswith("celery-devkit @ git")


def test_devkit_from_a_folder_is_copied(tmp_path: Path) -> None:
    source = project(
        tmp_path / "so urce", {"pyproject.toml": "", "devkit/x.py": "1", "devkit/__pycache__/x.pyc": "", ".git/x": ""}
    )
    root = project(tmp_path / "mine", {f"{COPY}/gone.py": ""})
    origin = origin_of(json.dumps({"url": source.as_uri(), "dir_info": {}}), "1.2")

    write_files(root, {"c.yml": "x"}, origin, force=False)

    copied = sorted(str(path.relative_to(root / COPY)) for path in (root / COPY).rglob("*") if path.is_file())
    assert copied == ["PKG-INFO", "devkit/x.py", "pyproject.toml"]
    assert f"\nVersion: {devkit.__version__}\n" in (root / COPY / "PKG-INFO").read_text()
    assert f"COPY {COPY}" in dockerfile(root, {}, origin)


def test_a_source_that_is_gone_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(DevkitError, match="not there any more"):
        origin_of(json.dumps({"url": (tmp_path / "gone").as_uri(), "dir_info": {}}), "1.2")


def test_this_devkit_runs_from_its_source() -> None:
    assert find_origin().source == Path(devkit.__file__).parents[1]


# --- the files ---


def test_what_the_project_does_not_have_is_not_in_its_files(tmp_path: Path) -> None:
    text = compose_file(tmp_path, {"jobs.py": "redis://"})

    assert "devkit api" not in text
    assert "working_dir" not in text
    assert "env_file" not in text
    assert "profiles: [rabbitmq]" in text
    assert "profiles: [beat]" in text
    assert "%" not in text
    assert "uvicorn" not in dockerfile(tmp_path, {})


def test_what_the_project_has_is_in_its_files(tmp_path: Path) -> None:
    files = {"back/jobs.py": "broker='amqp://'; beat_schedule", ".env": "X=1"}
    text = compose_file(tmp_path, files, AppRef(tmp_path / "back", "jobs", "app"), AppRef(tmp_path, "main", "app"))

    assert "devkit api main:app" in text
    assert text.count("working_dir: /app/back") == 2  # celery's own commands; devkit's find the folder
    assert text.count("env_file: [.env]") == 2  # devkit's commands read it themselves, whenever it changes
    assert "profiles" not in text
    assert "${DEVKIT_DOCKER_BROKER:-amqp://guest:guest@rabbitmq:5672//}" in text
    assert text.count("      rabbitmq:\n        condition: service_healthy") == 4


def test_files_that_are_there_are_overwritten_by_force_only(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")

    with pytest.raises(UsageError, match="b is there already"):
        write_files(tmp_path, {"a": "1", "b": "2"}, FROM_AN_INDEX, force=False)
    assert not (tmp_path / "a").exists()

    write_files(tmp_path, {"a": "1", "b": "2"}, FROM_AN_INDEX, force=True)
    assert (tmp_path / "b").read_text() == "2"
