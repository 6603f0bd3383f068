"""`devkit restart SERVICE…`: stop services of the running stack and start them again."""

import time
from typing import TYPE_CHECKING

import click

from devkit.cli.base import Globals, Project, global_options
from devkit.cli.complete import services

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from devkit.model.status import ServiceStatus

POLL_S = 0.05


@click.command()
@click.argument("service", nargs=-1, required=True, shell_complete=services)
@global_options
@click.pass_obj
def restart(given: Globals, service: tuple[str, ...]) -> int:
    """Restart services and wait until they are ready again. Exit code 1 when one does not become ready."""
    from devkit.cli.console import show
    from devkit.cli.stack.running import running_in_containers
    from devkit.cli.stack.table import service_table
    from devkit.errors import DevkitError
    from devkit.stack.control import ask

    project = Project(given)
    if ask(project.paths.socket, ask="status") is not None:
        rows = _restart(project.paths.socket, service)
    elif stack := running_in_containers(project):
        rows = stack.restart(stack.chosen(service), project.settings.options.timeout)
    else:
        raise DevkitError("no stack runs here", mend=["start it: devkit up"])
    show(service_table(rows, with_state=False))
    return 0


def _restart(socket: "Path", names: "Sequence[str]") -> "list[ServiceStatus]":
    """Have the running stack do it, and wait; returns how they stand. Raises DevkitError."""
    from devkit.errors import DevkitError, UsageError, did_you_mean
    from devkit.model.status import StackStatus
    from devkit.stack.control import ask

    def current() -> StackStatus:
        answer = ask(socket, ask="status")
        if answer is None:
            raise DevkitError("no stack runs here", mend=["start it: devkit up"])
        return StackStatus.from_wire(answer)

    before = {item.name: item.pid for item in current().services}
    for name in names:
        if name not in before:
            raise UsageError(
                f"there is no service '{name}' in this stack{did_you_mean(name, list(before))}",
                looked=[f"services: {', '.join(before)}"],
            )
    refused = (ask(socket, ask="restart", services=list(names)) or {}).get("error")
    if refused:
        raise UsageError(str(refused))
    while True:
        asked = [item for item in current().services if item.name in names]
        failed = [item for item in asked if item.state == "failed"]
        if failed:
            raise DevkitError(failed[0].note, mend=[f"read its output: devkit logs -n 50 {failed[0].name}"])
        if all(item.state == "ready" and item.pid != before[item.name] for item in asked):
            return asked
        time.sleep(POLL_S)
