"""What the services of one project have in common, and the orders that they are started with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devkit.model.lines import line
from devkit.model.status import StartedWith
from devkit.model.wire import LaunchOrder, ServiceOrder
from devkit.services.commands import app_in, with_paths
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings


@dataclass(frozen=True)
class StackProject:
    """What the services of one project have in common.

    `marks` are the variables by which this stack's processes are known; `late` is what is known only once the broker
    is: its address and the result backend's.
    """

    settings: Settings
    python: str
    celery: AppRef
    marks: Mapping[str, str]
    late: Mapping[str, str]

    @property
    def environ(self) -> Mapping[str, str]:
        """What every service gets from the start."""
        return {**self.settings.environ, **self.marks}

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
    return line(
        LaunchOrder(module=module, argv=argv, cwd=str(project.folder), env=with_paths(project.celery, project.late))
    )


def app_order(project: StackProject, app: AppRef, port: int | None = None) -> bytes:
    """The line that tells a `devkit worker` or `devkit api` which app to run, and with which broker."""
    order: ServiceOrder = {"run": app_in(app, project.late)}
    return line(order if port is None else {**order, "port": port})
