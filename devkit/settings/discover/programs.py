"""What of a project can be started: its workers and its APIs, each with the reasons for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from devkit.settings.discover.roots import AppRef

ApiKind = Literal["asgi", "django", "flask"]


@dataclass(frozen=True)
class WorkerProgram:
    """A Celery worker. `reasons` tell, the weightiest first, where it was found:
    "docker-compose.yml:12  celery -A …". `environ` are the variables that the first of these lines sets itself."""

    name: str
    app: AppRef
    queues: str | None = None
    pool: str | None = None
    concurrency: int | None = None
    reasons: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ApiProgram:
    """An API. `asgi`: `devkit api` serves the app (`factory`: what makes it); `django` and `flask` are started by
    their own development server: `folder` has manage.py, or the Flask app is imported from it."""

    name: str
    kind: ApiKind
    folder: Path
    app: AppRef | None = None
    factory: bool = False
    reasons: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Found:
    """All that a project has; the first of each is the one that is meant where only one can be.

    `notes` are for whoever starts it: what was seen and is not started, and why.
    """

    workers: tuple[WorkerProgram, ...]
    apis: tuple[ApiProgram, ...]
    notes: tuple[str, ...] = ()
