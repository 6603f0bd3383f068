"""`devkit replay ID|FILE…`: run a failed task again, here, with the arguments as they arrived."""

from typing import Any

import click

from devkit.cli.base import Command, Globals, json_flag, project_flags, project_options
from devkit.cli.complete import recent_ids, tasks


@click.command(
    cls=Command,
    short_help="Run a failed task again, here, and compare.",
    examples=[
        ("devkit replay e226", "run it again, here, and compare"),
        ("devkit replay e226 --pdb", "and look around where it fails"),
        ("devkit replay e226 --watch", "again at each save, until it passes"),
        ("devkit replay e226 --args '[10, 2]'", "with other arguments"),
        ("devkit replay e226 --to-test test_divide.py", "a pytest test of it"),
        ("devkit replay e226 --save case.json", "to keep, or for another machine"),
        ("git bisect run devkit replay --same case.json", "which commit broke it"),
        ("devkit replay --all --task charge --send", "put them all back on their queue"),
    ],
)
@click.argument("failures", nargs=-1, metavar="ID|FILE...", shell_complete=recent_ids)
@click.option("--pdb", is_flag=True, help="Post-mortem at the innermost frame of the project's own code.")
@click.option("--break", "breaks", is_flag=True, help="Step with pdb from the task's first line on.")
@click.option("--args", "args_json", metavar="JSON", help="Other positional arguments, a JSON array.")
@click.option("--kwargs", "kwargs_json", metavar="JSON", help="Other keyword arguments, a JSON object.")
@click.option("--live", is_flag=True, help="Let tasks that it sends, and retries, really go out.")
@click.option("--same", is_flag=True, help="Exit code 1 for the same failure only, 125 for a different one.")
@click.option("--watch", is_flag=True, help="Again at each save, until it passes.")
@click.option("--send", is_flag=True, help="Put it back on its queue instead, for a worker to run.")
@click.option("--queue", metavar="Q", help="With --send: on this queue.")
@click.option("-y", "--yes", is_flag=True, help="With --send: do not ask before many are sent.")
@click.option("--save", metavar="FILE", type=click.Path(dir_okay=False), help="Write the case as JSON instead.")
@click.option("--with-secrets", is_flag=True, help="With --save, --to-test: write what is secret by its name, too.")
@click.option(
    "--to-test", metavar="FILE", type=click.Path(dir_okay=False), help="Run it, and write a pytest test of that."
)
@click.option("--all", "every", is_flag=True, help="Every failure that is recorded.")
@click.option("--task", metavar="TASK", shell_complete=tasks, help="With --all: only those of this task.")
@click.option("--since", metavar="WHEN", help="With --all: since then: 30m, 2h, 1d ago, a date and time.")
@click.option("--check", is_flag=True, help="Run nothing, only say whether the arguments still fit the task.")
@click.option("--allow-pickle", is_flag=True, help="Read pickled arguments: that may run any code that is in them.")
@json_flag
@project_options
@click.pass_obj
def replay(given: Globals, /, **options: Any) -> int:
    """Run a failed task again, here, with the arguments as they arrived, and compare.

    An ID may be the beginning of one, of four characters or more; a FILE is what --save wrote. What the task sends is
    listed, not sent. Exit code 0: it passes now; 1: it fails; 125: that cannot be told.
    """
    from devkit.cli.replay.request import Request
    from devkit.cli.replay.steps import Replaying
    from devkit.errors import DevkitError, UsageError
    from devkit.services.replay.replayer import CannotReplay

    flags = project_flags(options)
    request = Request(**options)
    request.check_together()
    try:
        settings = given.settings(**flags)
    except UsageError:
        raise
    except DevkitError as error:  # of the code nothing is known: a bisect is to skip the commit
        raise CannotReplay(error.what, looked=error.looked, mend=error.mend) from error
    return Replaying(settings, request).run()
