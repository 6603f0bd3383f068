"""An API as a service of the stack: `devkit api`, or the development server of Django or Flask."""

from collections.abc import Callable, Mapping, Sequence

from devkit.services.commands import devkit_argv, with_paths
from devkit.services.ports import Port
from devkit.services.project.programs import served
from devkit.services.stack.project import StackProject, api_order
from devkit.settings.discover.programs import ApiProgram
from devkit.settings.load import Settings
from devkit.stack.ports import HOST
from devkit.stack.probes import tcp_answers
from devkit.stack.service import Notice, Service


def api_argv(settings: Settings, name: str = "") -> tuple[str, ...]:
    """The command that starts an API early; without a name the first one."""
    named = [settings.options.api] if settings.options.api and settings.sources["api"] == "flag" else []
    return devkit_argv("api", [*settings.passed_on(), *(["--name", name] if name else named)])


def api_service(
    project: StackProject, api: ApiProgram, port: Port, depends_on: tuple[str, ...], *, first: bool
) -> Service:
    """Ready when it accepts connections."""
    if api.kind != "asgi":
        return own_server(project, api, port, depends_on)
    assert api.app is not None
    return Service(
        name=api.name,
        argv=api_argv(project.settings, "" if first else api.name),
        cwd=project.settings.root,
        env=project.own_environ,
        order=api_order(project, served(api.app, factory=api.factory), port.number),
        ready=Notice("the API to accept connections"),
        depends_on=depends_on,
        optional=True,
        program=True,
        url=f"http://{HOST}:{port.number}",
        how=f"uvicorn {api.app}{' --factory' if api.factory else ''}{port.note}",
    )


# Servers of ASGI other than uvicorn, with their arguments.
SERVERS: Mapping[str, Callable[[str, int], Sequence[str]]] = {
    "hypercorn": lambda app, port: ["--bind", f"{HOST}:{port}", app],
    "granian": lambda app, port: ["--interface", "asgi", "--host", HOST, "--port", str(port), app],
    "daphne": lambda app, port: ["-b", HOST, "-p", str(port), app],
}
RELOADS = {"hypercorn": "--reload"}  # granian would need another package for it
CALLS = ("hypercorn",)  # takes main:create_app()


def other_server(api: ApiProgram, installed: Sequence[str]) -> str | None:
    """The server of the project's environment for an ASGI app, where that has no uvicorn."""
    if api.kind != "asgi" or "uvicorn" in installed:
        return None
    return next((name for name in SERVERS if name in installed and (name in CALLS or not api.factory)), None)


def own_server(
    project: StackProject, api: ApiProgram, port: Port, depends_on: tuple[str, ...], server: str | None = None
) -> Service:
    """The framework's own server, or another one of ASGI, in a process that its signals reach whole."""
    settings = project.settings
    environ = {**project.environ, **project.surroundings["api"].changes(settings), **project.late}
    environ = with_paths(api.app, environ) if api.app else environ
    arguments, how, added = _command(api, port.number, server, reload=settings.options.reload)
    return Service(
        name=api.name,
        argv=(project.python, *arguments),
        cwd=api.folder,
        env={**environ, **added},
        ready=tcp_answers(HOST, port.number),
        depends_on=depends_on,
        optional=True,
        program=True,
        url=f"http://{HOST}:{port.number}",
        how=how + port.note,
        signal_group=True,
    )


def _command(
    api: ApiProgram, port: int, server: str | None, *, reload: bool
) -> tuple[Sequence[str], str, dict[str, str]]:
    """The arguments for the project's interpreter, in words, and variables; each reloads itself, if it can."""
    if server:
        assert api.app is not None
        reloads = [RELOADS[server]] if reload and server in RELOADS else []
        arguments = [server, *reloads, *SERVERS[server](str(served(api.app, factory=api.factory)), port)]
        by_hand = f"; it does not reload: devkit restart {api.name}" if reload and not reloads else ""
        return ["-m", *arguments], " ".join(arguments) + by_hand, {}
    if api.kind == "django":
        arguments = ["manage.py", "runserver", f"{HOST}:{port}", *([] if reload else ["--noreload"])]
        return arguments, " ".join(arguments), {}
    arguments, how, environ = ["-m", "flask", "run", "-h", HOST, "-p", str(port)], "flask run", {}
    if api.app:
        # As variables every Flask knows them; as options only newer ones do.
        environ["FLASK_APP"] = str(api.app)
        how = f"flask --app {api.app} run"
    if reload:
        environ["FLASK_DEBUG"], how = "1", f"{how} --debug"
    return arguments, how, environ
