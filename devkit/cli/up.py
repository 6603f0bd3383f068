"""`devkit up`: the whole stack with one command."""

import click

from devkit.cli.base import Globals, Project, flag, global_options, switch_off
from devkit.cli.complete import services


@click.command()
@click.argument("service", nargs=-1, shell_complete=services)
@flag("celery", "-A", "--app", metavar="MODULE:ATTR")
@flag("api", "--api", metavar="MODULE:ATTR")
@switch_off("with_api", "--no-api")
@switch_off("with_flower", "--no-flower")
@switch_off("with_beat", "--no-beat")
@switch_off("reload", "--no-reload")
@flag("broker", "--broker", metavar="URL")
@flag("result_backend", "--result-backend", metavar="URL")
@flag("concurrency", "-c", "--concurrency", type=click.IntRange(min=1), metavar="N")
@flag("pool", "-P", "--pool", metavar="NAME")
@flag("queues", "-Q", "--queues", metavar="LIST")
@flag("api_port", "--api-port", type=click.IntRange(1, 65535), metavar="PORT")
@flag("flower_port", "--flower-port", type=click.IntRange(1, 65535), metavar="PORT")
@flag("redis_port", "--redis-port", type=click.IntRange(1, 65535), metavar="PORT")
@flag("env_file", "--env-file", metavar="FILE")
@flag("timeout", "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS")
@click.option("-d", "--detach", is_flag=True, help="Return once all is ready.")
@global_options
@click.pass_obj
def up(given: Globals, /, service: tuple[str, ...], detach: bool, **flags: object) -> int:
    """Start Redis, the API, the worker and Flower (and beat); Ctrl-C stops them.

    Naming services starts those, and what they need.
    """
    from devkit.cli import detached
    from devkit.cli.report import Report
    from devkit.services import stack

    quiet = detached.inside()
    project = Project(given, **flags)
    if detach and not quiet:
        return detached.start(project)
    return stack.run(
        project.settings,
        project.paths,
        service,
        lambda names, inbox: Report(project.paths, names, inbox, quiet=quiet),
    )
