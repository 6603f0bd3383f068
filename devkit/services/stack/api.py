"""An API as a service of the stack: `devkit api`, or the development server of Django or Flask."""

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
    """Ready when it accepts connections; the stack is of use without a further one."""
    if api.kind != "asgi":
        return _own_server(project, api, port, depends_on, first=first)
    assert api.app is not None
    return Service(
        name=api.name,
        argv=api_argv(project.settings, "" if first else api.name),
        cwd=project.settings.root,
        env=project.own_environ,
        order=api_order(project, served(api.app, factory=api.factory), port.number),
        ready=Notice("the API to accept connections"),
        depends_on=depends_on,
        optional=not first,
        url=f"http://{HOST}:{port.number}",
        how=f"uvicorn {api.app}{' --factory' if api.factory else ''}{port.note}",
    )


def _own_server(
    project: StackProject, api: ApiProgram, port: Port, depends_on: tuple[str, ...], *, first: bool
) -> Service:
    """The framework's own server, which reloads itself, in a process that its signals reach whole."""
    settings = project.settings
    environ = {**project.environ, **project.surroundings["api"].changes(settings), **project.late}
    environ = with_paths(api.app, environ) if api.app else environ
    reload = settings.options.reload
    if api.kind == "django":
        arguments = ["manage.py", "runserver", f"{HOST}:{port.number}", *([] if reload else ["--noreload"])]
        how = " ".join(arguments)
    else:
        arguments = ["-m", "flask", "run", "-h", HOST, "-p", str(port.number)]
        how = "flask run"
        if api.app:
            # As variables every Flask knows them; as options only newer ones do.
            environ["FLASK_APP"] = str(api.app)
            how = f"flask --app {environ['FLASK_APP']} run"
        if reload:
            environ["FLASK_DEBUG"], how = "1", f"{how} --debug"
    return Service(
        name=api.name,
        argv=(project.python, *arguments),
        cwd=api.folder,
        env=environ,
        ready=tcp_answers(HOST, port.number),
        depends_on=depends_on,
        optional=not first,
        url=f"http://{HOST}:{port.number}",
        how=how + port.note,
        signal_group=True,
    )
