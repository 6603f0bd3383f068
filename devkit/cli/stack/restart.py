"""`devkit restart SERVICE…`: stop services of the running stack and start them again."""

import click

from devkit.cli.base import Command, Globals, global_options
from devkit.cli.complete import services


@click.command(
    cls=Command,
    examples=[
        ("devkit restart worker", "stop it, start it, wait until it is ready"),
        ("devkit restart api flower", "both at once"),
    ],
)
@click.argument("service", nargs=-1, required=True, shell_complete=services)
@global_options
@click.pass_obj
def restart(given: Globals, service: tuple[str, ...]) -> int:
    """Restart services and wait until they are ready again. Exit code 1 when one does not become ready."""
    from devkit.cli.console import show
    from devkit.cli.stack.table import service_table
    from devkit.errors import DevkitError
    from devkit.services.running import find_running

    stack = find_running(given.place())
    if stack is None:
        raise DevkitError("no stack runs here", mend=["start it: devkit up"])
    show(service_table(stack.restart(service), with_state=False))
    return 0
