"""The brokers of a stack as services of it: those that it embeds, and those that the apps have and that run already."""

import re
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from devkit.model.wire import AppFacts
from devkit.services.ports import USUAL_PORTS
from devkit.services.project.broker import Choice, is_amqp, masked
from devkit.services.project.packages import mend_lines
from devkit.services.stack.apps import StackApp
from devkit.services.stack.project import StackProject
from devkit.services.stack.rabbitmq import rabbitmq_service
from devkit.services.stack.redis import redis_service
from devkit.stack.probes import tcp_answers
from devkit.stack.service import Poll, Service

NAMES = {"redis": "redis", "rediss": "redis", "amqp": "rabbitmq", "amqps": "rabbitmq", "pyamqp": "rabbitmq"}
TESTED_CELERY = (5, 1)  # by tests/acceptance/test_pins.py, on


def broker_services(project: StackProject, apps: Sequence[StackApp]) -> list[Service]:
    """One of each kind is embedded at most, and serves all apps that need one; an address is shown once."""
    embedded = next((app.choice for app in apps if app.choice.embedded_port), None)
    services = []
    if embedded and embedded.embedded_port:
        services.append(redis_service(project, embedded.embedded_port, embedded.why, embedded.strangers))
    rabbitmq = False
    shown: set[str] = set()
    for app in apps:
        if app.facts is None:
            continue
        url, choice = app.choice.broker or app.facts["broker"], app.choice
        if choice.rabbitmq_port and not rabbitmq:
            rabbitmq = True
            name = _name(project, url, services)
            services.append(rabbitmq_service(project, name, url, choice.rabbitmq_port, choice.no_redis))
        elif not choice.rabbitmq_port and not choice.why and url not in shown:
            shown.add(url)
            services.append(_own_broker(project, url, services))
    return services


def broker_notes(apps: Sequence[StackApp]) -> list[str]:
    """What a user of the apps may not expect."""
    return list(dict.fromkeys(note for app in apps if app.facts for note in _notes(app.facts, app.choice)))


def _notes(facts: AppFacts, choice: Choice) -> list[str]:
    notes = []
    version = re.match(r"(\d+)\.(\d+)", facts["celery"])
    if version and tuple(map(int, version.groups())) < TESTED_CELERY:
        notes.append(f"Celery {facts['celery']} is older than 5.1, the oldest one that devkit is tested with")
    for one in choice.replaced:
        if one.is_redis or (choice.no_redis and is_amqp(one.url)):
            continue  # something of the same kind is in the table
        missing = facts["broker_missing"] if one.url == facts["broker"] else facts["result_backend_missing"]
        mend = "".join(f" ({line})" for line in mend_lines(facts["python"], one.url, one.why)) if missing else ""
        notes.append(f"{masked(one.url)} is not used: {one.why}{mend}")
    if facts["eager"] is not None:
        place = f" ({facts['eager']})" if facts["eager"] else ""
        notes.append(f"task_always_eager is on{place}: what the app sends runs where it is sent, and no worker has it")
    return notes


def _own_broker(project: StackProject, url: str, before: Sequence[Service]) -> Service:
    """The broker that an app uses and that runs already: shown, not started."""
    return Service(
        name=_name(project, url, before),
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


def _name(project: StackProject, url: str, before: Sequence[Service]) -> str:
    """A name that no other service has."""
    usual = NAMES.get(url.partition(":")[0].partition("+")[0], "broker")
    settings = project.settings
    used = {one.name for one in settings.extra_services} | {one.name for one in settings.workers}
    used |= {one.name for one in settings.apis} | {service.name for service in before}
    numbered = (f"own-broker-{number}" for number in range(2, len(used) + 3))
    return next(name for name in (usual, "broker", "own-broker", *numbered) if name not in used)
