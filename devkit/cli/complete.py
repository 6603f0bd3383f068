"""Shell completion: what of the running stack, or of the settings, fits where the cursor is."""

import click

from devkit.errors import DevkitError
from devkit.model.status import StackStatus


def running(given: object) -> StackStatus | None:
    """The status of the project's running stack, or None."""
    from devkit.cli.base import Globals, Project
    from devkit.stack.control import ask_status

    return ask_status(Project(given if isinstance(given, Globals) else Globals()).paths.socket)


def services(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of services."""
    from devkit.settings.load import BUILT_IN_SERVICES

    try:
        status = running(ctx.obj)
    except DevkitError:
        status = None
    names = [service.name for service in status.services] if status else list(BUILT_IN_SERVICES)
    return [name for name in names if name.startswith(incomplete)]


def tasks(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of tasks, whole or by their last part."""
    from devkit.model.text import ways_to_name

    try:
        status = running(ctx.obj)
    except DevkitError:
        return []
    names = status.tasks if status else ()
    return [name for name in ways_to_name(names) if name.startswith(incomplete)]


def tasks_and_paused(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of tasks, and ids of those that are paused."""
    from devkit.cli.base import Globals, Project
    from devkit.services.debug.find import PausedTasks

    try:
        project = Project(ctx.obj if isinstance(ctx.obj, Globals) else Globals())
    except DevkitError:
        return []
    ids = [one.session.id for one in PausedTasks(project.settings, project.paths).ours()]
    return [*tasks(ctx, parameter, incomplete), *(one for one in ids if one.startswith(incomplete))]


def recent_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Ids of tasks that failed, as far as their store is known without importing the project."""
    from devkit.cli.base import Globals, Project
    from devkit.services.failures.search import Failures

    try:
        project = Project(ctx.obj if isinstance(ctx.obj, Globals) else Globals())
        return Failures(project.settings, project.paths).quick_ids(incomplete)
    except DevkitError:
        return []
