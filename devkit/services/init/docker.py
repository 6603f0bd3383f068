"""Writes the files that run a project in containers, from what its own files tell."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError, UsageError
from devkit.services.init.carried import carried
from devkit.services.init.evidence import Evidence
from devkit.services.init.origin import Origin, copy_source
from devkit.services.init.requirements import Install, find_install
from devkit.services.init.template import fill
from devkit.settings.discover.programs import Found
from devkit.settings.files import text_of

DOCKERFILE = "Dockerfile.dev"
IGNORE = f"{DOCKERFILE}.dockerignore"
# Where a copy of devkit's source lies for the image to take it from, if it was installed from this machine.
COPY = ".devkit/image"
IN_IMAGE = "/opt/devkit-source"
BROKERS = {False: "redis://redis:6379/0", True: "amqp://guest:guest@rabbitmq:5672//"}

NEEDED = """\
# What the stack needs beside them: results are kept in Redis{served}.
RUN pip install {packages} \\
    && {{ python -c "import kombu.transport.redis" 2> /dev/null || pip install "celery[redis]"; }}"""
FROM_THE_MOUNT = """\
# devkit is to run from the mounted source; the texts are only there because its build asks for them.
COPY pyproject.toml ./
COPY devkit/__init__.py devkit/
RUN touch README.md LICENSE && pip install --editable ."""
APART = """\
RUN {prepare}python -m venv /opt/devkit && /opt/devkit/bin/pip install "{what}" \\
    && ln -s /opt/devkit/bin/devkit /usr/local/bin/devkit"""
GIT = "apt-get update && apt-get install --yes --no-install-recommends git && rm -r /var/lib/apt/lists/* \\\n    && "
COPIED = f"""\
# It was installed from a folder on the machine of whoever wrote this, so the image takes it from a copy, which is not
# in git: `devkit init --docker` makes it, and makes it anew.
COPY {COPY} {IN_IMAGE}
"""


@dataclass(frozen=True)
class Written:
    """The `files` by name, and what somebody has to look at."""

    files: Mapping[str, str]
    notes: Sequence[str]


def docker_files(root: Path, compose: str, found: Found, origin: Origin) -> Written:
    """The content of the files; `compose` is the name of the compose file. Nothing is written."""
    names = (compose, DOCKERFILE, IGNORE)
    worker, api = found.workers[0], next((one.app for one in found.apis if one.kind == "asgi"), None)
    celery = worker.app
    evidence = Evidence(root, names)
    python, too_old = evidence.python()
    amqp = evidence.speaks_amqp(celery)
    taken = carried(root, evidence.compose)
    itself = origin.source == root
    install = find_install(root, [app.folder for app in (celery, api) if app], evidence.requirements())
    folder = celery.folder.relative_to(root).as_posix() if celery.folder != root else ""
    values = {
        "compose": compose,
        "name": _name(root),
        "broker": BROKERS[amqp],
        "celery": str(celery),
        "api": str(api) if api else "",
        "folder": folder,
        "env": "yes" if (root / ".env").is_file() else "",
        "environment": "\n".join(f"    {line}" for line in taken.environment),
        "env_files": ", ".join(taken.env_files),
        "own_env_files": ", ".join([".env", *taken.env_files]),
        "redis_names": ", ".join(taken.redis),
        "rabbitmq_names": ", ".join(taken.rabbitmq),
        "amqp": "yes" if amqp else "",
        "queues": worker.queues or "",
        "pool": worker.pool or "",
        "concurrency": str(worker.concurrency or ""),
        "beat": "yes" if evidence.has_schedule(celery) else "",
        "python": python,
        "apart": "" if itself else "yes",
        "devkit": _devkit(origin),
        "install": FROM_THE_MOUNT if itself else _install(install, served=api is not None),
    }
    copied = ["pyproject.toml", "devkit/__init__.py"] if itself else _copied(install, origin)
    files = {
        compose: fill("docker-compose.yml", values),
        DOCKERFILE: fill("Dockerfile", values),
        IGNORE: fill("dockerignore", {"copied": "\n".join(f"!{name}" for name in copied)}),
    }
    notes = (too_old, *_missing(install, itself=itself), *evidence.notes(), *_left_out(found))
    return Written(files, [note for note in notes if note])


def write_files(root: Path, files: Mapping[str, str], origin: Origin, *, force: bool) -> None:
    """Write them, and the copy of devkit's source that the image takes.

    Raises UsageError for files that are there and not to be overwritten (`force`); the copy is made anew in any case.
    """
    try:
        if origin.source and origin.source != root:
            make_ignored(root / ".devkit")
            copy_source(origin.source, root / COPY)
        there = [name for name in files if (root / name).exists()]
        if there and not force:
            raise UsageError(
                f"{' and '.join(there)} {'is' if len(there) == 1 else 'are'} there already, nothing is overwritten",
                mend=[
                    "devkit init --docker --force overwrites",
                    'or choose another name: compose_file = "…" under [tool.devkit]',
                ],
            )
        for name, text in files.items():
            (root / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise DevkitError(f"cannot write {error.filename}: {error.strerror}", mend=["make it writable"]) from error


def make_ignored(folder: Path) -> None:
    """The data folder, as every devkit command makes it."""
    if not folder.exists():
        folder.mkdir(mode=0o700)
        (folder / ".gitignore").write_text("*\n")


def _name(root: Path) -> str:
    """What images are called where compose does not tell its project's name."""
    try:
        name = tomllib.loads(text_of(root / "pyproject.toml")).get("project", {}).get("name", root.name)
    except (ValueError, AttributeError):
        name = root.name
    return re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-") or "app"


def _devkit(origin: Origin) -> str:
    if origin.source:
        file = "" if origin.source.is_dir() else f"/{origin.source.name}"
        return COPIED + APART.format(prepare="", what=IN_IMAGE + file)
    return APART.format(prepare=GIT if origin.needs_git else "", what=origin.requirement)


def _install(install: Install | None, *, served: bool) -> str:
    packages = "flower uvicorn" if served else "flower"
    needed = NEEDED.format(served=", uvicorn serves the API" if served else "", packages=packages)
    if install:
        return f"{install.lines}\n{needed}"
    return (
        f"# Nothing tells what the project needs: list it here.\nRUN pip install celery{' fastapi' * served}\n{needed}"
    )


def _copied(install: Install | None, origin: Origin) -> list[str]:
    return [*(install.files if install else ()), *([COPY] if origin.source else ())]


def _left_out(found: Found) -> Iterator[str]:
    """What the files have no service for."""
    for worker in found.workers[1:]:
        yield f"a further worker, celery -A {worker.app}: add a service for it, like worker"
    for api in [one for one in found.apis if one.kind != "asgi"] + [one for one in found.apis if one.kind == "asgi"][
        1:
    ]:
        yield f"another API, {api.app or api.folder} ({api.kind}): add a service for it"


def _missing(install: Install | None, *, itself: bool) -> Sequence[str]:
    if install or itself:
        return ()
    return ("no requirements.txt, lock file or dependencies in pyproject.toml: list in Dockerfile.dev what is needed",)
