"""The project's Celery app, as devkit's own commands meet it: where, under which interpreter, with which broker."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devkit.errors import DevkitError
from devkit.model.status import StackStatus
from devkit.services.base import AGENT
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


def run_errand(
    target: Target,
    argv: Sequence[str],
    order: Mapping[str, Any],
    in_words: Callable[[Mapping[str, Any]], DevkitError],
    doing: str,
) -> Iterator[dict[str, Any]]:
    """What the project's process tells (`devkit.agent.errand`), where `argv` names the module and its arguments.

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
                    raise in_words(news)
                yield news
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise DevkitError(f"{doing} ended with exit code {process.returncode}, its output is above")
