"""`devkit down`: stop the stack, also what a crashed one left."""

import time
from typing import TYPE_CHECKING

import click

from devkit.cli.base import Globals, Project, global_options

if TYPE_CHECKING:
    from pathlib import Path

    from devkit.settings.paths import Paths
    from devkit.stack.lock import StackLock

TIMEOUT_S = 60.0
POLL_S = 0.05


@click.command()
@global_options
@click.pass_obj
def down(given: Globals) -> int:
    """Stop the stack and wait until it is gone."""
    from devkit.cli.console import say
    from devkit.services.compose.found import end_composed
    from devkit.stack import lock

    project = Project(given)
    root, paths = project.settings.root, project.paths
    only_one = lock.StackLock(paths.data, paths.runtime)
    left, stopped, in_containers = [], False, False
    if only_one.acquire(root, paths.runtime):
        left = lock.clean_up(paths.data, paths.runtime.name)
        only_one.release()
    else:
        stopped, in_containers = True, _stop(root, paths, only_one)
    ended, volumes = end_composed(project.settings)
    if left:
        say(f"ended what a crash had left running: {', '.join(left)}")
    if ended:
        say(f"removed the containers {', '.join(ended)}")
    if stopped or not (left or ended):
        say("stopped" if stopped else "no stack runs here")
    if (ended or in_containers) and volumes:
        say(f"its data stays, in volumes; to remove that, too: docker volume rm {' '.join(volumes)}")
    return 0


def _stop(root: "Path", paths: "Paths", running: "StackLock") -> bool:
    """Ask the stack to stop, and wait until it has; whether it ran in containers. Raises DevkitError."""
    from devkit.errors import DevkitError
    from devkit.services.alone import someone_elses
    from devkit.stack.control import ask

    if (holder := running.holder()) is None:
        return False  # it has just ended
    if not holder.serves(root):
        raise someone_elses(holder, paths)
    deadline = time.monotonic() + TIMEOUT_S
    in_containers = False
    # A stack that is just being assembled does not answer yet.
    while ask(paths.socket, ask="stop") is None and not in_containers:
        in_containers = ask(paths.containers_socket, ask="stop") is not None
        if running.holder() is None or time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    if not running.wait_until_free(deadline - time.monotonic()):
        raise DevkitError(
            f"the stack ({holder}) has not stopped in {TIMEOUT_S:g} s",
            mend=[
                "see what still runs: devkit status",
                f"kill it, its services follow: kill -9 {holder.pid}",
            ],
        )
    return in_containers
