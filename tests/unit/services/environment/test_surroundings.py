"""What a project's programs get from its files: whose variables, with which addresses."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.services.environment.notes import notes_on
from devkit.services.environment.started import chosen
from devkit.services.environment.surroundings import Surroundings, find_surroundings
from devkit.settings.load import Settings, load

Write = Callable[[Mapping[str, str]], Path]
EMBEDDED = {"CELERY_BROKER_URL": "redis://127.0.0.1:6399/0", "CELERY_RESULT_BACKEND": "redis://127.0.0.1:6399/1"}
COMPOSE = """
services:
  worker:
    build: .
    command: celery -A tasks worker
    environment: {BROKER: "redis://redis:6379/2", DB: "postgres://db/x", PLAIN: worker, PATH: /bin, DEVKIT_POOL: solo}
    env_file: more.env
    volumes: ["./code:/srv/code"]
  web:
    build: .
    command: uvicorn web:app
    environment: {PLAIN: web, FILES: /srv/code/files, ONLY_WEB: 1}
  redis: {image: redis}
  db: {image: "postgres:17", ports: ["%d:5432"]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes files into a project, and returns its folder."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.fixture
def closed() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def settings(root: Path, environ: Mapping[str, str] = {}, **flags: object) -> Settings:
    return load(root, flags, environ)


def given(found: Surroundings) -> dict[str, str]:
    return dict(found.given)


def test_a_project_without_a_compose_file(project: Write) -> None:
    assert find_surroundings(settings(project({"a.py": ""})), "worker") == Surroundings()


def test_each_program_gets_what_its_own_service_has_and_then_the_others(project: Write, closed: int) -> None:
    root = project({"docker-compose.yml": COMPOSE % closed, "more.env": "PLAIN=file\nMORE=1\n"})
    worker = {"BROKER": "redis://redis:6379/2", "DB": "postgres://db/x", "MORE": "1"}

    assert given(find_surroundings(settings(root), "worker")) == {
        **worker, "PLAIN": "worker", "FILES": "/srv/code/files", "ONLY_WEB": "1",
    }  # fmt: skip
    assert given(find_surroundings(settings(root), "api"))["PLAIN"] == "web"


@pytest.mark.parametrize(
    ("value", "here"),
    [
        ("/srv/code", "{root}/code"),
        ("/srv/code/db.sqlite3", "{root}/code/db.sqlite3"),
        ("sqlite:////srv/code/db.sqlite3", "sqlite:///{root}/code/db.sqlite3"),
        ("sqlite+aiosqlite:////srv/code/db?mode=rw", "sqlite+aiosqlite:///{root}/code/db?mode=rw"),
        ("/image/app.cfg", "{root}/app.cfg"),
        ("/usr", "/usr"),
        ("/nowhere/in/it", "/nowhere/in/it"),
        ("redis://elsewhere/0", "redis://elsewhere/0"),
    ],
)
def test_paths_in_the_container_are_those_of_what_it_is_made_of(project: Write, value: str, here: str) -> None:
    compose = f"services:\n  w: {{build: ., volumes: ['./code:/srv/code'], environment: {{X: '{value}'}}}}\n"
    root = project(
        {"compose.yml": compose, "code/a.py": "", "app.cfg": "", "Dockerfile": "FROM python\nCOPY . /image\n"}
    )

    assert given(find_surroundings(settings(root), "worker")) == {"X": here.format(root=root)}


def test_a_default_counts_more_than_a_file_that_only_the_image_has(project: Write) -> None:
    compose = "services: {w: {build: ., environment: {MEDIA: /vol/media, DATA: /vol/data}}}\n"
    root = project({"compose.yml": compose, "a.py": "getenv('MEDIA', 'media')"})

    assert given(find_surroundings(settings(root), "worker")) == {"DATA": "/vol/data"}


def test_addresses_are_those_of_the_broker_and_of_published_ports(project: Write, closed: int) -> None:
    read = settings(project({"docker-compose.yml": COMPOSE % closed, ".env": "CACHE=redis://redis/7\nPLAIN=dotenv\n"}))
    changes = find_surroundings(read, "worker", brokers=EMBEDDED).changes(read)

    assert changes["BROKER"] == "redis://127.0.0.1:6399/2"
    assert changes["CACHE"] == "redis://127.0.0.1:6399/7"
    assert changes["DB"] == f"postgres://127.0.0.1:{closed}/x"
    assert "PLAIN" not in changes


def test_what_is_really_set_stays_as_it_is(project: Write, closed: int) -> None:
    read = settings(project({"docker-compose.yml": COMPOSE % closed}), {"BROKER": "redis://redis:6379/0", "DB": "x"})

    assert not {"BROKER", "DB"} & find_surroundings(read, "worker", brokers=EMBEDDED).changes(read).keys()


@pytest.mark.parametrize(
    ("code", "withheld"),
    [
        ("X = os.getenv('DB', 'sqlite://')", True),
        ('X = os.environ.get("DB", None)', True),
        ("X = config('DB', default='sqlite://')", True),
        ("class Settings(BaseSettings):\n    db: str = 'sqlite://'", True),
        ("class Settings(BaseSettings):\n    DB: str | None = Field(default=None)", True),
        ("X = os.getenv('DB')", False),
        ("X = os.environ['DB']", False),
        ("X = config('DB', cast=str)", False),
        ("class Settings(BaseSettings):\n    db: str", False),
        ("class Settings(BaseSettings):\n    db: str = Field(..., min_length=1)", False),
        ("X = os.getenv('DBX', 1)", False),
    ],
)
def test_a_default_in_the_code_counts_more_than_a_server_that_is_not_here(
    project: Write, closed: int, code: str, withheld: bool
) -> None:
    read = settings(project({"docker-compose.yml": COMPOSE % closed, "settings.py": code}))

    assert find_surroundings(read, "worker").withheld == (["DB"] if withheld else [])
    asked = settings(read.root, env_from="compose")
    assert find_surroundings(asked, "worker").withheld == []


def test_a_default_does_not_count_where_the_server_is_here(project: Write) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        read = settings(project({"docker-compose.yml": COMPOSE % port, "a.py": "X = os.getenv('DB', 'sqlite://')"}))
        assert find_surroundings(read, "worker").withheld == []


def test_services_that_differ_and_one_that_is_chosen(project: Write) -> None:
    compose = """
services:
  fast: {build: ., command: celery -A a worker -Q fast, environment: {SAME: 1, QUEUE: fast}}
  slow: {build: ., command: celery -A a worker -Q slow, environment: {SAME: 1, QUEUE: slow}}
"""
    root = project({"docker-compose.yml": compose})
    found = find_surroundings(settings(root), "worker")

    assert given(found) == {"SAME": "1"}
    assert list(found.found.unclear) == ["QUEUE"]
    assert given(find_surroundings(settings(root, env_from="compose:slow"), "worker"))["QUEUE"] == "slow"
    assert given(find_surroundings(settings(root, env_from="none"), "worker")) == {}
    with pytest.raises(UsageError, match=r"there is no service 'slwo' in a compose file; did you mean 'slow'\?"):
        find_surroundings(settings(root, env_from="compose:slwo"), "worker")


def test_files_for_production_count_only_where_there_are_no_others(project: Write) -> None:
    service = "services:\n  {0}: {{build: ., command: celery -A a worker, environment: {{WHERE: {0}}}}}\n"
    root = project({"docker-compose.prod.yml": service.format("live"), "compose.yaml": service.format("here")})
    assert given(find_surroundings(settings(root), "worker")) == {"WHERE": "here"}


def test_where_no_command_tells_the_images_that_are_built_here_count(project: Write) -> None:
    compose = "services:\n  thing: {build: ., environment: {A: 1}}\n  db: {image: postgres, environment: {B: 1}}\n"
    assert given(find_surroundings(settings(project({"compose.yml": compose})), "worker")) == {"A": "1"}


def test_what_start_scripts_put_together(project: Write) -> None:
    compose = """
services:
  one:
    build: {context: ., dockerfile: deploy/Dockerfile}
    command: /start
    volumes: [".:/code"]
    env_file: deploy/db.env
  postgres: {image: postgres}
"""
    entrypoint = """#!/bin/bash
set -e
export BROKER="${REDIS_URL}"
if [ -z "${DB_USER}" ]; then
    export DB_USER=root
fi
export DATABASE_URL="postgres://${DB_USER}:${DB_PASSWORD}@postgres/${DB_NAME}"
exec "$@"
"""
    root = project(
        {
            "local.yml": compose,
            "deploy/Dockerfile": 'FROM python\nCOPY deploy/enter /\nCOPY deploy/start /start\nENTRYPOINT ["/enter"]\n',
            "deploy/enter": entrypoint,
            "deploy/start": "#!/bin/sh\nexport MORE=1\nexec celery -A tasks worker\n",
            "deploy/db.env": "DB_USER=me\nDB_PASSWORD=x\nDB_NAME=shop\n",
            "tasks.py": "from celery import Celery\napp = Celery('x')\n",
        }
    )
    found = given(find_surroundings(settings(root), "worker"))

    assert found["DATABASE_URL"] == "postgres://me:x@postgres/shop"
    assert (found["DB_USER"], found["MORE"]) == ("me", "1")
    assert "BROKER" not in found  # of what nobody sets


def test_what_is_said_has_names_and_places_but_no_value(project: Write, closed: int) -> None:
    compose = (
        (COMPOSE % closed)
        .replace("worker, PATH", "Trip-Wire, PATH")
        .replace("postgres://db", "postgres://u:Trip-Wire@db")
    )
    read = settings(project({"docker-compose.yml": compose, "settings.py": "getenv('BROKER', '')"}))
    around = find_surroundings(read, "worker").with_brokers(EMBEDDED)
    notes = notes_on({"worker": around, "api": around}, read)

    assert notes == [
        "4 variables from docker-compose.yml, services worker, web (DB, FILES, ONLY_WEB, …)",
        "not from compose, as the code has a default: BROKER; --env-from compose takes all",
        "addresses of containers made into ones of this machine: DB",
        "DB wants Postgres at db:5432, compose service db (docker-compose.yml:14), which is not here:"
        " devkit up --with db starts just that one, --with all every one",
    ]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (("db",), ["db"]),
        (("kafka",), ["kafka", "zookeeper"]),
        (("all",), ["db", "kafka", "zookeeper"]),
        (("all", "redis"), ["redis", "db", "kafka", "zookeeper"]),
        ((), []),
    ],
)
def test_which_servers_are_started_with_the_stack(
    project: Write, closed: int, asked: tuple[str, ...], names: list[str]
) -> None:
    more = "  kafka: {image: bitnami/kafka, depends_on: [zookeeper]}\n  zookeeper: {image: zookeeper}\n"
    root = project({"docker-compose.yml": (COMPOSE % closed) + more})

    assert [one.name for one in chosen(settings(root, with_services=asked))] == names


def test_a_file_for_development_beside_it_adds_to_the_same_services(project: Write) -> None:
    root = project(
        {
            "docker-compose.yml": "services: {worker: {build: ., environment: {A: base}}, api: {build: .}}",
            "docker-compose.local.yml": "services: {worker: {build: ., env_file: w.env}, tests: {build: .}}",
            "docker-compose.prod.yml": "services: {worker: {build: ., environment: {C: live}}}",
            "w.env": "A=local\nB=local\n",
        }
    )

    assert given(find_surroundings(settings(root), "worker")) == {"A": "base", "B": "local"}


def test_a_service_that_has_only_the_name_of_an_image_of_ones_own(project: Write) -> None:
    text = (
        "services: {worker: {image: 'me/shop-worker:1', environment: {A: 1}},"
        " cache: {image: 'bitnami/redis', environment: {B: 1}}, web: {image: nginx, environment: {C: 1}}}"
    )
    root = project({"docker-compose.yml": text})

    assert given(find_surroundings(settings(root), "worker")) == {"A": "1"}
