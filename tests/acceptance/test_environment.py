"""Projects that get their variables from compose files and env files: taken where that is clear, and what is missing is
named, with the file that has it; a value is never shown."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.containers import why_no_docker
from tests.acceptance.harness import DEADLINE_S, Done, Project, environment

# In every value that nobody may see.
TRIPWIRE = "Trip-Wire-7"

WORKER = """
import os

from celery import Celery

app = Celery("c", broker=os.environ["BROKER"], backend=os.environ["BROKER"])


@app.task
def look(*names):
    return {name: os.environ.get(name) for name in names}
"""
COMPOSE = f"""
services:
  worker:
    build: .
    command: celery -A worker worker
    environment:
      BROKER: redis://redis:6379/2
      SECRET_KEY: {TRIPWIRE}
  redis:
    image: redis:8
"""


@pytest.fixture
def project(empty: Project) -> Project:
    """An app whose broker is in a variable, which a compose file has."""
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        del empty.environ[name]
    empty.write({"worker.py": WORKER, "docker-compose.yml": COMPOSE})
    return empty


def up(project: Project, *arguments: str) -> Done:
    return project.up("worker", "-P", "solo", *arguments)


def look(project: Project, *names: str) -> dict[str, str | None]:
    """What a task finds in its environment."""
    done = project.devkit("run", "look", "--args", json.dumps(names), "--json").expect(0)
    found: dict[str, str | None] = done.json()["result"]
    return found


def place(project: Project) -> str:
    """Where the embedded Redis is."""
    return project.url("redis").removeprefix("redis://")


def test_what_compose_gives_is_taken_and_said(project: Project) -> None:
    done = up(project)

    assert "2 variables from docker-compose.yml, service worker (BROKER, SECRET_KEY)" in done.out + done.err
    assert "made into ones of this machine: BROKER" in done.out + done.err
    assert look(project, "BROKER", "SECRET_KEY") == {
        "BROKER": f"redis://{place(project)}/2",
        "SECRET_KEY": TRIPWIRE,
    }


def test_what_is_missing_is_named_with_the_files_that_have_it(project: Project) -> None:
    project.write({"my.env": f"BROKER={TRIPWIRE}\n", ".env.example": "\nBROKER=redis://localhost/0\n"})
    project.write({".envs/.local/.worker": f"# the worker's\nBROKER={TRIPWIRE}\n"})
    done = project.devkit("up", "--env-from", "none").expect(1)

    assert "worker.py:6 wants the environment variable BROKER, which is not set" in done.err
    for where in ("my.env:1", ".env.example:2", ".envs/.local/.worker:2", "docker-compose.yml:7 (service worker)"):
        assert f"BROKER has a value in {where}\n" in done.err
    assert "devkit up --env-file my.env\n" in done.err
    assert "devkit up --env-from compose:worker\n" in done.err
    assert project.processes() == {}


def test_an_env_file_from_which_it_is_taken(project: Project) -> None:
    project.write({"my.env": "BROKER=redis://redis:6379/5\n", "other.env": "MORE=1\n"})
    up(project, "--env-from", "none", "--env-file", "my.env", "--env-file", "other.env")

    assert project.services()["worker"]["state"] == "ready"
    assert "redis:6379" not in project.log("worker")


def test_dotenv_and_the_real_environment_count_more_than_compose(project: Project) -> None:
    project.write({".env": "SECRET_KEY=dotenv\nREDIS_HOST=redis\n"})
    project.environ["BROKER"] = "redis://127.0.0.1:1/3"
    up(project)

    assert look(project, "BROKER", "SECRET_KEY", "REDIS_HOST") == {
        "BROKER": "redis://127.0.0.1:1/3",  # what is really set is meant so
        "SECRET_KEY": "dotenv",
        "REDIS_HOST": "127.0.0.1",
    }


def test_all_ways_to_name_the_brokers_server_lead_to_the_embedded_one(project: Project) -> None:
    project.write(
        {
            "docker-compose.yml": """
services:
  worker:
    build: .
    command: celery -A worker worker
    environment:
      BROKER: redis://:pass@cache:6379/1
      CACHE: redis://my-cache/7
      REDIS_HOST: cache
      REDIS_PORT: 6379
      REDIS_PASSWORD: pass
      REDIS_SERVER: my-cache
      TWO: cache:6379,other:6379
      ENGINE: cache
  cache:
    image: docker.io/library/redis:8-alpine
    command: redis-server --requirepass pass
    container_name: my-cache
