"""`devkit status`: the table of the running stack."""

import json

import click

from devkit.cli.base import Globals, Project, global_options, json_flag


@click.command()
@json_flag
@global_options
@click.pass_obj
def status(given: Globals, as_json: bool) -> int:
    """Show the running stack's services. Exit code 1 when no stack runs."""
    from devkit.cli.console import say, service_table, show
    from devkit.model.status import StackStatus
    from devkit.stack.control import ask

    project = Project(given)
    answer = ask(project.paths.socket, ask="status")
    root = str(project.settings.root)
    found = StackStatus.from_wire(answer) if answer else StackStatus(root, None, None, ())
    if as_json:
        show(json.dumps(found.to_json(), indent=2))
    elif answer:
        show(service_table(found.services, with_state=True))
    else:
        say(f"no stack of {root} runs; devkit up starts it")
    return 0 if answer else 1
