"""The embedded Postgres: a server of this machine in the place of a compose file's, its data under `.devkit/`."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from devkit.errors import DevkitError
from devkit.services.environment.started import row_name
from devkit.settings.evidence.compose import ComposeService
from devkit.settings.evidence.containers import service_variables
from devkit.stack.ports import HOST
from devkit.stack.probes import postgres_answers
from devkit.stack.service import Service

# Packages of Debian, of postgresql.org for Fedora, of Homebrew and Postgres.app put no server on PATH.
FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
INSTALL_LINES = {
    "apt-get": "sudo RUNLEVEL=1 apt-get install postgresql   (RUNLEVEL=1: it is not started as a service)",
    "dnf": "sudo dnf install postgresql-server",
    "pacman": "sudo pacman -S postgresql",
    "apk": "sudo apk add postgresql",
    "brew": "brew install postgresql",
}
# The words of the official image, and of Bitnami's.
USER = ("POSTGRES_USER", "POSTGRESQL_USERNAME")
PASSWORD = ("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD")
DATABASE = ("POSTGRES_DB", "POSTGRESQL_DATABASE")
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
STOP_S = 10.0


@dataclass(frozen=True)
class Program:
    """A Postgres of this machine: the folder of its programs, and its major version."""

    folder: Path
    version: str

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


@dataclass(frozen=True)
class Account:
    """What the compose file's service makes when it starts for the first time. The password is not shown."""

    user: str
    password: str = field(repr=False)
    database: str


def find_postgres(path: str) -> list[Program]:
    """Those on PATH, then those of packages, the newest first."""
    on_path = [Path(folder) for folder in path.split(os.pathsep) if folder]
    packaged = [Path(folder) for pattern in FOLDERS for folder in glob.glob(pattern)]  # noqa: PTH207 - absolute
    found: dict[Path, Program] = {}
    for folders in (on_path, packaged):
        programs = [one for folder in folders if (one := _program(folder))]
        for one in sorted(programs, key=lambda one: -float(one.version)):
            found.setdefault(one.folder.resolve(), one)
    return list(found.values())


def _program(folder: Path) -> Program | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    # Where it is a link, its version's own folder has the rest.
    folder = (folder / "postgres").resolve().parent
    with suppress(OSError):  # one for another processor
        done = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
        if version := re.search(r"\(PostgreSQL\) (9\.\d+|\d+)", done.stdout):
            return Program(folder, version[1])
    return None


def account(service: ComposeService) -> Account:
    """With the defaults of the official image, and a password where that would have none."""
    values = {one.name: one.value for one in service_variables(service)}

    def first(names: tuple[str, ...], default: str) -> str:
        return next((values[name] for name in names if values.get(name)), default)

    user = first(USER, "postgres")
    return Account(user, first(PASSWORD, "postgres"), first(DATABASE, user))


def postgres_service(
    service: ComposeService, programs: Sequence[Program], port: int, *, root: Path, data: Path, env: Mapping[str, str]
) -> Service:
    """In the place of this compose service; `data` is the folder of those of all such services.

    Its data is made where there is none. Raises DevkitError where that fails, or is another version's.
    """
    name, made = row_name(service.name), data / service.name
    shown, told = os.path.relpath(made, root), account(service)
    environ = {**env, "LC_ALL": LOCALE}
    if (made / "PG_VERSION").exists():
        program = _fitting(programs, (made / "PG_VERSION").read_text().strip(), shown)
    else:
        program = programs[0]
        _make(program, made, told, environ)
    return Service(
        name=name,
        # No socket: whoever may connect comes by the port, and has the password.
        argv=(program["postgres"], "-D", str(made), "-h", HOST, "-p", str(port), "-k", ""),
        cwd=made,
        env=environ,
        ready=postgres_answers(port, told.user, told.database),
        url=f"postgresql://{HOST}:{port}",
        how=f"embedded postgres {program.version}, data in {shown}",
        grace_s=STOP_S,
    )


def _fitting(programs: Sequence[Program], version: str, shown: str) -> Program:
    for program in programs:
        if program.version == version:
            return program
    raise DevkitError(
        f"the data in {shown} is of Postgres {version}, which is not here",
        looked=[f"{program['postgres']}, version {program.version}" for program in programs],
        mend=[f"install Postgres {version}", f"or begin with an empty database: rm -r '{shown}'"],
    )


def _make(program: Program, made: Path, told: Account, env: Mapping[str, str]) -> None:
    """Make the data beside its place, so that what was begun and not finished is never taken for it."""
    begun = made.with_name(f"{made.name}.new")
    shutil.rmtree(begun, ignore_errors=True)
    begun.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=begun.parent) as file:  # for this user alone, and gone afterwards
        file.write(f"{told.password}\n")
        file.flush()
        options = ("--auth=scram-sha-256", "--encoding=UTF8", f"--locale={LOCALE}", "--pwfile", file.name)
        _run((program["initdb"], "-D", str(begun), f"--username={told.user}", *options), "", env)
    if told.database not in ("postgres", "template1"):
        name = told.database.replace('"', '""')
        _run((program["postgres"], "--single", "-D", str(begun), "postgres"), f'CREATE DATABASE "{name}"\n', env)
    begun.rename(made)


def _run(argv: tuple[str, ...], said: str, env: Mapping[str, str]) -> None:
    done = subprocess.run(
        argv, input=said, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    # A server for one user ends well whatever became of the statement.
    if done.returncode or "ERROR:" in done.stdout:
        raise DevkitError(f"{argv[0]} cannot make the database", excerpt=done.stdout)