"""
        }
    )
    up(project)
    port = place(project).rpartition(":")[2]

    names = ("BROKER", "CACHE", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_SERVER", "TWO", "ENGINE")
    assert look(project, *names) == {
        "BROKER": f"redis://127.0.0.1:{port}/1",
        "CACHE": f"redis://127.0.0.1:{port}/7",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": port,
        "REDIS_PASSWORD": "",
        "REDIS_SERVER": "127.0.0.1",
        "TWO": f"127.0.0.1:{port},other:6379",
        "ENGINE": "cache",
    }


def test_the_codes_own_default_counts_more_than_a_container_that_is_not_here(project: Project) -> None:
    project.write(
        {
            "worker.py": WORKER.replace(
                'os.environ["BROKER"], b', 'os.getenv("BROKER", "redis://localhost:6379/0"), b'
            ).replace('backend=os.environ["BROKER"]', 'backend=os.getenv("BROKER", "redis://localhost:6379/0")')
        }
    )
    done = up(project)

    assert "the code has a default: BROKER; --env-from compose takes all" in done.out + done.err
    assert look(project, "BROKER", "SECRET_KEY") == {"BROKER": None, "SECRET_KEY": TRIPWIRE}


def test_what_services_do_not_agree_on_is_offered_not_taken(project: Project) -> None:
    second = COMPOSE[COMPOSE.index("  worker:") : COMPOSE.index("  redis:")].replace("  worker:", "  slow-worker:")
    compose = COMPOSE.replace("  redis:\n", second.replace(TRIPWIRE, "another") + "  redis:\n")
    project.write({"docker-compose.yml": compose})
    done = up(project)

    assert "its services differ: SECRET_KEY (docker-compose.yml:8, docker-compose.yml:14)" in done.out + done.err
    assert look(project, "SECRET_KEY") == {"SECRET_KEY": None}


def test_what_up_was_told_to_take_every_other_command_takes(project: Project) -> None:
    other = "  slow: {build: ., environment: {SECRET_KEY: another, BROKER: redis://redis/0}}\n  redis:\n"
    project.write({"docker-compose.yml": COMPOSE.replace("  redis:\n", other)})
    project.write({"worker.py": WORKER + 'if os.environ["SECRET_KEY"] != "another":\n    raise ValueError("no")\n'})
    up(project, "--env-from", "compose:slow")

    assert look(project, "SECRET_KEY") == {"SECRET_KEY": "another"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("compose:wroker", "there is no service 'wroker' in a compose file; did you mean 'worker'?"),
        ("docker", "--env-from has no 'docker'"),
    ],
)
def test_a_source_that_there_is_not(project: Project, source: str, said: str) -> None:
    assert said in project.devkit("up", "--env-from", source).expect(2).err


CONNECTING = {
    "celery's connection": "app.connection().ensure_connection(max_retries=1, timeout=3)\n",
    "a client of its own": "import redis\nredis.from_url(os.environ['BROKER']).ping()\n",
    "its result backend": "app.backend.client.ping()\n",
}


@pytest.mark.parametrize("how", CONNECTING)
def test_an_app_that_connects_while_it_is_imported_finds_the_broker_running(project: Project, how: str) -> None:
    project.write({"worker.py": WORKER.replace("\n\n@app.task", f"\n{CONNECTING[how]}\n\n@app.task")})
    up(project)

    assert "embedded" in project.devkit("status").out
    assert look(project, "SECRET_KEY") == {"SECRET_KEY": TRIPWIRE}


def test_an_app_that_connects_to_an_address_in_its_code(project: Project) -> None:
    code = WORKER.replace('os.environ["BROKER"]', '"redis://nowhere:6379/0"')
    code = code.replace(
        "\n\n@app.task", "\napp.connection().ensure_connection(max_retries=1, timeout=3)\n\n\n@app.task"
    )
    project.write({"worker.py": code})
    up(project, "--env-from", "none")

    assert look(project, "BROKER") == {"BROKER": None}


def test_a_server_that_the_code_wants_on_import_is_named_with_its_service(project: Project) -> None:
    project.write(
        {
            "worker.py": WORKER + "import socket\nsocket.create_connection((os.environ['DB'], 5432))\n",
            "docker-compose.yml": COMPOSE.replace("      BROKER", "      DB: db\n      BROKER")
            + "  db:\n    image: postgres:17\n",
        }
    )
    done = project.devkit("up").expect(1)

    assert "worker.py:13 connects to Postgres at db:5432 while it is imported" in done.err
    assert "it is the compose service db (docker-compose.yml:" in done.err
    assert "devkit up --with db starts just that one, --with all every one" in done.err


def test_a_server_that_a_variable_names_and_that_is_not_here_is_noted(project: Project) -> None:
    compose = COMPOSE.replace("      BROKER", f"      DATABASE_URL: postgresql://u:{TRIPWIRE}@db/app\n      BROKER")
    project.write({"docker-compose.yml": compose + "  db:\n    image: postgres:17\n"})
    done = up(project)

    said = done.out + done.err
    assert (
        "DATABASE_URL wants Postgres at db:5432, compose service db (docker-compose.yml:12), which is not here" in said
    )
    assert "devkit up --with db starts just that one, --with all every one" in said
    assert TRIPWIRE not in said


def test_a_package_that_is_missing(project: Project) -> None:
    import celery

    site = Path(celery.__file__).parents[1]
    python = environment(project.root / ".venv", str(site))
    project.write({"worker.py": f"import no_such_package\n{WORKER}", "requirements.txt": "no-such-package==1\n"})
    done = project.devkit("up").expect(1)

    assert f"{python} has no no_such_package, and worker.py:1 imports it" in done.err
    assert f"install what the project asks for: '{python}' -m pip install -r requirements.txt" in done.err
    assert "DEVKIT_PYTHON" in done.err


def test_the_api_gets_what_its_own_service_has(project: Project) -> None:
    api = """
