"""The two ways of `devkit up`: processes of this machine, or containers; never both for one project."""

from collections.abc import Sequence
from threading import Thread

from devkit.cli.base import Project
from devkit.cli.console import say, show
from devkit.cli.stack.report import Report
from devkit.cli.stack.table import service_table
from devkit.errors import DevkitError
from devkit.stack.messages import Taker

# An engine that has not answered by then is not waited for.
PATIENCE_S = 1.0


def here(project: Project, services: Sequence[str], *, quiet: bool) -> int:
    """Start the stack without containers, unless it runs in them already."""
    from devkit.services.stack.run import run_stack

    in_containers = _StackInContainers(project)

    def report(names: Sequence[str], inbox: Taker) -> Report:
        in_containers.refuse()
        return Report(project.paths, names, inbox, quiet=quiet)

    return run_stack(project.settings, project.paths, services, report)


def in_containers(
    project: Project,
    services: tuple[str, ...],
    profiles: tuple[str, ...],
    scale: tuple[str, ...],
    *,
    build: bool,
    detach: bool,
) -> int:
    """Start the stack in containers, and show it until it is stopped; detached, only until all is ready."""
    from devkit.services.compose.plan import ComposeRequest
    from devkit.services.compose.run import run_containers

    request = ComposeRequest(services, profiles, scale, build, detach)
    code, rows = run_containers(
        project.settings,
        project.paths,
        request,
        lambda inbox: Report(project.paths, [], inbox, quiet=detach),
    )
    if detach and code == 0:
        show(service_table(rows, with_state=False))
        say("devkit: all is ready; devkit logs -f shows its output, devkit down stops it")
    return code


class _StackInContainers:
    """Looks in the background whether the project's stack runs in containers."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._found: list[str] = []
        self._look = Thread(target=self._find, name="containers", daemon=True)
        self._look.start()

    def refuse(self) -> None:
        """Raises DevkitError if it does."""
        self._look.join(PATIENCE_S)
        if self._found:
            raise DevkitError(
                f"a stack of this project runs already, in the containers {', '.join(self._found)}",
                mend=["see it: devkit status", "stop it: devkit down"],
            )

    def _find(self) -> None:
        from devkit.services.compose.found import find_composed

        run = find_composed(self._project.settings, self._project.paths)
        self._found = [one.name for one in run.containers if one.running] if run else []
