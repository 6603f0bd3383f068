"""The FastAPI application, served by uvicorn."""

from devkit.errors import UsageError
from devkit.services.base import Port, Project, agent_argv, run_order
from devkit.settings.discover import AppRef
from devkit.stack.ports import HOST
from devkit.stack.probes import http_answers
from devkit.stack.service import Service

AHEAD = ("uvicorn.main", "uvicorn.protocols.http.auto", "fastapi", "celery", "celery.app.base")
# Open streams and WebSockets get this long at a stop; uvicorn's default is for ever.
GRACE_S = 2


def api_argv(python: str) -> tuple[str, ...]:
    """The command that starts the API early."""
    return agent_argv(python, "api", ahead=AHEAD)


def api_service(project: Project, app: AppRef, port: Port, depends_on: tuple[str, ...], *, installed: bool) -> Service:
    """Ready when it answers HTTP. HEAD / runs middleware at most: FastAPI's own routes do not take it.

    Raises UsageError when the project has no uvicorn `installed`.
    """
    if not installed:
        raise UsageError(
            f"{project.python} has no uvicorn to serve {app}",
            mend=[f"{project.python} -m pip install uvicorn", "or leave the API out: --no-api"],
        )
    argv = [str(app), "--host", HOST, "--port", str(port.number), "--timeout-graceful-shutdown", str(GRACE_S)]
    return Service(
        name="api",
        argv=api_argv(project.python),
        cwd=app.folder,
        env=project.environ,
        order=run_order(project, "uvicorn", argv, app.folder),
        ready=http_answers(f"http://{HOST}:{port.number}/", "HEAD"),
        depends_on=depends_on,
        url=f"http://{HOST}:{port.number}",
        how=f"uvicorn {app}{port.note}",
    )