import os

from fastapi import FastAPI

app = FastAPI()


@app.get("/look/{name}")
def look(name: str) -> str | None:
    return os.environ.get(name)
"""
    service = (
        "  api:\n    build: .\n    command: uvicorn web:app\n    environment: {NAME: api, PORT_OF_API: 1}\n  redis:\n"
    )
    compose = COMPOSE.replace("  redis:\n", service).replace("      BROKER", "      NAME: worker\n      BROKER")
    project.write({"web.py": api, "docker-compose.yml": compose})
    project.up("worker", "api", "-P", "solo")

    from tests.acceptance.harness import fetch

    answers = [fetch("GET", f"{project.url('api')}/look/{name}").json() for name in ("NAME", "SECRET_KEY", "BROKER")]
    assert answers == ["api", TRIPWIRE, f"redis://{place(project)}/2"]
    assert look(project, "NAME", "PORT_OF_API") == {"NAME": "worker", "PORT_OF_API": "1"}


def test_no_command_shows_a_value(project: Project) -> None:
    """Of what is in env files and compose files; what the project's own code prints is its own."""
    project.write(
        {
            ".env": f"TOKEN={TRIPWIRE}\nREDIS_PASSWORD={TRIPWIRE}\nDATABASE_URL=postgres://u:{TRIPWIRE}@db/x\n",
            "my.env": f"SECRET_KEY={TRIPWIRE}\n",
            ".env.example": f"SECRET_KEY={TRIPWIRE}\nWANTED={TRIPWIRE}\n",
            "Dockerfile": f"FROM python:3.13\nENV WANTED={TRIPWIRE}\n",
            "worker.py": WORKER + "@app.task\ndef fail():\n    raise ValueError('no')\n",
        }
    )
    shown = [up(project, "--env-file", "my.env")]
    shown.append(project.devkit("run", "fail"))
    commands = [
        ["status"], ["status", "--json"], ["logs"], ["failures"], ["failures", "--json"], ["replay", "--all"],
        ["up"], ["init"], ["run", "nothing"], ["down"],
    ]  # fmt: skip
    shown += [project.devkit(*command) for command in commands]
    for code in (
        "X = os.environ['WANTED']",
        "X = int(os.environ['TOKEN'][:0])",
        "import redis\nredis.from_url(os.environ['DATABASE_URL'].replace('postgres', 'redis')).ping()",
        "raise RuntimeError(os.environ['DATABASE_URL'])",
    ):
        project.write({"worker.py": f"{WORKER}\n{code}\n"})
        shown.append(project.devkit("up").expect(1))
    shown.append(project.devkit("run", "look").expect(1))
    for done in shown:
        assert TRIPWIRE not in done.out + done.err, done
    assert sum(done.code != 0 for done in shown) >= len(shown) // 2


