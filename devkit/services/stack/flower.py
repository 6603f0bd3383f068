"""Flower, which watches the workers and keeps what it saw."""

import sys

from devkit.services.commands import agent_argv
from devkit.services.ports import Port
from devkit.services.stack.project import StackProject, run_order
from devkit.stack.ports import HOST
from devkit.stack.probes import http_answers
from devkit.stack.service import Service

AHEAD = ("flower.command", "celery.backends.redis", "kombu.transport.redis")
SAVE_INTERVAL_MS = 5000
# Each generation of the worker has a name of its own; those that have ended leave Flower's list after a while.
PURGE_S = 60
# A project's settings for Flower may be those of its server.
NOWHERE_ELSE = ("--unix_socket=", "--certfile=", "--keyfile=")


def flower_argv(python: str) -> tuple[str, ...]:
    """The command that starts Flower early."""
    return agent_argv(python, "flower", AHEAD)


def flower_service(
    project: StackProject, port: Port, depends_on: tuple[str, ...], *, installed: bool, broker: str
) -> Service:
    """`installed`: in the project's environment; else devkit's own runs, which knows the broker but not the app.

    Its HTTP API stays closed unless FLOWER_UNAUTHENTICATED_API is set in the environment.
    """
    argv = ["-A", str(project.celery)] if installed else ["-b", broker]
    # Flower asks for workers as soon as it starts, and warns once for each question that none answers yet.
    level = project.environ.get("FLOWER_LOGGING", "error")
    argv += [
        "flower", f"--address={HOST}", f"--port={port.number}", *NOWHERE_ELSE, "--enable_events=True",
        f"--purge_offline_workers={PURGE_S}",
        "--persistent=True", f"--db={project.own_files('flower') / 'flower'}",
        f"--state_save_interval={SAVE_INTERVAL_MS}", f"--logging={level}",
    ]  # fmt: skip
    return Service(
        name="flower",
        argv=flower_argv(project.python if installed else sys.executable),
        cwd=project.folder,
        env=project.environ,
        order=run_order(project, "celery", argv),
        ready=http_answers(f"http://{HOST}:{port.number}/healthcheck"),
        depends_on=depends_on,
        optional=True,
        url=f"http://{HOST}:{port.number}",
        how=("celery flower" if installed else "celery flower (devkit's own: the project has none)") + port.note,
    )
