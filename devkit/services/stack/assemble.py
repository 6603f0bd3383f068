"""Assembles a project's stack from its settings: what is to run, and in which environment."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import get_args

from devkit.errors import UsageError, did_you_mean
from devkit.model.status import AppStatus, ServiceStatus, StackStatus
from devkit.services.environment.notes import notes_on
from devkit.services.environment.started import started
from devkit.services.environment.surroundings import Surroundings, find_surroundings
from devkit.services.ports import Ports
from devkit.services.project.mends import start_advice
from devkit.services.project.programs import find_all, part_of
from devkit.services.project.python import find_python
from devkit.services.project.unreached import note_of
from devkit.services.stack.api import api_argv, api_service, other_server, own_server
from devkit.services.stack.apps import StackApp, settle
from devkit.services.stack.beat import beat_service
from devkit.services.stack.beside import services_beside
from devkit.services.stack.brokers import broker_notes, broker_services
from devkit.services.stack.early import EarlyProcesses
from devkit.services.stack.extra import extra_service
from devkit.services.stack.flower import flower_argv, flower_service
from devkit.services.stack.lines import line_notes
from devkit.services.stack.project import StackProject
from devkit.services.stack.worker import argv_of, fitting, worker_argv, worker_service
from devkit.settings.discover import AppRef
from devkit.settings.discover.programs import ApiProgram, WorkerProgram
from devkit.settings.evidence.given import Whose
from devkit.settings.load import Settings
from devkit.settings.tables import BUILT_IN_SERVICES
from devkit.stack import sessions
from devkit.stack.process import Process
from devkit.stack.service import Service

NO_APIS = {*BUILT_IN_SERVICES, "rabbitmq"} - {"api"}


@dataclass
class Stack:
    """The assembled services, with what `status` and `run` want to know beside them, and `notes` for the user.

    `run` marks the processes of this run in their environment.
    """

    project: StackProject
    services: list[Service]
    apps: Sequence[StackApp]
    notes: list[str]
    ports: Ports
    run: str
    api: AppRef | None = None
    started_at: float = field(default_factory=time.monotonic)

    def status(self, pid: int, services: Sequence[ServiceStatus]) -> StackStatus:
        apps = tuple(
            AppStatus(
                str(app.ref),
                str(app.ref.folder),
                tuple(map(str, app.ref.paths)),
                tuple(app.facts["tasks"]),
                app.environ(),
            )
            for app in self.apps
            if app.facts
        )
        return StackStatus(
            project=str(self.project.settings.root),
            pid=pid,
            uptime_s=round(time.monotonic() - self.started_at, 1),
            services=tuple(services),
            tasks=tuple(dict.fromkeys(task for app in apps for task in app.tasks)),
            environ=dict(self.project.late),
            started_with=self.project.started_with(self.api),
            apps=apps,
        )


def assemble(settings: Settings, wanted: Sequence[str], early: EarlyProcesses) -> Stack:
    """Find out what the project is and which services it needs.

    `wanted` names services to start (with what they depend on); empty means all. Raises DevkitError.
    """
    python = find_python(settings.root, settings.options.python, settings.environ)
    # The guard of a run that was killed must not take the next run's processes for its own.
    run = f"{settings.paths.runtime.name}.{os.getpid()}-{time.time_ns()}"
    marks = {"PYTHONUNBUFFERED": "1", sessions.MARKER: run}
    own_environ, environ = {**settings.inherited, **marks}, {**settings.environ, **marks}
    needed = _Needed(settings, wanted)

    # The first worker's process first: it also answers for its app.
    processes = {argv: early.start(argv, settings.root, own_environ) for argv in [worker_argv(settings)]}
    if needed.has("flower"):
        early.start(flower_argv(python), settings.root, environ)
    if needed.has("api"):
        early.start(api_argv(settings), settings.root, own_environ)

    found = find_all(settings, with_apis=needed.may_have_apis())
    workers, apis = found.workers, found.apis
    _check_names(settings, wanted, [*workers, *apis])
    askers: dict[AppRef, Process] = {}
    for worker in [worker for worker in workers if needed.has(worker.name)] or workers[:1]:
        argv = argv_of(settings, worker, part_of(settings, workers, workers.index(worker)))
        if argv not in processes:
            processes[argv] = early.start(argv, settings.root, own_environ)
        askers.setdefault(worker.app, processes[argv])
    ports = Ports(settings.options)
    beside, absent = services_beside(settings, marks, ports)
    early.run_ahead(beside, settings.options.timeout)
    servers = started(settings, [one.name for one in beside])
    around: dict[Whose, Surroundings] = {
        program: find_surroundings(settings, program, started=servers) for program in get_args(Whose)
    }
    of = _Projects(StackProject(settings, python, next(iter(askers)), marks, {}, around), workers)
    apps = settle(of, askers, ports, early)

    made = _Services(of, apps, needed, ports)
    services = [*beside, *made.all(workers, apis, tuple(one.name for one in beside))]
    services = [replace(one, advice=partial(start_advice, root=settings.root, python=python)) for one in services]
    project = made.of(None)
    told = [
        note_of(settings.root, app.ref, app.facts["tasks"], app.included)
        + (f"; the worker cannot import it by itself: {app.fails}" if app.fails else "")
        for app in apps
        if app.facts
    ]
    replaced = [one.url for app in apps for one in app.choice.replaced]
    notes = [*absent, *found.notes, *filter(None, told), *notes_on(project.surroundings, settings, replaced)]
    notes += [*line_notes([*workers, *apis], services), *made.notes, *broker_notes(apps)]
    project = project.with_line("api", apis[0].environ) if apis else project
    first_api = next((api.app for api in apis if api.app), None)
    asked = [*wanted, *(["api"] if settings.sources["api"] == "flag" else [])]
    whole = [replace(one, optional=one.optional and one.name not in asked) for one in services]
    return Stack(project, _with_dependencies(whole, wanted), apps, notes, ports, run, first_api)


class _Needed:
    """Which services may start: those not switched off and, where some are named, needed by these."""

    def __init__(self, settings: Settings, wanted: Sequence[str]) -> None:
        options = settings.options
        switches = {"api": options.with_api, "flower": options.with_flower, "beat": options.with_beat}
        self._off = {name for name, switch in switches.items() if not switch}
        needs = {extra.name: extra.depends_on for extra in settings.extra_services}
        self._no_apis = {*NO_APIS, *needs, *(table.name for table in settings.workers)}
        self._named: set[str] = set()
        todo = list(wanted)
        while todo:
            if (name := todo.pop()) not in self._named:
                self._named.add(name)
                todo.extend(needs.get(name, ()))
        self.wanted = set(wanted)

    def has(self, name: str) -> bool:
        return name not in self._off and (not self._named or name in self._named)

    def may_have_apis(self) -> bool:
        """Whether there may be an API among them."""
        return "api" not in self._off and (not self._named or not self._named <= self._no_apis)


class _Projects:
    """The project as each of its apps sees it: its interpreter, and what its worker's start line sets."""

    def __init__(self, project: StackProject, workers: Sequence[WorkerProgram]) -> None:
        self.settings = project.settings
        self._project = project
        self._lines = {worker.app: worker.environ for worker in reversed(workers)}

    def __call__(self, app: AppRef) -> StackProject:
        found = replace(self._project, celery=app, python=self.python(app.folder))
        return found.with_line("worker", self._lines.get(app, {}))

    def python(self, folder: Path) -> str:
        """The interpreter for what is imported from there."""
        return find_python(self.settings.root, self.settings.options.python, self.settings.environ, folder)


