"""The group of all commands, and what becomes of an error that one of them raises."""

import io
import os
import sys

import click

from devkit import DISTRIBUTION
from devkit.cli.base import Globals, global_options
from devkit.cli.completion import completion
from devkit.cli.console import error_text, say, wants_colour
from devkit.cli.debug.command import debug
from devkit.cli.failures.command import failures
from devkit.cli.failures.show import show
from devkit.cli.init import init
from devkit.cli.reload.api import api
from devkit.cli.reload.worker import worker
from devkit.cli.replay.command import replay
from devkit.cli.stack.down import down
from devkit.cli.stack.logs import logs
from devkit.cli.stack.restart import restart
from devkit.cli.stack.status import status
from devkit.cli.stack.up import up
from devkit.cli.tasks.run import run
from devkit.errors import DevkitError

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "obj": None},
    epilog="devkit COMMAND -h tells more of each, with examples.",
)
@click.version_option(package_name=DISTRIBUTION, prog_name="devkit")
@global_options
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Runs and debugs Celery + FastAPI projects."""
    ctx.ensure_object(Globals)


for command in (up, down, status, logs, restart, run, debug, failures, show, replay, init, worker, api, completion):
    cli.add_command(command)


def main() -> None:
    """Run the command line; errors become a message and an exit code, never a traceback unless asked for."""
    given = Globals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows ASCII only shows question marks
    try:
        code = cli(prog_name="devkit", standalone_mode=False, obj=given)
        sys.exit(code if isinstance(code, int) else 0)
    except DevkitError as error:
        if given.debug:
            import traceback

            traceback.print_exc()
        say(error_text(error, colour=wants_colour(sys.stderr)))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has enough. Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_BROKEN_PIPE)
    except Exception as error:
        if given.debug:
            raise
        say(
            error_text(
                DevkitError(
                    f"devkit itself failed: {type(error).__name__}: {error}", mend=["devkit --debug … shows where"]
                ),
                colour=wants_colour(sys.stderr),
            )
        )
        sys.exit(1)
