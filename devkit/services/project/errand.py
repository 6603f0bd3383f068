"""An order for a process of the project's own, and what that tells."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from devkit.errors import DevkitError
from devkit.model.lines import Lines, line
from devkit.services.commands import AGENT
from devkit.services.project.target import Target


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
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line(order))
        process.stdin.close()
        try:
            for news in Lines(partial(os.read, process.stdout.fileno())):
                if "problem" in news:
                    raise target.told(in_words(news), news["problem"])
                yield news
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise DevkitError(f"{doing} ended with exit code {process.returncode}, its output is above")
