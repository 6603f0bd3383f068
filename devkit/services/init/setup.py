"""Finds a project's apps and writes them down: for devkit itself, or as files for containers."""

from collections.abc import Iterator
from pathlib import Path

from devkit.errors import UsageError
from devkit.services.init.docker import docker_files, write_files
from devkit.services.init.origin import find_origin
from devkit.services.init.table import write_table
from devkit.services.project.apps import api_program, celery_app
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings


def write_settings(settings: Settings, *, force: bool) -> Iterator[str]:
    """Write `[tool.devkit]`; yields what was done. Raises DevkitError."""
    celery, api = find_apps(settings)
    values = {"celery": str(celery)}
    if api and not settings.fastapi_entrypoint:  # which devkit reads, too
        values["api"] = str(api)
    if settings.options.python and settings.sources["python"] != "pyproject.toml":
        values["python"] = settings.options.python
    file = settings.root / "pyproject.toml"
    write_table(file, values, force=force)
    yield f"{file}: [tool.devkit] has " + ", ".join(f'{key} = "{value}"' for key, value in values.items())


def write_docker(settings: Settings, *, force: bool) -> Iterator[str]:
    """Write the files for containers; yields what was done, and what to look at. Raises DevkitError."""
    celery, api = find_apps(settings)
    origin = find_origin()
    compose = settings.options.compose_file
    if compose != Path(compose).name:
        raise UsageError(
            f"{compose} lies in another folder: what it mounts and builds is relative to that",
            mend=["give compose_file a name only"],
        )
    written = docker_files(settings.root, compose, celery, api, origin)
    write_files(settings.root, written.files, origin, force=force)
    for name in written.files:
        yield f"{settings.root / name}: written"
    yield from (f"look at this: {note}" for note in written.notes)
    yield f"next: devkit up --docker, or docker compose -f {compose} up"


def find_apps(settings: Settings) -> tuple[AppRef, AppRef | None]:
    """The Celery app, and the FastAPI app if there is one and it is wanted. Raises DevkitError."""
    celery = celery_app(settings)
    api = api_program(settings) if settings.options.with_api else None
    return celery, api.app if api else None
