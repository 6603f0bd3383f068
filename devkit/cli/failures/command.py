"""`devkit failures`: the tasks that failed, the newest first."""

from typing import Any

import click

from devkit.cli.base import Command, Globals, json_flag, project_options
from devkit.cli.complete import tasks


@click.command(
    cls=Command,
    short_help="List the tasks that failed, the newest first.",
    examples=[
        ("devkit failures", "the last 20, the newest first"),
        ("devkit failures charge --since 2h", "of one task, of the last two hours"),
        ("devkit failures --results", "those of other workers, too"),
        ("devkit failures --json | jq -r '.[].id'", "their ids, for a script"),
    ],
)
@click.argument("task", required=False, shell_complete=tasks)
@click.option("--since", metavar="WHEN", help="Only those since then: 45s, 30m, 2h or 1d ago, or a date and time.")
@click.option("--limit", type=click.IntRange(1), default=20, metavar="N", help="At most so many; 20 without it.")
@click.option("--results", is_flag=True, help="Look through the stored results, too, as those of other workers.")
@click.option("--allow-pickle", is_flag=True, help="Read pickled results: that may run any code that is in them.")
@json_flag
@project_options
@click.pass_obj
def failures(
    given: Globals,
    /,
    task: str | None,
    since: str | None,
    limit: int,
    results: bool,
    allow_pickle: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """List the tasks that failed, the newest first; of one task, with TASK.

    TASK is a task's name, or a dotted end of it that only one has: divide for sample_app.tasks.divide.
    """
    import time

    from devkit.cli.console import say, show
    from devkit.cli.failures.since import moment
    from devkit.cli.failures.table import advice, failures_json, failures_table, looked_at, results_read
    from devkit.services.failures.search import Failures

    now = time.time()
    after = moment(since, now) if since else 0.0
    settings = given.settings(**flags)
    known = Failures(settings)
    found = known.search(
        task or "", after, limit, results=results, allow_pickle=allow_pickle, bodies=as_json, progress=results_read
    )
    if results or not found.failures or found.results:
        say(looked_at(known.where, found))
    if known.unreadable:
        say(f"left out: {known.unreadable} records that cannot be read")
    if as_json:
        show(failures_json(found.failures))
    elif found.failures:
        show(failures_table(found.failures, now))
    if not (as_json and found.failures):
        say("\n".join(advice(found, task, since, limit)))
    return 0
