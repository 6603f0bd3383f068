"""What `devkit init` writes down: what the running stack was told, and what discovery finds, with the reasons."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from devkit.model.status import StartedWith
from devkit.model.text import one_line
from devkit.services.init.table import Value, Written
from devkit.services.project.broker import masked
from devkit.services.project.python import ACTIVE, find_python
from devkit.settings.discover.programs import ApiProgram, Found, WorkerProgram
from devkit.settings.load import Settings

REASONS = 3  # of each
WIDTH = 110
FARTHEST = 2  # folders up: what lies further away is nothing that others have in the same place


def tables(settings: Settings, found: Found, told: StartedWith | None) -> list[Written]:
    """The first worker and the first API are the project's; each further one has a table of its own."""
    worker, *workers = found.workers
    apis = found.apis if settings.options.with_api else ()
    values = _without_empty(_first(settings, worker, apis, told))
    # What the file has already stays as it is there, with what is written beside it.
    new = {key: value for key, value in values.items() if settings.sources[key] != "pyproject.toml"}
    first = Written(new, reasons=_reasons(worker, apis))
    further = [_worker_table(settings.root, one) for one in workers]
    return [first, *further, *(_api_table(settings.root, one) for one in apis[1:])]


def _first(
    settings: Settings, worker: WorkerProgram, apis: Sequence[ApiProgram], told: StartedWith | None
) -> dict[str, Value | None]:
    api = apis[0] if apis and not settings.fastapi_entrypoint else None  # which devkit reads, too
    return {
        "celery": str(worker.app),
        "api": f"{api.app}{'()' * api.factory}" if api and api.app else None,
        "python": _python(settings, worker.app.folder),
        "env_file": _env_files(settings),
        "env_from": settings.options.env_from,
        "queues": (told.queues if told else "") or worker.queues,
        "pool": (told.pool if told else "") or worker.pool,
        "concurrency": (told.concurrency if told else None) or worker.concurrency,
    }


def _python(settings: Settings, folder: Path) -> str | None:
    """The interpreter, unless it would be found without being named."""
    if not settings.options.python:
        return None
    chosen = find_python(settings.root, settings.options.python, settings.environ)
    unnamed = {name: value for name, value in settings.environ.items() if name not in ACTIVE}
    return None if chosen == find_python(settings.root, None, unnamed, folder) else _from(settings.root, chosen)


def _env_files(settings: Settings) -> str | list[str] | None:
    paths = [_from(settings.root, str(file)) for file in settings.env_files]
    return paths if len(paths) != 1 else paths[0]


def _from(root: Path, path: str) -> str:
    """The path as the file is to have it: from the project's folder where it is near, so that it holds for others."""
    relative = os.path.relpath(root / path, root)
    return path if Path(relative).parts.count(os.pardir) > FARTHEST else relative


def _reasons(worker: WorkerProgram, apis: Sequence[ApiProgram]) -> Mapping[str, Sequence[str]]:
    return {"celery": _shown(worker.reasons), "api": _shown(apis[0].reasons) if apis else ()}


def _shown(reasons: Sequence[str]) -> list[str]:
    """The weightiest, each in one line, without the password that a start line may have in it."""
    return [one_line(masked(reason), WIDTH) for reason in reasons[:REASONS]]


def _worker_table(root: Path, worker: WorkerProgram) -> Written:
    values = {
        "celery": str(worker.app),
        "folder": _folder(root, worker.app.folder),
        "queues": worker.queues,
        "pool": worker.pool,
        "concurrency": worker.concurrency,
    }
    return Written(_without_empty(values), ("workers", worker.name), {"celery": _shown(worker.reasons)})


def _api_table(root: Path, api: ApiProgram) -> Written:
    values = {
        "api": str(api.app) if api.app else None,
        "folder": _folder(root, api.folder),
        "kind": None if api.kind == "asgi" else api.kind,
        "factory": api.factory or None,
    }
    written = _without_empty(values)
    return Written(written, ("apis", api.name), {next(iter(written), "api"): _shown(api.reasons)})


def _folder(root: Path, folder: Path) -> str | None:
    return None if folder == root else _from(root, str(folder))


def _without_empty(values: Mapping[str, Value | None]) -> dict[str, Value]:
    return {key: value for key, value in values.items() if value not in (None, "", [])}
