"""Whether the app's broker and result backend answer: each is asked for something real, within a moment.

What they need may not even be installed; that no start of any server mends.
"""

import signal
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

CONNECT_TIMEOUT_S = 2.0
IMPORTING_S = 10.0  # what a transport imports only when it is used may be large: SQLAlchemy, boto3
OWN_MEMORY = "it is in the memory of one process, no other one would find there what that has sent or stored"
# Kombu makes a channel of these by talking to the server; of all others only once something is wanted of it.
TALKATIVE = ("amqp", "amqps", "pyamqp", "librabbitmq", "redis", "rediss", "sentinel", "SQS", "sqs")
MULTIPLE = "://"


def broker_error(app: Any) -> "str | None":
    """Why the broker does not answer; None when it does."""
    return broker_trouble(app)[0]


def broker_trouble(app: Any) -> "tuple[str | None, bool]":
    """The same, and whether it is that something is not installed."""
    try:
        connection = app.connection_for_write()
    except Exception as error:  # the transport cannot be imported
        return _why(error), True
    if connection.transport_cls == "memory":
        return OWN_MEMORY, False
    seconds = CONNECT_TIMEOUT_S if connection.transport_cls in TALKATIVE else IMPORTING_S
    return _in_time(lambda: _ask_broker(app, connection), seconds)


def broker_url(app: Any) -> str:
    """As the app has it; of several, with semicolons between them."""
    broker = app.conf.broker_write_url or "amqp://guest:guest@localhost:5672//"
    return ";".join(map(str, broker)) if isinstance(broker, (list, tuple)) else str(broker)


def result_backend_error(app: Any) -> "str | None":
    """Why the result backend does not answer; None when it does, or when there is none."""
    return backend_trouble(app)[0]


def backend_trouble(app: Any) -> "tuple[str | None, bool]":
    """The same, and whether it is that something is not installed."""
    if not app.conf.result_backend:
        return None, False
    try:
        backend = app.backend  # outside of the time: what it imports may be large
        ask = _question(app, backend)
    except Exception as error:
        return _why(error), _is_missing(error)
    return _in_time(ask)


def shared_backend_trouble(app: Any) -> "tuple[str | None, bool]":
    """The same of one that another process is to find the results in."""
    if "memory" in str(app.conf.result_backend or "").partition(MULTIPLE)[0]:
        return OWN_MEMORY, False
    return backend_trouble(app)


def redis_lacks(app: Any) -> "str | None":
    """Why Redis cannot be spoken here; None where it can."""
    url = "redis://127.0.0.1:1/0"  # where nobody listens: that it has not been refused before is what is asked
    try:
        connection = app.connection_for_write(url)
    except Exception as error:
        return _why(error)
    refused, missing = _in_time(lambda: connection.ensure_connection(max_retries=0, timeout=CONNECT_TIMEOUT_S))
    return refused if missing else None


def amqp_needs(app: Any) -> "list[str]":
    """What of the app's own queues only AMQP has, or has otherwise: in Redis the lowest priority comes first."""
    found = []
    for queue in app.amqp.queues.values():
        exchange = getattr(queue.exchange, "type", None) or "direct"
        if exchange not in ("direct", "topic", "fanout"):
            found.append(f"an exchange of type {exchange}")
        found += [f"{name}" for name in queue.queue_arguments or () if name.startswith("x-")]
    if app.conf.task_queue_max_priority or app.conf.task_default_priority:
        found.append("priorities")
    return sorted(set(found))


def tls(app: Any) -> "list[str]":
    """Those of its settings for which it speaks TLS whatever the address is."""
    return [name for name in ("broker_use_ssl", "redis_backend_use_ssl") if app.conf.get(name)]


def _ask_broker(app: Any, connection: Any) -> None:
    with connection:
        # Each of several addresses is tried once.
        connection.ensure_connection(
            max_retries=len(connection.alt or [None]) - 1, interval_start=0, interval_step=0, timeout=CONNECT_TIMEOUT_S
        )
        if connection.transport_cls not in TALKATIVE:
            channel = connection.default_channel
            if hasattr(channel, "_size"):
                channel._size(app.conf.task_default_queue)


def _question(app: Any, backend: Any) -> "Callable[[], object]":
    """The cheapest thing that it cannot answer out of itself, and that changes nothing of what is stored."""
    from celery.backends.base import BaseKeyValueStoreBackend, DisabledBackend

    url = str(app.conf.result_backend)
    if isinstance(backend, DisabledBackend) or url.partition(MULTIPLE)[0] in ("rpc", "amqp"):
        return lambda: None  # it has none, or it is the broker
    if hasattr(backend, "ResultSession"):  # Celery's own way to read would make its tables
        from celery.backends.database.session import SessionManager

        sessions = getattr(backend, "session_manager", None) or SessionManager()
        engine = sessions.get_engine(backend.url, **backend.engine_options)  # which imports the driver
        return lambda: engine.connect().close()
    client: Any = getattr(backend, "client", None)
    if hasattr(client, "ping"):
        return partial(client.ping)
    if url.startswith("cache+"):
        return lambda: _ask_cache(client)
    if isinstance(backend, BaseKeyValueStoreBackend):
        return lambda: backend.get(backend.get_key_for_task(str(uuid4())))
    return lambda: backend.get_task_meta(str(uuid4()))


def _ask_cache(client: Any) -> None:
    """Some clients of memcached take a server that is away for one that has nothing."""
    key = f"devkit-{uuid4()}"
    client.set(key, b"1", 1)
    if not client.get(key):
        raise ConnectionError("it keeps nothing")


def _is_missing(error: BaseException) -> bool:
    """Whether it says that a package is not there, or is too old."""
    from celery.exceptions import ImproperlyConfigured
    from kombu.exceptions import VersionMismatch

    words = ("install", "library", "Unknown result backend")
    told = isinstance(error, ImproperlyConfigured) and any(word in str(error) for word in words)
    return told or isinstance(error, (ImportError, VersionMismatch, AttributeError, NameError))


def _why(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if text and not isinstance(error, KeyError) else f"{type(error).__name__}: {text}".rstrip(": ")


class _Late(BaseException):
    """The time is over: not for a library to catch, as redis-py 3.5 does with a TimeoutError, only to ask again."""


def _in_time(check: "Callable[[], object]", seconds: float = CONNECT_TIMEOUT_S) -> "tuple[str | None, bool]":
    """None when the check passes within the time, else why it did not: looking up a name can take very long."""

    def give_up(*_: object) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        check()
        return None, False
    except _Late:
        return f"no answer in {seconds:g} s", False
    except Exception as error:
        return _why(error), _is_missing(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
