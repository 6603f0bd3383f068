"""The broker before the app: for an app that connects to it while it is imported, and so cannot be asked before."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import SplitResult, urlsplit

from devkit.model.address import USUAL_PORTS
from devkit.model.wire import AppFacts
from devkit.services.environment.surroundings import Surroundings
from devkit.services.ports import Port, Ports
from devkit.services.project.broker import LOOPBACK, Choice
from devkit.services.project.mends import ServiceDownError
from devkit.services.stack.choice import choose, rabbitmq_here, rabbitmq_parts
from devkit.services.stack.early import EarlyProcesses
from devkit.services.stack.project import StackProject
from devkit.services.stack.rabbitmq import find_rabbitmq_server, rabbitmq_service
from devkit.services.stack.redis import redis_service
from devkit.stack.ports import HOST

BROKER_PORTS = (USUAL_PORTS["redis"], USUAL_PORTS["amqp"])

# Asks the app for its facts, with these variables.
Ask = Callable[[Mapping[str, str]], AppFacts]


def wants_broker(error: ServiceDownError, around: Surroundings) -> bool:
    """Whether what does not answer is a broker, or a result backend, as far as its address tells."""
    return error.port in BROKER_PORTS or error.host in around.broker_names


def ask_with_broker(
    ask: Ask, error: ServiceDownError, asked: Choice, project: StackProject, ports: Ports, early: EarlyProcesses
) -> tuple[AppFacts, Choice]:
    """The facts, asked again with an embedded broker that runs, and the choice, which has that in it: a RabbitMQ where
    that is wanted and this machine has one, else a Redis.

    The stack goes on with it. Raises DevkitError where the app is still not content.
    """
    wanted = _rabbitmq_wanted(error, project)
    if wanted is None or find_rabbitmq_server(project.settings.environ.get("PATH", "")) is None:
        return _ask_with_redis(ask, error, asked, project, ports, early)
    port = ports.choose("rabbitmq", wish=error.port if error.host in LOOPBACK else None)
    url = rabbitmq_here(wanted, port.number)
    early.run_ahead([rabbitmq_service(project, "rabbitmq", url, port)], project.settings.options.timeout)
    broker = replace(asked, broker=url)
    try:
        facts = ask(broker.environ())
        choice = choose(facts, broker, ports.choose, lambda: False)
    except ServiceDownError as another:  # its result backend, say
        if another.port == USUAL_PORTS["amqp"] or not wants_broker(another, project.surroundings["worker"]):
            raise
        facts, choice = _ask_with_redis(ask, another, broker, project, ports, early)
    return facts, replace(choice, rabbitmq_port=port)


def _rabbitmq_wanted(error: ServiceDownError, project: StackProject) -> SplitResult | None:
    """The address of what does not answer, with its user and its virtual host where a variable tells them; None where
    that is no RabbitMQ."""
    around = project.surroundings["worker"]
    for value in (*project.settings.environ.values(), *around.given.values()):
        parts = rabbitmq_parts(value)
        if parts and parts.hostname == error.host and (parts.port or USUAL_PORTS["amqp"]) == error.port:
            return parts
    return urlsplit("amqp://") if error.port == USUAL_PORTS["amqp"] else None


def _ask_with_redis(
    ask: Ask, error: ServiceDownError, asked: Choice, project: StackProject, ports: Ports, early: EarlyProcesses
) -> tuple[AppFacts, Choice]:
    """The same, with a Redis."""
    here = error.host in LOOPBACK
    port = ports.choose("redis", wish=error.port if here and error.port != USUAL_PORTS["amqp"] else None)
    why = f"{error.host}:{error.port}: it is wanted while the app is imported"
    early.run_ahead([redis_service(project, port, why)], project.settings.options.timeout)
    url = f"redis://{HOST}:{port.number}"
    broker = replace(asked, broker=asked.broker or f"{url}/0", embedded_port=port, why=why)
    try:
        facts = ask(broker.environ())
    except ServiceDownError:  # it insists on its result backend, too
        broker = replace(broker, result_backend=asked.result_backend or f"{url}/1")
        return ask(broker.environ()), broker
    chosen = choose(facts, replace(broker, embedded_port=None), _only(port, ports), lambda: False)
    backend = chosen.result_backend or (f"{url}/1" if facts["result_backend"] is None else None)
    return facts, replace(broker, result_backend=backend)


def _only(port: Port, ports: Ports) -> Callable[..., Port]:
    """The ports of one stack, whose Redis has one already."""

    def chosen(name: str, asked: int | None = None, wish: int | None = None) -> Port:
        return port if name == "redis" else ports.choose(name, asked, wish)

    return chosen
