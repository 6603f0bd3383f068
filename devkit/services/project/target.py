"""The project's Celery app, as devkit's own commands meet it: where, under which interpreter, with which broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devkit.errors import DevkitError
from devkit.model.status import AppStatus
from devkit.model.text import is_named
from devkit.services.commands import with_paths
from devkit.services.environment.kept import surroundings_now
from devkit.services.project.broker import asked_for, settled
from devkit.services.project.programs import first_app
from devkit.services.project.python import find_python
from devkit.settings.discover import AppRef
from devkit.settings.evidence.compose import has_compose_file
from devkit.settings.load import RUNNING, Settings
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


def find_target(settings: Settings, task: str = "") -> Target:
    """The first app, or, of several, the one that has the task. Raises DevkitError where no app, or no interpreter, is
    found."""
    status = ask_status(settings.paths.socket)
    found = _that_has(task, status.apps, settings) if status else None
    if found:
        module, _, attribute = found.celery.partition(":")
        app = AppRef(Path(found.folder), module, attribute, tuple(map(Path, found.paths)))
    else:
        app = first_app(settings, "" if status else task)
    given, running = given_brokers(settings, found)
    # The running stack's is that of its first app.
    asked = None if found and settings.sources["python"] == RUNNING else settings.options.python
    python = find_python(settings.root, asked, settings.environ, app.folder)
    routes = None
    if not running and has_compose_file(settings.root):  # else nothing is imported for it
        from devkit.services.reach.routes import find_routes

        routes = find_routes(settings)
    if routes:
        environ = routes.environ(settings.environ, given)
    else:
        around = surroundings_now(settings, "worker", given, running)
        environ = {**settings.environ, **around.changes(settings), **given}
    return Target(app, python, with_paths(app, environ), routes, settings.root)


def _that_has(task: str, apps: Sequence[AppStatus], settings: Settings) -> AppStatus | None:
    """The further app that has the task, where the first one has it not, and nobody says which one is meant."""
    having = [app for app in apps if task in app.tasks] or [
        app for app in apps if task and any(is_named(name, task) for name in app.tasks)
    ]
    if not having or apps[0] in having or settings.sources["celery"] == "flag":
        return None
    return having[0]


def given_brokers(settings: Settings, app: AppStatus | None = None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables of the project's processes that name the broker and the result backend which the running stack
    has, for this one of its apps if not for the first, or which were asked for; and the names of that stack's
    services, none where none is running."""
    running = ask_status(settings.paths.socket)
    asked = asked_for(settings, running=bool(running)).environ()
    told = app.environ if app else running.environ if running else {}
    names = tuple(one.name for one in running.services) if running else ()
    return settled({**told, **asked}, settings.paths.data), names
