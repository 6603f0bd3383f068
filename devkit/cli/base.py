"""What all commands share: the global options, flags that set an option, and the settings that follow."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from devkit.settings.options import known

if TYPE_CHECKING:
    from devkit.settings.load import Settings

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Globals:
    """The options that every command takes, before or after its name."""

    directory: str | None = None
    debug: bool = bool(os.environ.get("DEVKIT_DEBUG"))

    @property
    def folder(self) -> Path:
        """The one that devkit is run in."""
        return Path(self.directory or ".").absolute()

    def settings(self, **flags: Any) -> "Settings":
        """Those of the project. `flags` are the options of the command; those that are None were not given.

        What its running stack was started with counts more than all but these.
        """
        from devkit.services.known import settings_of

        return settings_of(self.folder, _typed(flags), os.environ)

    def place(self, **flags: Any) -> "Settings":
        """The same, as the stack itself has them, and whoever only wants to reach it."""
        from devkit.services.known import place_of

        return place_of(self.folder, _typed(flags), os.environ)


def _typed(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flags.items() if value is not None and value != ()}


class Command(click.Command):
    """A command whose help ends in examples: what to type, and what comes of it."""

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Examples"):
            formatter.write_dl(self.examples, col_max=44)


def global_options(function: F) -> F:
    """-C and --debug, for the group and for each command."""

    def set_directory(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.ensure_object(Globals).directory = value

    def set_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Globals).debug = True

    function = click.option(
        "-C", "--directory", type=click.Path(exists=True, file_okay=False), expose_value=False, callback=set_directory,
        is_eager=True, help="Run as if started in this folder.",
    )(function)  # fmt: skip
    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=set_debug, is_eager=True,
        help="Show tracebacks of errors (or DEVKIT_DEBUG=1).",
    )(function)  # fmt: skip


def flag(key: str, *names: str, **kwargs: Any) -> Callable[[F], F]:
    """A flag that sets the option `key`: its help is the option's."""
    text = known()[key]
    return click.option(*names, key, default=None, help=text[0].upper() + text[1:] + ".", **kwargs)


def switch_off(key: str, name: str) -> Callable[[F], F]:
    """A flag like --no-flower, which sets the option `key` to false."""
    return click.option(name, key, flag_value=False, type=bool, default=None, help=f"Do not {known()[key]}.")


# How the project's code is found and run, for every command that runs it.
PROJECT = {
    "celery": flag("celery", "-A", "--app", metavar="MODULE:ATTR"),
    "python": flag("python", "--python", metavar="FILE"),
    "env_file": flag("env_file", "--env-file", metavar="FILE", multiple=True),
    "env_from": flag("env_from", "--env-from", metavar="SOURCE"),
    "broker": flag("broker", "--broker", metavar="URL"),
    "result_backend": flag("result_backend", "--result-backend", metavar="URL"),
}


def project_options(function: F) -> F:
    """All of these, and the global ones."""
    function = global_options(function)
    for option in reversed(PROJECT.values()):
        function = option(function)
    return function


def project_flags(options: dict[str, Any]) -> dict[str, Any]:
    """Those of them that a command was given, taken out of its other options."""
    return {key: options.pop(key) for key in PROJECT}


json_flag = click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")
