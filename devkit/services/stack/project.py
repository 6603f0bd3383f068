"""What the services of one project have in common, and the orders that they are started with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from devkit.model.lines import line
from devkit.model.status import StartedWith
from devkit.model.wire import LaunchOrder, ServiceOrder, WorkerPart
from devkit.services.commands import app_in, with_paths
from devkit.services.environment.surroundings import Surroundings
from devkit.settings.discover import AppRef
from devkit.settings.evidence.given import Whose
from devkit.settings.load import Settings


@dataclass(frozen=True)
class StackProject:
    """What the services of one project have in common that have to do with one of its Celery apps.

    `marks` are the variables by which this stack's processes are known; `late` is what is known only once the broker
    is: its address and the result backend's. `surroundings` are those of the two kinds of program.
    """

    settings: Settings
    python: str
    celery: AppRef
    marks: Mapping[str, str]
    late: Mapping[str, str]
    surroundings: Mapping[Whose, Surroundings] = field(
        default_factory=lambda: {"worker": Surroundings(), "api": Surroundings()}
    )

    def with_brokers(self, late: Mapping[str, str]) -> "StackProject":
        """The same, once the broker and the result backend are known."""
        around = {program: one.with_brokers(late) for program, one in self.surroundings.items()}
        return replace(self, late=late, surroundings=around)

    def with_line(self, program: Whose, environ: Mapping[str, str]) -> "StackProject":
        """The same for a program of that kind whose start line sets these variables."""
        around = self.surroundings[program]
        given = {**around.given, **environ}
        return replace(self, surroundings={**self.surroundings, program: replace(around, given=given)})

    @property
    def environ(self) -> Mapping[str, str]:
        """What every service gets from the start."""
        return {**self.settings.environ, **self.marks}

    @property
    def found_late(self) -> dict[str, str]:
        """What a process that is no command of devkit's own gets once the broker is known."""
        return {**self.surroundings["worker"].changes(self.settings), **self.late}

    @property
    def own_environ(self) -> Mapping[str, str]:
        """What devkit's own commands get, which read `.env` themselves, again and again."""
        return {**self.settings.inherited, **self.marks}

    @property
    def folder(self) -> Path:
        """The import root and working directory of the project's processes."""
        return self.celery.folder

    def started_with(self, api: AppRef | None) -> StartedWith:
        """What the other commands are to go by."""
        settings = self.settings
        typed = {key: value for key, value in vars(settings.options).items() if settings.sources[key] == "flag"}
        return StartedWith(
            celery=str(self.celery),
            celery_folder=str(self.celery.folder),
            celery_paths=tuple(map(str, self.celery.paths)),
            python=os.path.abspath(self.python),  # noqa: PTH100 - a link stays one: that is the virtualenv
            api=str(api or ""),
            api_folder=str(api.folder) if api else "",
            env_files=tuple(map(str, settings.env_files)),
            env_from=settings.options.env_from or "",
            queues=typed.get("queues", ""),
            pool=typed.get("pool", ""),
            concurrency=typed.get("concurrency"),
        )

    def own_files(self, name: str) -> Path:
        """The folder under `.devkit/` where a service keeps its data; it is made here."""
        folder = self.settings.paths.data / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def run_order(project: StackProject, module: str, argv: list[str]) -> bytes:
    """The line that tells a process started early to become `python -m MODULE ARGV`."""
    env = with_paths(project.celery, project.found_late)
    return line(LaunchOrder(module=module, argv=argv, cwd=str(project.folder), env=env))


def worker_order(project: StackProject, part: WorkerPart) -> bytes:
    """The line that tells a `devkit worker` which app to run, with which surroundings, and which worker it is."""
    return line(ServiceOrder(**_order(project, project.celery, "worker"), worker=part))


def api_order(project: StackProject, app: AppRef, port: int) -> bytes:
    """The line that tells a `devkit api` which app to serve, where, and with which surroundings."""
    return line(ServiceOrder(**_order(project, app, "api"), port=port))


def _order(project: StackProject, app: AppRef, program: Whose) -> ServiceOrder:
    around = project.surroundings[program]
    return {"run": app_in(app, project.late), "given": dict(around.given), "servers": list(around.servers)}
