"""The command line: one file a command. Each parses, asks one object, and shows the answer."""

import gc
import sys

# What is imported makes many objects and no garbage: to look for that takes a tenth of the time.
gc.set_threshold(50_000)

if sys.argv[1:2] == ["debug"]:
    from devkit.services.debug.ahead import begin

    begin(sys.argv[2:])

from devkit.cli.main import main  # noqa: E402 - what is above has to come first

__all__ = ["main"]
