"""Assembles a project's stack from its settings: what is to run, and in which environment."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import get_args
from urllib.parse import urlsplit

from devkit.errors import UsageError, did_you_mean
from devkit.model.address import USUAL_PORTS
from devkit.model.status import ServiceStatus, StackStatus
from devkit.model.wire import AppFacts
from devkit.services.environment.notes import notes_on
from devkit.services.environment.started import chosen, started
from devkit.services.environment.surroundings import Surroundings, find_surroundings
from devkit.services.ports import Ports
from devkit.services.project.apps import programs
from devkit.services.project.broker import Choice, asked_for, is_amqp, masked, settled
from devkit.services.project.facts import ask_facts
from devkit.services.project.mends import ServiceDownError
from devkit.services.project.packages import install_line
from devkit.services.project.python import find_python
from devkit.services.project.unreached import note_of
from devkit.services.stack.api import api_argv, api_service
from devkit.services.stack.beat import beat_service
from devkit.services.stack.choice import choose
from devkit.services.stack.containers import container_services
from devkit.services.stack.early import EarlyProcesses
from devkit.services.stack.extra import extra_service
from devkit.services.stack.first import ask_with_redis, wants_broker
from devkit.services.stack.flower import flower_argv, flower_service
from devkit.services.stack.project import StackProject
from devkit.services.stack.rabbitmq import find_rabbitmq_server, rabbitmq_service
from devkit.services.stack.redis import redis_service
from devkit.services.stack.worker import worker_argv, worker_service
from devkit.settings.discover import AppRef
from devkit.settings.evidence.given import Whose
from devkit.settings.load import BUILT_IN_SERVICES, Settings
from devkit.stack import sessions
from devkit.stack.probes import tcp_answers
from devkit.stack.process import Process
from devkit.stack.service import Poll, Service

BROKER_NAMES = {"redis": "redis", "rediss": "redis", "amqp": "rabbitmq", "amqps": "rabbitmq", "pyamqp": "rabbitmq"}
TESTED_CELERY = (5, 1)  # by tests/acceptance/test_pins.py, on


@dataclass
class Stack:
    """The assembled services, with what `status` and `run` want to know beside them, and `notes` for the user.

    `run` marks the processes of this run in their environment.
    """

    project: StackProject
    services: list[Service]
    facts: AppFacts
    notes: list[str]
    ports: Ports
    run: str
    api: AppRef | None = None
    started_at: float = field(default_factory=time.monotonic)

    def status(self, pid: int, services: Sequence[ServiceStatus]) -> StackStatus:
        return StackStatus(
            project=str(self.project.settings.root),
            pid=pid,
            uptime_s=round(time.monotonic() - self.started_at, 1),
            services=tuple(services),
            tasks=tuple(self.facts["tasks"]),
            environ=dict(self.project.late),
            started_with=self.project.started_with(self.api),
        )


def assemble(settings: Settings, wanted: Sequence[str], early: EarlyProcesses) -> Stack:
    """Find out what the project is and which services it needs.

    `wanted` names services to start (with what they depend on); empty means all. Raises DevkitError.
    """
    options = settings.options
    known = list(dict.fromkeys((*BUILT_IN_SERVICES, "rabbitmq", *(extra.name for extra in settings.extra_services))))
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"there is no service '{name}'{did_you_mean(name, known)}", looked=[f"services: {', '.join(known)}"]
            )
    python = find_python(settings.root, options.python, settings.environ)
    # The guard of a run that was killed must not take the next run's processes for its own.
    run = f"{settings.paths.runtime.name}.{os.getpid()}-{time.time_ns()}"
    marks = {"PYTHONUNBUFFERED": "1", sessions.MARKER: run}
    own_environ, environ = {**settings.inherited, **marks}, {**settings.environ, **marks}
    on = _switched_on(settings, wanted)

    # The worker's process first: it also answers for the app.
    asker = early.start(worker_argv(settings), settings.root, own_environ)
    if "flower" in on:
        early.start(flower_argv(python), settings.root, environ)
    if "api" in on:
        early.start(api_argv(settings), settings.root, own_environ)

    found = programs(settings)
    celery = found.workers[0].app
    api = next((one.app for one in found.apis if one.kind == "asgi" and not one.factory), None) if "api" in on else None
    ports = Ports(options)
    beside = container_services(settings, chosen(settings), ports)
    early.run_ahead(beside, options.timeout)
    servers = started(settings, [one.name for one in beside])
    both: dict[Whose, Surroundings] = {
        program: find_surroundings(settings, program, started=servers) for program in get_args(Whose)
    }
    project = StackProject(settings, python, celery, marks, {}, both)
    facts, choice = _ask(project, asker, ports, early)
    project = project.with_brokers(choice.environ())

    notes = [*found.notes, *filter(None, [note_of(settings.root, celery, facts["tasks"])])]
    notes += notes_on(project.surroundings, settings, [one.url for one in choice.replaced])
    if "api" in on and not api:
        notes.append("no FastAPI app found, so no API is started; --api MODULE:ATTR names one")
    notes += _notes(facts, choice)
    services = _services(project, facts, choice, ports, api, on, beside)
    return Stack(project, _with_dependencies(services, wanted), facts, notes, ports, run, api)


def _ask(project: StackProject, asker: Process, ports: Ports, early: EarlyProcesses) -> tuple[AppFacts, Choice]:
    """The app's facts, and the broker and the result backend that follow from them. Raises DevkitError."""
    settings, around = project.settings, project.surroundings["worker"]
    asked, path = asked_for(settings), settings.environ.get("PATH", "")

    def ask(given: Mapping[str, str]) -> AppFacts:
        changed = around.with_brokers(given).changes(settings)
        environ = {**changed, **settled(given, settings.paths.data)}
        return ask_facts(asker, project.celery, environ, settings.options.timeout, settings.root)

    try:
        facts = ask(asked.environ())
    except ServiceDownError as error:
        if asked.broker or not wants_broker(error, around):
            raise
        return ask_with_redis(ask, error, asked, project, ports, early)
    return facts, choose(facts, asked, ports.choose, lambda: find_rabbitmq_server(path) is not None)


