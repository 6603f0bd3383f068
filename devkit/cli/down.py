"""`devkit down`: stop the stack, also what a crashed one left."""

import time

import click

from devkit.cli.base import Globals, Project, global_options

TIMEOUT_S = 60.0
POLL_S = 0.05


@click.command()
@global_options
@click.pass_obj
def down(given: Globals) -> int:
    """Stop the stack and wait until it is gone."""
    from devkit.cli.console import say
    from devkit.errors import DevkitError
    from devkit.settings.paths import make_private
    from devkit.stack import lock
    from devkit.stack.control import ask

    paths = Project(given).paths
    make_private(paths.runtime)
    only_one = lock.StackLock(paths.runtime)
    if only_one.acquire():
        left = lock.clean_up(paths.runtime, paths.runtime.name)
        only_one.release()
        say(f"ended what a crash had left running: {', '.join(left)}" if left else "no stack runs here")
        return 0
    pid = only_one.holder()
    deadline = time.monotonic() + TIMEOUT_S
    # A stack that is just being assembled does not answer yet.
    while ask(paths.socket, ask="stop") is None and only_one.holder() is not None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    if not only_one.wait_until_free(deadline - time.monotonic()):
        raise DevkitError(
            f"the stack (pid {pid}) has not stopped in {TIMEOUT_S:g} s",
            mend=["see what still runs: devkit status", f"kill it, its services follow: kill -9 {pid}"],
        )
    say("stopped")
    return 0
