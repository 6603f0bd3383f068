"""Every option, declared once: its key, type, default and help.

The key names it everywhere: `api_port` in `[tool.devkit]`, `DEVKIT_API_PORT` in the environment. Command-line
flags that set an option take their help from here too (`devkit.cli.base`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Check:
    """What a value has to be beyond its type, and whether it is."""

    wanted: str
    holds: Callable[[Any], bool]


PORT = Check("a port, 1 to 65535", lambda value: 1 <= value <= 65535)
POSITIVE = Check("more than zero", lambda value: 0 < value < math.inf)


def _option(default: Any, help_text: str, check: Check | None = None) -> Any:
    return field(default=default, metadata={"help": help_text, "check": check})


@dataclass(frozen=True)
class Options:
    """One value for each option; `None` stands for "not set: discovered or left out"."""

    celery: str | None = _option(None, "the Celery app, MODULE:ATTR (default: discovered)")
    api: str | None = _option(None, "the FastAPI app, MODULE:ATTR (default: discovered)")
    python: str | None = _option(None, "the interpreter that runs the project (default: its virtualenv's)")
    broker: str | None = _option(None, "broker URL (default: the app's own if it answers, else an embedded Redis)")
    result_backend: str | None = _option(None, "result backend URL (default: like the broker)")
    api_port: int | None = _option(None, "port of the API (default: 8000, or the next free one)", PORT)
    flower_port: int | None = _option(None, "port of Flower (default: 5555, or the next free one)", PORT)
    redis_port: int | None = _option(None, "port of the embedded Redis (default: the app's own, else 6379 on)", PORT)
    rabbitmq_port: int | None = _option(None, "port of an embedded RabbitMQ (default: 5672, or the next free)", PORT)
    with_api: bool = _option(True, "start the API")
    with_flower: bool = _option(True, "start Flower")
    with_beat: bool = _option(True, "start beat when the app has a beat schedule")
    concurrency: int | None = _option(
        None, "worker: number of child processes or threads (default: celery's)", POSITIVE
    )
    pool: str | None = _option(None, "worker: pool implementation: prefork, solo, threads, gevent, eventlet")
    queues: str | None = _option(
        None, "worker: queues to consume from, comma separated (default: all that the app names)"
    )
    reload: bool = _option(True, "reload the worker and the API when code changes")
    watch: str | None = _option(None, "globs of further files whose change reloads, comma separated")
    poll: bool | None = _option(None, "look for changes at intervals (default: where the file system tells of none)")
    fork: bool | None = _option(None, "reload by fork, which is quick (default: where that is safe)")
    no_preload: str | None = _option(None, "packages that only the project itself may import, comma separated")
    drain_timeout: float = _option(
        600.0, "seconds that a task may go on in the worker's old generation after a reload", POSITIVE
    )
    api_drain_timeout: float = _option(
        10.0, "seconds that a stream or WebSocket may go on in the API's old generation after a reload", POSITIVE
    )
    failures_count: int = _option(1000, "how many failed tasks are kept, to be replayed", POSITIVE)
    failures_days: float = _option(14.0, "for how many days", POSITIVE)
    failures_mb: float = _option(100.0, "and in how many megabytes, their arguments included", POSITIVE)
    compose_file: str = _option("docker-compose.dev.yml", "the compose file of the stack in containers")
    env_file: tuple[str, ...] = _option((), "a file of environment variables, besides .env; of several the last wins")
    env_from: str | None = _option(
        None,
        "whose variables the project gets: compose, compose:SERVICE, none (default: compose's where that is clear)",
    )
    with_services: tuple[str, ...] = _option((), "services of the project's compose file to start, too; all: every one")
    timeout: float = _option(60.0, "seconds that a service may take to become ready", POSITIVE)
    data_dir: str = _option(".devkit", "where logs and data are kept")


def known() -> dict[str, str]:
    """Each option's key with its help text, in the order of declaration."""
    return {item.name: item.metadata["help"] for item in fields(Options)}


def check_of(key: str) -> Check | None:
    """What the option's value has to be beyond its type, if anything."""
    check: Check | None = Options.__dataclass_fields__[key].metadata["check"]
    return check


def environment_name(key: str) -> str:
    """The environment variable of an option: `api_port` → `DEVKIT_API_PORT`."""
    return f"DEVKIT_{key.upper()}"
