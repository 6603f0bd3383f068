"""Which broker and result backend a stack uses: the app's own where they answer, else an embedded Redis.

A RabbitMQ that is asked for, that would be on this machine and does not answer, is embedded, too; so is one for an app
that cannot speak Redis, or that needs of RabbitMQ what Redis has not.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from devkit.errors import DevkitError
from devkit.model.embedded import AMQP, address
from devkit.model.wire import AppFacts
from devkit.services.ports import USUAL_PORTS, Port
from devkit.services.project.broker import Choice, Replaced, is_amqp, is_local, masked, program_name
from devkit.services.project.packages import mend_lines
from devkit.stack.ports import HOST, is_free

# Where in a URL of theirs the number of a database is.
NUMBERED = ("redis", "rediss", "sentinel")


class ChoosePort(Protocol):
    """The port of a service by its name: the one `asked` for, or the one of one's `wish` if that is free."""

    def __call__(self, name: str, asked: int | None = None, wish: int | None = None) -> Port: ...


def choose(facts: AppFacts, asked: Choice, port: ChoosePort, has_rabbitmq: Callable[[], bool]) -> Choice:
    """Decide from the app's facts (`devkit.agent.app.describe`), which tell what answered, and whose it is.

    `port` is called only if a port is needed, `has_rabbitmq` only if it matters whether this machine has one to start.
    Raises DevkitError when a URL that was asked for does not answer, or when the app's environment has no package for
    its own Redis: another broker would be no cure.
    """
    asked, rabbitmq_port = _with_rabbitmq(facts, asked, port)
    _check_asked(facts, asked, rabbitmq_port)
    no_broker = no_backend = ""
    if not asked.broker:
        no_broker = facts["broker_error"] or _anothers(facts, "broker")
        _check_speaks("broker", facts["broker"], facts, missing=facts["broker_missing"])
    if not asked.result_backend and facts["result_backend"]:
        no_backend = facts["result_backend_error"] or _anothers(facts, "result backend")
        _check_speaks("result backend", facts["result_backend"], facts, missing=facts["result_backend_missing"])
    _check_plain("broker", facts["broker"], no_broker, facts, "broker_use_ssl")
    _check_plain("result backend", facts["result_backend"] or "", no_backend, facts, "redis_backend_use_ssl")
    replaced = [Replaced(facts["broker"], no_broker)] if no_broker else []
    replaced += [Replaced(facts["result_backend"] or "", no_backend)] if no_backend else []
    chosen = Choice(asked.broker, asked.result_backend, rabbitmq_port=rabbitmq_port, replaced=tuple(replaced))
    if no_broker and _is_rabbitmq_better(facts, has_rabbitmq):
        chosen, no_broker = _stand_in_rabbitmq(facts, chosen, port), ""
        if no_backend and facts["redis_lacks"]:
            return replace(chosen, result_backend="rpc://")
    if no_broker and not asked.result_backend and not facts["result_backend"]:
        no_backend = "the app has none"  # with one, `devkit run` and others can show results
    return _with_redis(facts, chosen, port, no_broker, no_backend) if no_broker or no_backend else chosen


def _with_redis(facts: AppFacts, chosen: Choice, port: ChoosePort, no_broker: str, no_backend: str) -> Choice:
    """An embedded Redis in the place of one of the two, or of both."""
    urls = [facts["broker"]] * bool(no_broker) + [facts["result_backend"]] * bool(no_backend)
    embedded_port = port("redis", wish=next(filter(None, map(_port_here, urls)), None))
    number = embedded_port.number
    return replace(
        chosen,
        broker=_embedded(facts["broker"], number, 0) if no_broker else chosen.broker,
        result_backend=_embedded(facts["result_backend"], number, 1) if no_backend else chosen.result_backend,
        embedded_port=embedded_port,
        why=no_broker and f"{masked(facts['broker'])}: {no_broker}",
    )


def _check_asked(facts: AppFacts, asked: Choice, rabbitmq_port: Port | None) -> None:
    for name, url, error, missing in (
        ("broker", asked.broker, None if rabbitmq_port else facts["broker_error"], facts["broker_missing"]),
        ("result backend", asked.result_backend, facts["result_backend_error"], facts["result_backend_missing"]),
    ):
        if url and error:
            install = mend_lines(facts["python"], url, error) if missing else []
            raise DevkitError(
                f"the {name} {masked(url)} does not answer: {error}",
                mend=[*install, "start it, or correct the URL", "leave it out: devkit starts a Redis of its own"],
            )


def _check_speaks(what: str, url: str, facts: AppFacts, *, missing: bool) -> None:
    """Raises DevkitError where Redis is meant and cannot be spoken."""
    if missing and url.partition(":")[0] in NUMBERED:
        lacks = facts["broker_error" if what == "broker" else "result_backend_error"] or ""
        raise DevkitError(
            f"{facts['python']} cannot speak Redis, as the {what} {masked(url)} needs: {lacks}",
            mend=[
                *mend_lines(facts["python"], url, lacks),
                'or name the project\'s interpreter: python = "..." ([tool.devkit])',
            ],
        )


def _check_plain(what: str, url: str, error: str, facts: AppFacts, setting: str) -> None:
    """Raises DevkitError where nothing embedded can take its place: the app would speak TLS to that, too."""
    if error and setting in facts["tls"]:
        raise DevkitError(
            f"the {what} {masked(url)} does not answer: {error}",
            looked=[f"what devkit embeds in its place: it speaks no TLS, and the app has {setting} set"],
            mend=[f"set {setting} only where the URL is one of TLS (rediss:, amqps:)", "or name one: --broker URL"],
        )


def _is_rabbitmq_better(facts: AppFacts, has_rabbitmq: Callable[[], bool]) -> bool:
    """Whether the app cannot speak Redis, or has queues that are another thing there."""
    return bool(facts["redis_lacks"] or (facts["amqp_needs"] and is_amqp(facts["broker"]) and has_rabbitmq()))


def _stand_in_rabbitmq(facts: AppFacts, chosen: Choice, port: ChoosePort) -> Choice:
    """An embedded RabbitMQ in the place of the app's broker, with its user and virtual host if that is one."""
    parts = rabbitmq_parts(facts["broker"]) or urlsplit("amqp://")
    found = port("rabbitmq", wish=parts.port if is_local(facts["broker"]) else None)
    needs = f"it has queues with {', '.join(facts['amqp_needs'])}"
    why = f"the app cannot speak Redis: {facts['redis_lacks']}" if facts["redis_lacks"] else needs
    return replace(chosen, broker=rabbitmq_here(parts, found.number), rabbitmq_port=found, no_redis=why)


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
    parts = rabbitmq_parts(url)
    if parts is None:
        return asked, None
    absent = facts["broker_error"] or _anothers(facts, "broker")
    if not absent or not is_local(url) or (parts.port and not is_free(parts.port)):
        return asked, None
    chosen = port("rabbitmq", parts.port)
    return replace(asked, broker=rabbitmq_here(parts, chosen.number)), chosen


def rabbitmq_parts(url: str) -> SplitResult | None:
    """The parts of the URL of one RabbitMQ, spoken to without encryption."""
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port  # which is no number in a URL that is none
        return parts if parts.scheme in AMQP and ";" not in url else None
    return None


def rabbitmq_here(parts: SplitResult, port: int) -> str:
    """The URL with its user and virtual host, but at this port of this machine."""
    user = parts.netloc.rpartition("@")[0] or "guest:guest"
    return parts._replace(netloc=f"{user}@{HOST}:{port}", path=parts.path or "//").geturl()
