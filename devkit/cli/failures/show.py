"""`devkit show ID`: one failure as a whole."""

from typing import Any

import click

from devkit.cli.base import Command, Globals, json_flag, project_options
from devkit.cli.complete import recent_ids


@click.command(
    cls=Command,
    short_help="Show one failed task as a whole.",
    examples=[
        ("devkit show e226", "request, arguments, traceback and locals"),
        ("devkit show e226 --json | jq .frames", "the frames, for a script"),
    ],
)
@click.argument("task_id", metavar="ID", shell_complete=recent_ids)
@click.option("--allow-pickle", is_flag=True, help="Read a pickled result: that may run any code that is in it.")
@json_flag
@project_options
@click.pass_obj
def show(given: Globals, /, task_id: str, allow_pickle: bool, as_json: bool, **flags: Any) -> int:
    """Show a failed task as a whole: its request, its arguments, the traceback with source and locals.

    ID is the beginning of its id, at least 4 characters.
    """
    import time

    from devkit.cli import console
    from devkit.cli.failures.sheet import Sheet, failure_json
    from devkit.model.place import brought_here
    from devkit.services.failures.search import Failures

    settings = given.settings(**flags)
    known = Failures(settings)
    failure = brought_here(known.find(task_id, allow_pickle=allow_pickle), str(settings.root))
    attempts = known.attempts(failure.id)
    if as_json:
        console.show(failure_json(failure, attempts))
    else:
        console.show(Sheet(failure, attempts, settings.root, time.time()).text())
        console.say(f"again: devkit replay {failure.id[:8]}")
    return 0
