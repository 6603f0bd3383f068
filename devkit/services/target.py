"""The project's Celery app, as devkit's own commands meet it: where, under which interpreter, with which broker."""

from dataclasses import dataclass

from devkit.model.status import StackStatus
from devkit.services.broker import Choice
from devkit.services.python import find_python
from devkit.settings.discover import AppRef, find_celery, resolve_celery
from devkit.settings.load import Settings
from devkit.settings.paths import Paths
from devkit.stack.control import ask


@dataclass(frozen=True)
class Target:
    """`environ` has the running stack's broker and result backend in it, or those that were asked for."""

    app: AppRef
    python: str
    environ: dict[str, str]


def find_target(settings: Settings, paths: Paths) -> Target:
    """Raises DevkitError where no app, or no interpreter, is found."""
    options = settings.options
    app = resolve_celery(settings.root, options.celery) if options.celery else find_celery(settings.root)
    answer = ask(paths.socket, ask="status")
    late = (StackStatus.from_wire(answer).environ or {}) if answer else {}
    asked = Choice(options.broker, options.result_backend).environ()
    python = find_python(settings.root, options.python, settings.environ)
    return Target(app, python, {**settings.environ, **late, **asked})
