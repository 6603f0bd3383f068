"""An order for a process of the project's own, and what that tells."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from devkit.errors import DevkitError
from devkit.model.lines import Lines, line
from devkit.model.wire import ResultsOrder, SendOrder, Trouble
from devkit.services.commands import AGENT
from devkit.services.project.target import Target

News = TypeVar("News", bound=Trouble)


def run_errand(
    target: Target,
    argv: Sequence[str],
    order: SendOrder | ResultsOrder,
    kind: type[News],
    in_words: Callable[[Trouble], DevkitError],
    doing: str,
) -> Iterator[News]:
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
            for news in Lines(partial(os.read, process.stdout.fileno()), kind):
                if "problem" in news:
                    raise target.told(in_words(news), news["problem"])
                yield news
        except ValueError as error:
            process.kill()
            raise DevkitError(f"{doing} tells {error}") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise DevkitError(f"{doing} ended with exit code {process.returncode}, its output is above")
