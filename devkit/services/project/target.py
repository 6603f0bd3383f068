"""The project's Celery app, as devkit's own commands meet it: where, under which interpreter, with which broker."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devkit.errors import DevkitError
from devkit.services.commands import with_paths
from devkit.services.environment.started import started
from devkit.services.environment.surroundings import find_surroundings
from devkit.services.project.apps import celery_app
from devkit.services.project.broker import asked_for, settled
from devkit.services.project.python import find_python
from devkit.settings.discover import AppRef
from devkit.settings.evidence.compose import has_compose_file
from devkit.settings.load import Settings
from devkit.stack.control import ask_status

if TYPE_CHECKING:
    from devkit.services.reach.routes import Routes

# What is wrong with this machine, where the stack runs in containers: there it works.
NOT_HERE = ("no celery", "no module", "package", "transport", "variable", "service", "raises")


@dataclass(frozen=True)
class Target:
    """`environ` has the running stack's broker and result backend in it, or those that were asked for.

    `routes` lead to a stack in containers, if it is one. `root` is the project's folder.
    """

    app: AppRef
    python: str
    environ: dict[str, str]
    routes: "Routes | None" = None
    root: Path | None = None

    def told(self, error: DevkitError, problem: str = "raises") -> DevkitError:
        """The error of a problem in the project's process, with what a stack in containers has to do with it."""
        if self.routes is None:
            return error
        looked, mend = [*error.looked, *self.routes.problems], list(error.mend)
        if problem in NOT_HERE:
            looked.append(f"the stack runs in containers; devkit runs its code here, by {self.python}")
            mend += self.routes.ways_out
        return type(error)(error.what, looked=looked, excerpt=error.excerpt, mend=mend)


def find_target(settings: Settings) -> Target:
    """Raises DevkitError where no app, or no interpreter, is found."""
    app = celery_app(settings)
    given, running = given_brokers(settings)
    servers = started(settings, running)
    python = find_python(settings.root, settings.options.python, settings.environ)
    routes = None
    if not running and has_compose_file(settings.root):  # else nothing is imported for it
        from devkit.services.reach.routes import find_routes

        routes = find_routes(settings)
    if routes:
        environ = routes.environ(settings.environ, given)
    else:
        around = find_surroundings(settings, "worker", brokers=given, started=servers)
        environ = {**settings.environ, **around.changes(settings), **given}
    return Target(app, python, with_paths(app, environ), routes, settings.root)


def given_brokers(settings: Settings) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables of the project's processes that name the broker and the result backend which the running stack
    has, or which were asked for; and the names of that stack's services, none where none is running."""
    running = ask_status(settings.paths.socket)
    asked = asked_for(settings, running=bool(running)).environ()
    names = tuple(one.name for one in running.services) if running else ()
    return settled({**(running.environ if running else {}), **asked}, settings.paths.data), names
