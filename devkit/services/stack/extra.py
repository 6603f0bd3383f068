"""The services that a project adds: `[tool.devkit.services.NAME]`."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from devkit.errors import UsageError, did_you_mean
from devkit.services.stack.project import StackProject
from devkit.settings.tables import ExtraService
from devkit.stack.probes import command_succeeds, http_answers, tcp_answers
from devkit.stack.service import Finish, Poll, Service


def extra_service(project: StackProject, extra: ExtraService, known: Sequence[str]) -> Service:
    """`known` are the names of all services. Raises UsageError for a folder or a dependency that does not exist."""
    where = f"[tool.devkit.services.{extra.name}]"
    for name in extra.depends_on:
        if name not in known:
            raise UsageError(f"{where} depends on '{name}', which is no service here{did_you_mean(name, known)}")
    folder = project.settings.root / (extra.cwd or "")
    if not folder.is_dir():
        raise UsageError(f"{where}: there is no folder {folder}", mend=["correct its cwd"])
    env = {**project.environ, **_activated(project), **project.found_late, **extra.env}
    shell = isinstance(extra.command, str)
    return Service(
        name=extra.name,
        argv=("/bin/sh", "-c", extra.command) if isinstance(extra.command, str) else extra.command,
        cwd=folder,
        env=env,
        ready=_readiness(extra, where, folder, env),
        depends_on=extra.depends_on,
        url=extra.ready if extra.ready and extra.ready.startswith(("http://", "https://")) else None,
        how=extra.command if isinstance(extra.command, str) else " ".join(extra.command),
        signal_group=shell,
    )


def _activated(project: StackProject) -> dict[str, str]:
    """As in a shell where the project's virtualenv is active: `python` and `alembic` are its own."""
    programs = Path(project.python).parent
    if not (programs.parent / "pyvenv.cfg").is_file():
        return {}
    path = os.pathsep.join((str(programs), project.environ.get("PATH", os.defpath)))
    return {"PATH": path, "VIRTUAL_ENV": str(programs.parent)}


def _readiness(extra: ExtraService, where: str, folder: Path, env: dict[str, str]) -> Poll | Finish | None:
    """`ready` is a URL (http, https, tcp), the word "exit", or a shell command that succeeds when it is ready."""
    if extra.ready is None:
        return None
    if extra.ready == "exit":
        return Finish()
    if not extra.ready.startswith(("http://", "https://", "tcp://")):
        return command_succeeds(extra.ready, folder, env)
    try:
        parts = urlsplit(extra.ready)
        host, port = parts.hostname, parts.port
        if not host or (port is None and parts.scheme == "tcp"):
            raise ValueError("it needs a host, and tcp a port")
    except ValueError as error:
        raise UsageError(
            f"{where}: ready = {extra.ready!r} is no URL: {error}", mend=['ready = "tcp://127.0.0.1:3000"']
        ) from None
    return tcp_answers(host, port) if parts.scheme == "tcp" and port is not None else http_answers(extra.ready)
