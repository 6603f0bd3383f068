"""Finds a project's programs and writes them down: for devkit itself, or as files for containers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from devkit.errors import DevkitError, UsageError
from devkit.services.init.docker import docker_files, write_files
from devkit.services.init.origin import find_origin
from devkit.services.init.settled import tables
from devkit.services.init.table import FOUND, write_tables
from devkit.services.project.apps import programs, running_app
from devkit.settings.discover.programs import Found
from devkit.settings.load import RUNNING, Settings
from devkit.stack.control import ask_status


def write_settings(settings: Settings, *, force: bool) -> Iterator[str]:
    """Write `[tool.devkit]`; yields what was done. Raises DevkitError."""
    found = find_programs(settings)
    status = ask_status(settings.paths.socket)
    written = tables(settings, found, status.started_with if status else None)
    file = settings.root / "pyproject.toml"
    write_tables(file, written, force=force)
    for one in written:
        told = ", ".join(line for line in one.lines if not line.startswith(FOUND))
        yield f"{file}: {one.header} has {told or 'what it had'}"
    yield from (f"look at this: {note}" for note in found.notes)


def write_docker(settings: Settings, *, force: bool) -> Iterator[str]:
    """Write the files for containers; yields what was done, and what to look at. Raises DevkitError."""
    found = find_programs(settings)
    origin = find_origin()
    compose = settings.options.compose_file
    if compose != Path(compose).name:
        raise UsageError(
            f"{compose} lies in another folder: what it mounts and builds is relative to that",
            mend=["give compose_file a name only"],
        )
    written = docker_files(settings.root, compose, found, origin)
    write_files(settings.root, written.files, origin, force=force)
    for name in written.files:
        yield f"{settings.root / name}: written"
    yield from (f"look at this: {note}" for note in (*written.notes, *found.notes))
    yield f"next: devkit up --docker, or docker compose -f {compose} up"


def find_programs(settings: Settings) -> Found:
    """The project's programs, without its APIs where these are not wanted. Raises DevkitError.

    What the running stack has come to by itself is looked for again: so all else is found that was found for it.
    """
    found = _as_running(settings) or programs(settings)
    return found if settings.options.with_api else replace(found, apis=())


def _as_running(settings: Settings) -> Found | None:
    """What discovery finds, if the running stack's app is the first of that, too."""
    asked = settings.options.celery
    if settings.sources["celery"] != RUNNING or asked is None:
        return None
    api = settings.options.api if settings.sources["api"] != RUNNING else None
    try:
        found = programs(replace(settings, options=replace(settings.options, celery=None, api=api), import_roots={}))
    except DevkitError:
        return None
    return found if found.workers[0].app == running_app(settings, "celery", asked) else None
