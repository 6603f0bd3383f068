"""What a running stack tells about itself: the value behind `devkit status`."""

import os
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from devkit.errors import DevkitError, UsageError, did_you_mean
from devkit.model.wire import Json, State

# The variables that a stack gives to its services, and to devkit's other commands, whose environment no other enters.
HANDED_OUT = frozenset(
    (
        *("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND"),
        "DEVKIT_INCLUDE",
    )
)


@dataclass(frozen=True)
class ServiceStatus:
    """One service. `ready_s` is seconds from its own start to ready, `restarts` counts those after crashes.

    `spared`: the stack is up without it; `missed`: and its start has failed all the same.
    """

    name: str
    state: State
    pid: int | None
    url: str | None
    ready_s: float | None
    restarts: int
    generation: int
    note: str
    how: str
    spared: bool = False
    missed: bool = False


@dataclass(frozen=True)
class StartedWith:
    """What a stack runs and was told at its start: the other commands go by it, as its worker does.

    `celery` and `api` are MODULE:ATTR, each imported from its folder, the app also from `celery_paths`; `api` is empty
    where the stack has none. The files and folders are absolute paths. `queues`, `pool` and `concurrency` are what `up`
    was told by flags.
    """

    celery: str
    celery_folder: str
    python: str
    api: str = ""
    api_folder: str = ""
    env_files: tuple[str, ...] = ()
    queues: str = ""
    pool: str = ""
    concurrency: int | None = None
    celery_paths: tuple[str, ...] = ()
    env_from: str = ""

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> "StartedWith":
        """Raises TypeError or ValueError for what no stack of this version tells."""
        found = cls(**{**data, **{key: tuple(data[key]) for key in ("env_files", "celery_paths")}})
        paths = [
            found.celery_folder,
            *found.celery_paths,
            found.python,
            *found.env_files,
            *([found.api_folder] if found.api else []),
        ]
        texts = [found.celery, found.api, found.api_folder, found.env_from, found.queues, found.pool, *paths]
        if not all(isinstance(text, str) and text.isprintable() for text in texts):
            raise ValueError("what it was started with is no text")
        if not all(map(os.path.isabs, paths)) or not isinstance(found.concurrency, int | None):
            raise ValueError("what it was started with is no path")
        return found


@dataclass(frozen=True)
class AppStatus:
    """One of the Celery apps, MODULE:ATTR imported from its folder and `paths`: its tasks, and its
    `StackStatus.environ`."""

    celery: str
    folder: str
    paths: tuple[str, ...]
    tasks: tuple[str, ...]
    environ: dict[str, str]

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> "AppStatus":
        """Raises TypeError, KeyError or ValueError for what no stack of this version tells."""
        found = cls(**{**data, "tasks": tuple(data["tasks"]), "paths": tuple(data["paths"])})
        folders = [found.folder, *found.paths]
        if not all(map(os.path.isabs, folders)) or not "".join([found.celery, *folders]).isprintable():
            raise ValueError("an app that is not in a folder")
        _check(found.tasks, found.environ)
        return found


@dataclass(frozen=True)
class StackStatus:
    """One project's stack. `environ` holds what the services got beyond the user's environment: only `HANDED_OUT`."""

    project: str
    pid: int | None
    uptime_s: float | None
    services: tuple[ServiceStatus, ...]
    tasks: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    started_with: StartedWith | None = None
    apps: tuple[AppStatus, ...] = ()

    @property
    def all_ready(self) -> bool:
        """Whether all are that it waits for."""
        return all(one.state == "ready" or one.spared for one in self.services)

    def to_wire(self) -> Json:
        """As JSON values, for the control socket."""
        return asdict(self)

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> "StackStatus":
        """Raises DevkitError for the status of a stack of another version."""
        try:
            services = tuple(ServiceStatus(**service) for service in data["services"])
            told = data.get("started_with")
            started_with = None if told is None else StartedWith.from_wire(told)
            apps = tuple(AppStatus.from_wire(app) for app in data["apps"])
            tasks = tuple(data["tasks"])
            found = cls(**{**data, "services": services, "tasks": tasks, "started_with": started_with, "apps": apps})
            _check(found.tasks, found.environ)
            return found
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DevkitError(
                "the stack that runs is of another version of devkit",
                looked=[f"what it tells: {error}"],
                mend=["stop it: devkit down"],
            ) from error

    def to_json(self) -> dict[str, Any]:
        """The document of `devkit status --json`: no URL in it carries a password."""
        keys = ("name", "state", "pid", "url", "ready_s", "restarts", "generation", "note")
        return {
            "project": self.project,
            "pid": self.pid,
            "uptime_s": self.uptime_s,
            "services": [{key: getattr(service, key) for key in keys} for service in self.services],
        }


def _check(tasks: Collection[str], environ: dict[str, str]) -> None:
    """Raises ValueError for variables that are not handed out, and for what is no text."""
    unknown = environ.keys() - HANDED_OUT
    printable = all(isinstance(text, str) and text.isprintable() for text in environ.values())
    if unknown or not printable or not all(isinstance(name, str) for name in tasks):
        raise ValueError(f"it hands out {', '.join(sorted(unknown)) or 'what is no text'}")


def check_names(names: Collection[str], services: Collection[str]) -> None:
    """Raises UsageError for a name that is none of a stack's services."""
    for name in names:
        if name not in services:
            raise UsageError(
                f"there is no service '{name}' in this stack{did_you_mean(name, list(services))}",
                looked=[f"services: {', '.join(services)}"],
            )
