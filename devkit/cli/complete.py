"""Shell completion: what of the running stack, or of the settings, fits where the cursor is."""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from devkit.cli.base import Globals
from devkit.errors import DevkitError

if TYPE_CHECKING:
    from devkit.model.status import StackStatus


def _running(ctx: click.Context) -> "StackStatus | None":
    """The status of the project's running stack; None where none runs, or that cannot be told."""
    from devkit.stack.control import ask_status

    with suppress(DevkitError):
        return ask_status(ctx.ensure_object(Globals).place().paths.socket)
    return None


def services(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of services."""
    from devkit.settings.tables import BUILT_IN_SERVICES

    status = _running(ctx)
    names = [service.name for service in status.services] if status else BUILT_IN_SERVICES
    return [name for name in names if name.startswith(incomplete)]


def tasks(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of tasks, whole or by their last part."""
    from devkit.model.text import ways_to_name

    status = _running(ctx)
    return [name for name in ways_to_name(status.tasks if status else ()) if name.startswith(incomplete)]


def tasks_and_paused(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of tasks, and ids of those that are paused."""
    from devkit.services.debug.find import PausedTasks

    try:
        settings = ctx.ensure_object(Globals).place()
    except DevkitError:
        return []
    ids = [one.session.id for one in PausedTasks(settings).ours()]
    return [*tasks(ctx, parameter, incomplete), *(one for one in ids if one.startswith(incomplete))]


def recent_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Ids of tasks that failed, as far as their store is known without importing the project."""
    from devkit.services.failures.search import Failures

    try:
        return Failures(ctx.ensure_object(Globals).place()).quick_ids(incomplete)
    except DevkitError:
        return []
