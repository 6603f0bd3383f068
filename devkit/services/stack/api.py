"""The FastAPI application as a service of the stack: `devkit api`."""

from devkit.errors import UsageError
from devkit.services.commands import devkit_argv
from devkit.services.ports import Port
from devkit.services.stack.project import StackProject, app_order
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings
from devkit.stack.ports import HOST
from devkit.stack.service import Notice, Service


def api_argv(settings: Settings) -> tuple[str, ...]:
    """The command that starts the API early."""
    named = [settings.options.api] if settings.options.api and settings.sources["api"] == "flag" else []
    return devkit_argv("api", [*settings.passed_on(), *named])


def api_service(
    project: StackProject, app: AppRef, port: Port, depends_on: tuple[str, ...], *, installed: bool
) -> Service:
    """`devkit api`, with the app, the port and the broker that `up` has found; ready when it accepts connections.

    Raises UsageError when the project has no uvicorn `installed`.
    """
    if not installed:
        raise UsageError(
            f"{project.python} has no uvicorn to serve {app}",
            mend=[f"{project.python} -m pip install uvicorn", "or leave the API out: --no-api"],
        )
    return Service(
        name="api",
        argv=api_argv(project.settings),
        cwd=project.settings.root,
        env=project.own_environ,
        order=app_order(project, app, "api", port.number),
        ready=Notice("the API to accept connections"),
        depends_on=depends_on,
        url=f"http://{HOST}:{port.number}",
        how=f"uvicorn {app}{port.note}",
    )
