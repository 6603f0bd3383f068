"""`devkit status`: the table of the running stack."""

import json

import click

from devkit.cli.base import Command, Globals, global_options, json_flag


@click.command(
    cls=Command,
    examples=[
        ("devkit status", "the table of its services"),
        ("devkit status --json | jq -r '.services[].url'", "the addresses, for a script"),
    ],
)
@json_flag
@global_options
@click.pass_obj
def status(given: Globals, as_json: bool) -> int:
    """Show the running stack's services. Exit code 1 when no stack runs."""
    from devkit.cli.console import say, show
    from devkit.cli.stack.table import service_table
    from devkit.model.status import StackStatus
    from devkit.services.running import find_running

    settings = given.place()
    root, stack = str(settings.root), find_running(settings)
    found = stack.status if stack else StackStatus(root, None, None, ())
    if as_json:
        show(json.dumps(found.to_json(), indent=2))
    elif stack:
        show(service_table(found.services, with_state=True))
    else:
        say(f"no stack of {root} runs; devkit up starts it")
    return 0 if stack else 1
