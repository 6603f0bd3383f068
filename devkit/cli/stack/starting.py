"""The two ways of `devkit up`: processes of this machine, or containers; never both for one project."""

from collections.abc import Sequence
from threading import Thread
from typing import TYPE_CHECKING

from devkit.cli.console import say, show
from devkit.cli.stack.report import Report
from devkit.cli.stack.table import service_table
from devkit.errors import DevkitError
from devkit.settings.load import Settings
from devkit.stack.messages import Taker

if TYPE_CHECKING:
    from devkit.services.compose.plan import ComposeRequest

# An engine that has not answered by then is not waited for.
PATIENCE_S = 1.0


def here(settings: Settings, services: Sequence[str], *, quiet: bool) -> int:
    """Start the stack without containers, unless it runs in them already."""
    from devkit.services.stack.run import run_stack

    found: list[str] = []
    look = Thread(target=lambda: found.extend(_containers_that_run(settings)), name="containers", daemon=True)
    look.start()

    def report(names: Sequence[str], inbox: Taker) -> Report:
        look.join(PATIENCE_S)
        if found:
            raise DevkitError(
                f"a stack of this project runs already, in the containers {', '.join(found)}",
                mend=["see it: devkit status", "stop it: devkit down"],
            )
        return Report(settings.paths, names, inbox, quiet=quiet)

    return run_stack(settings, services, report)


def in_containers(settings: Settings, request: "ComposeRequest") -> int:
    """Start the stack in containers, and show it until it is stopped; detached, only until all is ready."""
    from devkit.services.compose.run import run_containers

    code, rows = run_containers(
        settings, request, lambda inbox: Report(settings.paths, [], inbox, quiet=request.detach)
    )
    if request.detach and code == 0:
        show(service_table(rows, with_state=False))
        say("devkit: all is ready; devkit logs -f shows its output, devkit down stops it")
    return code


def _containers_that_run(settings: Settings) -> list[str]:
    from devkit.services.compose.found import find_composed

    stack = find_composed(settings)
    return [one.name for one in stack.containers if one.running] if stack else []
