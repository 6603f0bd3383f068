"""`devkit restart SERVICE…`: stop services of the running stack and start them again."""

import time

import click

from devkit.cli.base import Globals, Project, global_options
from devkit.cli.complete import services

POLL_S = 0.05


@click.command()
@click.argument("service", nargs=-1, required=True, shell_complete=services)
@global_options
@click.pass_obj
def restart(given: Globals, service: tuple[str, ...]) -> int:
    """Restart services and wait until they are ready again. Exit code 1 when one does not become ready."""
    from devkit.cli.console import service_table, show
    from devkit.errors import DevkitError, UsageError, did_you_mean
    from devkit.model.status import StackStatus
    from devkit.stack.control import ask

    paths = Project(given).paths

    def current() -> StackStatus:
        answer = ask(paths.socket, ask="status")
        if answer is None:
            raise DevkitError("no stack runs here", mend=["start it: devkit up"])
        return StackStatus.from_wire(answer)

    before = {item.name: item.pid for item in current().services}
    for name in service:
        if name not in before:
            raise UsageError(
                f"there is no service '{name}' in this stack{did_you_mean(name, list(before))}",
                looked=[f"services: {', '.join(before)}"],
            )
    refused = (ask(paths.socket, ask="restart", services=list(service)) or {}).get("error")
    if refused:
        raise UsageError(str(refused))
    while True:
        asked = [item for item in current().services if item.name in service]
        failed = [item for item in asked if item.state == "failed"]
        if failed:
            raise DevkitError(failed[0].note, mend=[f"read its output: devkit logs -n 50 {failed[0].name}"])
        if all(item.state == "ready" and item.pid != before[item.name] for item in asked):
            show(service_table(asked, with_state=False))
            return 0
        time.sleep(POLL_S)
