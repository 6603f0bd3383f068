"""Which broker and result backend a stack uses: the app's own where they answer, else an embedded Redis.

A RabbitMQ that is asked for, that would be on this machine and does not answer, is embedded, too.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from devkit.errors import DevkitError
from devkit.model.embedded import AMQP, address
from devkit.model.wire import AppFacts
from devkit.services.ports import USUAL_PORTS, Port
from devkit.services.project.broker import Choice, is_local, masked, program_name
from devkit.stack.ports import HOST, is_free

# Where in a URL of theirs the number of a database is.
NUMBERED = ("redis", "rediss", "sentinel")


class ChoosePort(Protocol):
    """The port of a service by its name: the one `asked` for, or the one of one's `wish` if that is free."""

    def __call__(self, name: str, asked: int | None = None, wish: int | None = None) -> Port: ...


def choose(facts: AppFacts, asked: Choice, port: ChoosePort) -> Choice:
    """Decide from the app's facts (`devkit.agent.app.describe`), which tell what answered, and whose it is.

    `port` is called only if a port is needed. Raises DevkitError when a URL that was asked for does not answer.
    """
    asked, rabbitmq_port = _with_rabbitmq(facts, asked, port)
    for name, url, error in (
        ("broker", asked.broker, None if rabbitmq_port else facts["broker_error"]),
        ("result backend", asked.result_backend, facts["result_backend_error"]),
    ):
        if url and error:
            raise DevkitError(
                f"the {name} {masked(url)} does not answer: {error}",
                mend=["start it, or correct the URL", "leave it out: devkit starts a Redis of its own"],
            )
    no_broker = no_backend = ""
    if not asked.broker:
        no_broker = facts["broker_error"] or _anothers(facts, "broker")
    if not asked.result_backend:
        if facts["result_backend"]:
            no_backend = facts["result_backend_error"] or _anothers(facts, "result backend")
        elif no_broker:
            no_backend = "the app has none"  # with one, `devkit run` and others can show results
    if not (no_broker or no_backend):
        return Choice(asked.broker, asked.result_backend, rabbitmq_port=rabbitmq_port)
    replaced = [facts["broker"]] * bool(no_broker) + [facts["result_backend"]] * bool(no_backend)
    embedded_port = port("redis", wish=next(filter(None, map(_port_here, replaced)), None))
    number = embedded_port.number
    return Choice(
        broker=_embedded(facts["broker"], number, 0) if no_broker else asked.broker,
        result_backend=_embedded(facts["result_backend"], number, 1) if no_backend else asked.result_backend,
        embedded_port=embedded_port,
        why=no_broker and f"{masked(facts['broker'])}: {no_broker}",
        rabbitmq_port=rabbitmq_port,
    )


def _anothers(facts: AppFacts, what: str) -> str:
    """Why what answers is not meant: it is the one that devkit embedded for another project on this machine."""
    url, owner = facts["anothers"].get(what, ("", ""))
    return f"the embedded {program_name(url)} of {owner}" if owner else ""


def _port_here(url: str | None) -> int | None:
    """The port at which an embedded Redis would have this address, as the app's other processes know it."""
    with suppress(ValueError):
        parts = urlsplit((url or "").partition(";")[0])
        if parts.scheme == "redis" and address(parts.hostname or "") == HOST:
            return parts.port or USUAL_PORTS["redis"]
    return None


def _embedded(own: str | None, port: int, database: int) -> str:
    """The app's own URL where the embedded Redis has that address; else as much of it as holds there, too: not its
    password, for the embedded Redis has none. `database` is the number where there is none in it."""
    own, query = (own or "").partition(";")[0], ""
    with suppress(ValueError):
        parts = urlsplit(own)
        if _port_here(own) == port and "@" not in parts.netloc:
            return own
        if parts.scheme in NUMBERED and (number := parts.path.strip("/") or "0").isdigit():
            database = int(number)
        if parts.scheme == "redis" and parts.query:  # other schemes' are about certificates and the like
            query = f"?{parts.query}"
    return f"redis://{HOST}:{port}/{database}{query}"


def _with_rabbitmq(facts: AppFacts, asked: Choice, port: ChoosePort) -> tuple[Choice, Port | None]:
    """What is asked for, with the address of the RabbitMQ that has to be started for it, if one has to."""
    url = asked.broker or ""
    parts = _rabbitmq(url)
    if parts is None:
        return asked, None
    absent = facts["broker_error"] or _anothers(facts, "broker")
    if not absent or not is_local(url) or (parts.port and not is_free(parts.port)):
        return asked, None
    chosen = port("rabbitmq", parts.port)
    return replace(asked, broker=_here(parts, chosen.number)), chosen


def _rabbitmq(url: str) -> SplitResult | None:
    """The parts of the URL of one RabbitMQ, spoken to without encryption."""
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port  # which is no number in a URL that is none
        return parts if parts.scheme in AMQP and ";" not in url else None
    return None


def _here(parts: SplitResult, port: int) -> str:
    """The URL with its user and virtual host, but at this port of this machine."""
    user = parts.netloc.rpartition("@")[0] or "guest:guest"
    return parts._replace(netloc=f"{user}@{HOST}:{port}", path=parts.path or "//").geturl()
