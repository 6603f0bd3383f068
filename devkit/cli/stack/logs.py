"""`devkit logs`: what the services printed."""

from contextlib import closing

import click

from devkit.cli.base import Command, Globals, global_options
from devkit.cli.complete import services


@click.command(
    cls=Command,
    short_help="Show what the services have printed; -f follows.",
    examples=[
        ("devkit logs", "what all services have printed since the start"),
        ("devkit logs -f worker", "the worker's, and what comes"),
        ("devkit logs -n 50 api worker", "the last 50 lines of each"),
    ],
)
@click.argument("service", nargs=-1, shell_complete=services)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the stack stops.")
@click.option("-n", "--lines", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each service.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array; with -f one object a line.")
@global_options
@click.pass_obj
def logs(given: Globals, service: tuple[str, ...], follow: bool, lines: int | None, as_json: bool) -> int:
    """Show the services' output, also that of a stack that has stopped."""
    from devkit.cli.stack.view import LogView
    from devkit.services.running import find_printed

    with (
        closing(find_printed(given.place(), service)) as printed,
        closing(LogView(printed.names, as_json=as_json, following=follow)) as view,
    ):
        view.past(printed.past(lines))
        if follow:
            view.more(printed.coming())
    return 0
