"""A compose file's Postgres where docker cannot start it: the one of this machine is embedded."""

import json
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from devkit.services.stack.postgres import find_postgres
from tests.acceptance.harness import Done, Project

PROGRAMS = find_postgres(os.environ["PATH"])
pytestmark = pytest.mark.skipif(not PROGRAMS, reason="needs Postgres; on Debian: apt install postgresql")

TRIPWIRE = "Trip-Wire '7 % \\"
TASKS = """
import os
import subprocess

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BROKER"])


@app.task
def ask(statement):
    database = f"postgresql://{os.environ['DB_USER']}@{os.environ['DB_ADDRESS']}/shop"
    argv = [os.environ["PSQL"], "--no-psqlrc", "--tuples-only", "--no-align", "-c", statement, database]
    done = subprocess.run(argv, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()
"""
COMPOSE = f"""
services:
  worker:
    build: .
    command: celery -A tasks worker
    environment:
      BROKER: redis://redis:6379/0
      DB_ADDRESS: db:5432
      DB_USER: clerk
      PGPASSWORD: {json.dumps(TRIPWIRE)}
  redis: {{image: redis:8}}
  db:
    image: postgres:17-alpine
    environment:
      POSTGRES_USER: clerk
      POSTGRES_PASSWORD: {json.dumps(TRIPWIRE)}
      POSTGRES_DB: shop
"""
FILES = {"tasks.py": TASKS, "docker-compose.yml": COMPOSE}
NOBODY = pwd.getpwnam("nobody")
# Root's own interpreter may lie where only root may look; access(2), too, is to say that it is there.
AS_NOBODY = (
    "setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search", "--securebits=+no_setuid_fixup",
)  # fmt: skip


class Unprivileged(Project):
    """All of it is another user's where root runs the tests."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        super().__init__(folder, files)
        if os.getuid() == 0:
            for path in (self.root, *self.root.iterdir(), Path(self.environ["XDG_RUNTIME_DIR"])):
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)

    def run(self, *command: str, cwd: Path | None = None, env: Mapping[str, str] = {}) -> Done:
        return super().run(*(AS_NOBODY if os.getuid() == 0 else ()), *command, cwd=cwd, env=env)


def without_docker(project: Project) -> Project:
    for variable in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        del project.environ[variable]
    project.environ |= {"HOME": str(project.root), "PSQL": PROGRAMS[0]["psql"]}
    project.environ["DOCKER_HOST"] = "tcp://127.0.0.1:1"  # where no engine answers
    return project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with closing(without_docker(Unprivileged(tmp_path, FILES))) as project:
        yield project


def up(project: Project) -> Done:
    return project.up("worker", "-P", "solo", "--with", "db")


def ask(project: Project, statement: str) -> str:
    done = project.devkit("run", "ask", "--args", json.dumps([statement]), "--json").expect(0)
    answer: str = done.json()["result"]
    return answer


def test_it_is_started_with_the_stack_and_keeps_its_data(project: Project) -> None:
    done = up(project)
    assert project.url("db").startswith("postgresql://127.0.0.1:")
    assert f"embedded postgres {PROGRAMS[0].version}, data in .devkit/postgres/db (docker: " in done.out
    assert ask(project, "SELECT current_user, current_database()") == "clerk|shop"
    assert ask(project, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(project, "SHOW unix_socket_directories") == ""
    assert ask(project, "CREATE TABLE kept AS SELECT 'Ä' AS word") == "SELECT 1"

    project.devkit("down").expect(0)
    project.wait_until_gone()
    assert "database system is shut down" in project.log("db")

    up(project)
    assert ask(project, "SELECT lower(word) FROM kept") == "ä"
    files = [path for path in project.root.rglob("*") if path.is_file() and path.name != "docker-compose.yml"]
    told = {path.name for path in files if TRIPWIRE.encode() in path.read_bytes()}
    assert told <= {"environment.json"}  # which is this user's alone


def test_it_wants_the_password_and_a_killed_stack_leaves_none(project: Project) -> None:
    project.environ["PGPASSWORD"] = "another"
    up(project)
    assert "password authentication failed" in ask(project, "SELECT 1")
    assert TRIPWIRE not in json.dumps(project.processes())

    project.run("kill", "-9", str(project.status()["pid"])).expect(0)
    project.wait_until_gone()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, whom Postgres refuses")
def test_root_is_told_that_postgres_refuses(empty: Project) -> None:
    empty.write(FILES)
    done = without_docker(empty).devkit("up", "--with", "db").expect(1)

    assert "nothing here can start db: docker (" in done.err
    assert "Postgres refuses to run as root" in done.err
    assert "run devkit as another user" in done.err
    assert not (empty.root / ".devkit" / "postgres").exists()


def test_data_of_another_version_is_left_alone(project: Project) -> None:
    made = project.root / ".devkit" / "postgres" / "db"
    project.run("sh", "-c", "mkdir -m 700 -p .devkit/postgres/db && echo 9.1 > .devkit/postgres/db/PG_VERSION").expect(
        0
    )
    done = project.devkit("up", "--with", "db").expect(1)

    assert "the data in .devkit/postgres/db is of Postgres 9.1, which is not here" in done.err
    assert [path.name for path in made.iterdir()] == ["PG_VERSION"]