def _notes(facts: AppFacts, choice: Choice) -> list[str]:
    """What a user of the app may not expect."""
    notes = []
    version = re.match(r"(\d+)\.(\d+)", facts["celery"])
    if version and tuple(map(int, version.groups())) < TESTED_CELERY:
        notes.append(f"Celery {facts['celery']} is older than 5.1, the oldest one that devkit is tested with")
    for one in choice.replaced:
        if one.is_redis or (choice.no_redis and is_amqp(one.url)):
            continue  # something of the same kind is in the table
        missing = facts["broker_missing"] if one.url == facts["broker"] else facts["result_backend_missing"]
        mend = f" ({install_line(facts['python'], one.url, one.why)})" if missing else ""
        notes.append(f"{masked(one.url)} is not used: {one.why}{mend}")
    if facts["eager"] is not None:
        place = f" ({facts['eager']})" if facts["eager"] else ""
        notes.append(f"task_always_eager is on{place}: what the app sends runs where it is sent, and no worker has it")
    return notes


def _services(
    project: StackProject,
    facts: AppFacts,
    choice: Choice,
    ports: Ports,
    api: AppRef | None,
    on: set[str],
    beside: Sequence[Service],
) -> list[Service]:
    """All services that the project can have: the broker first, which the others depend on."""
    broker = choice.broker or facts["broker"]
    services = [*beside]
    if choice.embedded_port:
        services.append(redis_service(project, choice.embedded_port, choice.why, choice.strangers))
    if choice.rabbitmq_port:
        name = _broker_name(project, broker, alone=not choice.embedded_port)
        services.append(rabbitmq_service(project, name, broker, choice.rabbitmq_port, choice.no_redis))
    elif not choice.why:
        services.append(_own_broker(project, broker, alone=not choice.embedded_port))
    after = tuple(service.name for service in services)
    if api:
        services.append(api_service(project, api, ports.choose("api"), after, installed=facts["uvicorn"]))
    services.append(worker_service(project, after))
    if "beat" in on and facts["beat"]:
        services.append(beat_service(project, after))
    if "flower" in on:
        services.append(
            flower_service(project, ports.choose("flower"), after, installed=facts["flower"], broker=broker)
        )
    extras = project.settings.extra_services
    names = ["redis", *(service.name for service in services), *(extra.name for extra in extras)]
    return services + [extra_service(project, extra, names) for extra in extras if extra.name in on]


def _switched_on(settings: Settings, wanted: Sequence[str]) -> set[str]:
    """Which of the optional services may start: those not switched off and, where some are named, needed by these."""
    options = settings.options
    switches = {"api": options.with_api, "flower": options.with_flower, "beat": options.with_beat}
    needs = {extra.name: extra.depends_on for extra in settings.extra_services}
    on = {name for name, switch in switches.items() if switch} | set(needs)
    if not wanted:
        return on
    needed: set[str] = set()
    todo = list(wanted)
    while todo:
        if (name := todo.pop()) not in needed:
            needed.add(name)
            todo.extend(needs.get(name, ()))
    return on & needed


def _own_broker(project: StackProject, url: str, *, alone: bool) -> Service:
    """The broker that the app uses and that runs already: shown, not started."""
    return Service(
        name=_broker_name(project, url, alone=alone),
        argv=(),
        cwd=project.folder,
        env={},
        ready=_answers(url),
        url=masked(url),
        how="asked for" if project.settings.options.broker else "the app's own",
        external=True,
    )


def _answers(url: str) -> Poll | None:
    """Whether something still listens at the broker's address, where that is one."""
    with suppress(ValueError):
        parts = urlsplit(url)
        port = parts.port or USUAL_PORTS.get(parts.scheme)
        return tcp_answers(parts.hostname, port) if parts.hostname and port and ";" not in url else None
    return None


def _broker_name(project: StackProject, url: str, *, alone: bool) -> str:
    """A name that no other service has; `alone`: there is no embedded Redis."""
    usual = BROKER_NAMES.get(url.partition(":")[0].partition("+")[0], "broker")
    used = {extra.name for extra in project.settings.extra_services} | (set() if alone else {"redis"})
    return next((name for name in (usual, "broker") if name not in used), "own-broker")


def _with_dependencies(services: list[Service], wanted: Sequence[str]) -> list[Service]:
    """Those wanted and all that they depend on; all, if none is named. Who names one cannot spare it.

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
    spared = {service.name for service in services if service.optional}.difference(wanted)
    return [replace(service, optional=service.name in spared) for service in services if service.name in chosen]


def _absent(name: str) -> str:
    reasons = {
        "redis": "the app's own broker is used",
        "rabbitmq": "another broker is used; --broker amqp:// asks for RabbitMQ",
        "api": "no FastAPI app was found, or it is switched off",
        "beat": "the app has no beat schedule, or it is switched off",
    }
    return reasons.get(name, "it is switched off")