class _Services:
    """Makes the services, the broker first, which the others depend on."""

    def __init__(self, project: _Projects, apps: Sequence[StackApp], needed: _Needed, ports: Ports) -> None:
        self.notes: list[str] = []
        self._of = project
        self._apps = apps
        self._needed = needed
        self._ports = ports
        self._brokers = broker_services(project(apps[0].ref), apps)
        self._after: tuple[str, ...] = ()

    def all(
        self, workers: Sequence[WorkerProgram], apis: Sequence[ApiProgram], before: tuple[str, ...]
    ) -> list[Service]:
        """All services that the project can have, but those switched off; `before` are what these depend on, too."""
        self._after = (*before, *(service.name for service in self._brokers))
        services = [*self._brokers, *self._of_apis(apis), *self._of_workers(workers), *self._of_beat()]
        first = self._apps[0]
        if self._needed.has("flower") and first.facts:
            port, installed = self._ports.choose("flower"), first.facts["flower"]
            url = first.choice.broker or first.facts["broker"]
            services.append(flower_service(self.of(None), port, self._after, installed=installed, broker=url))
        extras = self._of.settings.extra_services
        names = ["redis", *before, *(service.name for service in services), *(extra.name for extra in extras)]
        return services + [
            extra_service(self.of(None), extra, names) for extra in extras if self._needed.has(extra.name)
        ]

    def _of_workers(self, workers: Sequence[WorkerProgram]) -> list[Service]:
        settings = self._of.settings
        declared = {app.ref: app.facts["queues"] for app in self._apps if app.facts}
        facts = {app.ref: app.facts for app in self._apps}
        services = []
        for place, worker in enumerate(workers):
            if worker.app in facts:
                part = part_of(settings, workers, place, declared)
                fit, notes = fitting(settings, worker, part, facts[worker.app])
                part["concurrency"] = fit.concurrency
                self.notes += [note for note in notes if note not in self.notes]
                project = self.of(worker.app).with_line("worker", worker.environ)
                services.append(worker_service(project, fit, part, self._after))
        return services

    def _of_apis(self, apis: Sequence[ApiProgram]) -> list[Service]:
        if self._needed.has("api") and not apis:
            self.notes.append("no FastAPI app found, so no API is started; --api MODULE:ATTR names one")
        tables = {table.name: table.port for table in self._of.settings.apis}
        facts = self._apps[0].facts
        services = []
        for api in apis:
            if not self._needed.has(api.name):
                continue
            port = self._ports.choose(api.name, tables.get(api.name))
            project = self.of(next((app.ref for app in self._apps if app.ref.folder == api.folder), None))
            project = replace(project, python=self._of.python(api.folder)).with_line("api", api.environ)
            # What is installed is known of the first app's environment alone.
            known = facts and project.python == self.of(None).python
            other = other_server(api, facts["servers"]) if facts and known else None
            if other:
                services.append(own_server(project, api, port, self._after, other))
            else:
                services.append(api_service(project, api, port, self._after, first=api is apis[0]))
        return services

    def _of_beat(self) -> list[Service]:
        """One for each app that has a schedule."""
        scheduled = (
            [app.ref for app in self._apps if app.facts and app.facts["beat"]] if self._needed.has("beat") else []
        )
        names = ["beat", *(f"beat-{number}" for number in range(2, len(scheduled) + 1))]
        return [beat_service(self.of(ref), name, self._after) for name, ref in zip(names, scheduled, strict=False)]

    def of(self, ref: AppRef | None) -> StackProject:
        """The project as a service of this app sees it; of the first one where there is none."""
        app = next((app for app in self._apps if app.ref == ref), self._apps[0])
        return self._of(app.ref).with_brokers(app.environ())


