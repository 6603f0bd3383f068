"""What `devkit worker` and `devkit api` say while they run."""

import sys

from devkit.cli.console import error_text, say, wants_colour
from devkit.errors import DevkitError


class StderrVoice:
    """Talks to whoever reads standard error: in a terminal, or in the log of a stack."""

    def __init__(self, *, debug: bool) -> None:
        self._debug = debug

    def notice(self, text: str) -> None:
        """One line about a reload."""
        say(f"devkit: {text}")

    def problem(self, error: DevkitError) -> None:
        """Code or settings that cannot be used."""
        say(error_text(error, colour=wants_colour(sys.stderr)))

    def detail(self, text: str) -> None:
        """What only somebody who looks into devkit itself wants to know."""
        if self._debug:
            say(f"devkit: {text}")