@pytest.fixture
def with_store(project: Project) -> Iterator[Project]:
    """A project with a second Redis, which it wants while it is imported and devkit does not embed."""
    if why := why_no_docker():
        pytest.skip(why)
    store = """
  store:
    image: redis:8
    command: redis-server --port 7001 --protected-mode no
    expose: [7001]
    volumes: [data:/data]
    healthcheck: {test: [CMD, redis-cli, -p, "7001", ping], interval: 1s}
volumes: {data: }
"""
    compose = COMPOSE.replace("      BROKER", "      STORE: redis://store:7001/0\n      BROKER")
    project.write({"docker-compose.yml": compose + store.lstrip("\n")})
    project.write({"worker.py": WORKER + 'import redis\nstore = redis.from_url(os.environ["STORE"])\nstore.ping()\n'})
    with_task = "@app.task\ndef keep(value):\n    store.rpush('kept', value)\n    return store.llen('kept')\n"
    project.write({"worker.py": (project.root / "worker.py").read_text() + with_task})
    yield project
    project.devkit("down")
    name = json.loads((project.root / ".devkit/compose/compose.json").read_text())["name"]
    docker = shutil.which("docker")
    assert docker
    for command in (
        ["rm", "-f", f"{name}-store-1"],
        ["volume", "rm", f"{name}_data"],
        ["network", "rm", f"{name}_default"],
    ):
        subprocess.run([docker, *command], capture_output=True, timeout=DEADLINE_S, check=False)


def test_a_server_of_compose_is_started_with_the_stack_and_keeps_its_data(with_store: Project) -> None:
    project = with_store
    assert "devkit up --with store" in project.devkit("up").expect(1).err
    up(project, "--with", "store")

    assert list(project.services()) == ["store", "redis", "worker"]
    assert project.url("store").startswith("redis://127.0.0.1:")
    assert project.devkit("run", "keep", "--args", "[1]").expect(0).out == "1\n"
    project.wait_for_log("store", "Ready to accept connections")
    assert "Up" in containers(project)
    project.devkit("down").expect(0)
    assert "Exited" in containers(project)

    up(project, "--with", "all")
    assert project.devkit("run", "keep", "--args", "[2]").expect(0).out == "2\n"


def test_a_server_whose_image_cannot_be_had_is_told_and_the_rest_starts(project: Project) -> None:
    if why := why_no_docker():
        pytest.skip(why)
    project.write({"docker-compose.yml": f"{COMPOSE}  store: {{image: '127.0.0.1:1/none:1', ports: ['7001']}}\n"})
    done = up(project, "--with", "store")

    said = " ".join((done.out + done.err).split())
    assert "store is not started, as docker cannot make a container of 127.0.0.1:1/none:1: " in said
    assert "refused" in said
    assert list(project.services()) == ["redis", "worker"]


API_WITH_DATABASE = """
import asyncio
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(_):
    await asyncio.open_connection("127.0.0.1", PORT)
    yield


app = FastAPI(lifespan=lifespan)
"""


def test_a_server_that_the_api_wants_at_its_start_is_named_with_its_service(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    compose = f"{COMPOSE}  db: {{image: 'postgres:17', ports: ['{port}:5432']}}\n"
    project.write({"web.py": API_WITH_DATABASE.replace("PORT", str(port)), "docker-compose.yml": compose})
    done = project.devkit("up", "-d", "-P", "solo").expect(1)  # the worker runs

    line = compose.splitlines().index(f"  db: {{image: 'postgres:17', ports: ['{port}:5432']}}") + 1
    starts = f"devkit up --with db starts Postgres (docker-compose.yml:{line})"
    assert f"{starts}, which does not answer at 127.0.0.1:{port}" in done.err


def test_a_killed_stack_leaves_no_container_running(with_store: Project) -> None:
    up(with_store, "--with", "store")
    pid = with_store.status()["pid"]
    with_store.run("kill", "-9", str(pid)).expect(0)
    with_store.devkit("down").expect(0)

    assert "Exited" in containers(with_store)


def test_a_server_that_there_is_not(project: Project) -> None:
    done = project.devkit("up", "--with", "worker").expect(2)

    assert "there is no server 'worker' in a compose file here to start" in done.err
    assert "servers: redis" in done.err


def containers(project: Project) -> str:
    """How the container of the store stands."""
    name = json.loads((project.root / ".devkit/compose/compose.json").read_text())["name"]
    return project.run("docker", "ps", "-a", "--filter", f"name={name}-store-1", "--format", "{{.Status}}").out
