"""The project's Celery app, as devkit's own commands meet it: where, under which interpreter, with which broker."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devkit.errors import DevkitError
from devkit.model.status import StackStatus
from devkit.services.commands import AGENT
from devkit.services.project.broker import asked_for
from devkit.services.project.python import find_python
from devkit.settings.discover import AppRef, find_celery, resolve_celery
from devkit.settings.discover.compose import has_compose_file
from devkit.settings.load import Settings
from devkit.settings.paths import Paths
from devkit.stack.control import ask

if TYPE_CHECKING:
    from devkit.services.reach.routes import Routes

# What is wrong with this machine, where the stack runs in containers: there it works.
NOT_HERE = ("no celery", "no module", "raises")


@dataclass(frozen=True)
class Target:
    """`environ` has the running stack's broker and result backend in it, or those that were asked for.

    `routes` lead to a stack in containers, if it is one.
    """

    app: AppRef
    python: str
    environ: dict[str, str]
    routes: "Routes | None" = None

    def told(self, error: DevkitError, problem: str = "raises") -> DevkitError:
        """The error of a problem in the project's process, with what a stack in containers has to do with it."""
        if self.routes is None:
            return error
        looked, mend = [*error.looked, *self.routes.problems], list(error.mend)
        if problem in NOT_HERE:
            looked.append(f"the stack runs in containers; devkit runs its code here, by {self.python}")
            mend += self.routes.ways_out
        return type(error)(error.what, looked=looked, excerpt=error.excerpt, mend=mend)


def find_target(settings: Settings, paths: Paths) -> Target:
    """Raises DevkitError where no app, or no interpreter, is found."""
    options = settings.options
    app = resolve_celery(settings.root, options.celery) if options.celery else find_celery(settings.root)
    answer = ask(paths.socket, ask="status")
    late = (StackStatus.from_wire(answer).environ or {}) if answer else {}
    asked = asked_for(settings, running=bool(answer)).environ()
    python = find_python(settings.root, options.python, settings.environ)
    routes = None
    if not answer and has_compose_file(settings.root):  # else nothing is imported for it
        from devkit.services.reach.routes import find_routes

        routes = find_routes(settings, paths)
    environ = routes.environ(settings.environ, asked) if routes else {**settings.environ, **late, **asked}
    return Target(app, python, environ, routes)


def run_errand(
    target: Target,
    argv: Sequence[str],
    order: Mapping[str, Any],
    in_words: Callable[[Mapping[str, Any]], DevkitError],
    doing: str,
) -> Iterator[dict[str, Any]]:
    """What the project's process tells (`devkit.agent.app.errand`), where `argv` names the module and its arguments.

    Raises what `in_words` makes of a problem, and DevkitError if the process fails at what it was `doing`.
    """
    with subprocess.Popen(
        [target.python, str(AGENT), *argv],
        cwd=target.app.folder,
        env=target.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order))
        process.stdin.close()
        try:
            for line in process.stdout:
                news = json.loads(line)
                if "problem" in news:
                    raise target.told(in_words(news), news["problem"])
                yield news
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise DevkitError(f"{doing} ended with exit code {process.returncode}, its output is above")
