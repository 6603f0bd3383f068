"""The command line: one file a command. Each parses, asks one object, and shows the answer."""

from devkit.cli.main import main

__all__ = ["main"]
