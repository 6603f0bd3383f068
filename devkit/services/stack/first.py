"""The broker before the app: for an app that connects to it while it is imported, and so cannot be asked before."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from devkit.model.address import USUAL_PORTS
from devkit.model.wire import AppFacts
from devkit.services.environment.surroundings import Surroundings
from devkit.services.ports import Port, Ports
from devkit.services.project.broker import LOOPBACK, Choice
from devkit.services.project.mends import ServiceDownError
from devkit.services.stack.choice import choose
from devkit.services.stack.early import EarlyProcesses
from devkit.services.stack.project import StackProject
from devkit.services.stack.redis import redis_service
from devkit.stack.ports import HOST

BROKER_PORTS = (USUAL_PORTS["redis"], USUAL_PORTS["amqp"])

# Asks the app for its facts, with these variables.
Ask = Callable[[Mapping[str, str]], AppFacts]


def wants_broker(error: ServiceDownError, around: Surroundings) -> bool:
    """Whether what does not answer is a broker, or a result backend, as far as its address tells."""
    return error.port in BROKER_PORTS or error.host in around.broker_names


def ask_with_redis(
    ask: Ask, error: ServiceDownError, asked: Choice, project: StackProject, ports: Ports, early: EarlyProcesses
) -> tuple[AppFacts, Choice]:
    """The facts, asked again with an embedded Redis that runs, and the choice, which has that in it.

    The stack goes on with it. Raises DevkitError where the app is still not content.
    """
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
