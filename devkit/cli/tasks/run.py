"""`devkit run TASK`: send a task through the real broker and wait for its result."""

import json
from typing import Any

import click

from devkit.cli.base import Command, Globals, json_flag, project_options
from devkit.cli.complete import tasks


@click.command(
    cls=Command,
    examples=[
        ("devkit run divide --args '[10, 2]'", "send it, and wait for the result"),
        ("devkit run shop.tasks.charge --kwargs '{\"to\": 7}'", "by its whole name, with keywords"),
        ("devkit run report --queue slow --no-wait", "only send it there, and print the id"),
        ("devkit run divide --args '[1, 0]' --json", "result or traceback, for a script"),
    ],
)
@click.argument("task", shell_complete=tasks)
@click.option("--args", "args_json", default="[]", metavar="JSON", help="Positional arguments, a JSON array.")
@click.option("--kwargs", "kwargs_json", default="{}", metavar="JSON", help="Keyword arguments, a JSON object.")
@click.option("--queue", metavar="Q", help="Send it to this queue.")
@click.option("--wait/--no-wait", default=True, help="Wait for the result (the default), or only send.")
@json_flag
@project_options
@click.pass_obj
def run(
    given: Globals,
    /,
    task: str,
    args_json: str,
    kwargs_json: str,
    queue: str | None,
    wait: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Send TASK and wait for its result. Exit code 1 when the task fails.

    TASK is a task's name, or a dotted end of it that only one has: divide for sample_app.tasks.divide.
    """
    from devkit.cli.console import show
    from devkit.cli.tasks.arguments import arguments
    from devkit.cli.tasks.fate import Fate
    from devkit.services.project.send import send

    args, kwargs = arguments(args_json, kwargs_json)
    settings = given.settings(**flags)
    fate = Fate(task)
    for news in send(settings, task, args, kwargs, queue=queue, wait=wait, pauses=True):
        fate.hear(news)
    if as_json:
        show(json.dumps(fate.outcome, indent=2))
    elif wait:
        fate.show()
    else:
        show(fate.outcome["id"])
    return 1 if wait and fate.outcome["state"] != "SUCCESS" else 0