def _check_names(settings: Settings, wanted: Sequence[str], found: Sequence[WorkerProgram | ApiProgram]) -> None:
    """Raises UsageError for a name that no service has."""
    names = (*BUILT_IN_SERVICES, "rabbitmq", *(one.name for one in (*found, *settings.extra_services)))
    known = list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"there is no service '{name}'{did_you_mean(name, known)}", looked=[f"services: {', '.join(known)}"]
            )


def _with_dependencies(services: list[Service], wanted: Sequence[str]) -> list[Service]:
    """Those wanted and all that they depend on; all, if none is named.

    Raises UsageError for a circle.
    """
    by_name = {service.name: service for service in services}
    chosen: set[str] = set()

    def choose_one(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            raise UsageError(f"services depend on one another in a circle: {circle}", mend=["correct their depends_on"])
        if name in by_name:
            chosen.add(name)
            for dependency in by_name[name].depends_on:
                choose_one(dependency, (*path, name))

    for name in wanted or by_name:
        if name not in by_name:
            raise UsageError(
                f"'{name}' is not part of this stack: {_absent(name)}", looked=[f"it has {', '.join(by_name)}"]
            )
        choose_one(name, ())
    return [service for service in services if service.name in chosen]


def _absent(name: str) -> str:
    reasons = {
        "redis": "the app's own broker is used",
        "rabbitmq": "another broker is used; --broker amqp:// asks for RabbitMQ",
        "api": "no FastAPI app was found, or it is switched off",
        "worker": "each worker has a table of its own",
        "beat": "the app has no beat schedule, or it is switched off",
    }
    return reasons.get(name, "it is switched off")
