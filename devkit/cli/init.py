"""`devkit init`: what discovery finds, written down; and the files that run the project in containers."""

import click

from devkit.cli.base import Command, Globals, flag, project_options, switch_off


@click.command(
    cls=Command,
    short_help="Write [tool.devkit], or files for containers.",
    examples=[
        ("devkit init", "write down what is found"),
        ("devkit init -A shop.worker:queue --force", "this app, over what is there"),
        ("devkit init --docker", "the files for a stack in containers"),
    ],
)
@flag("api", "--api", metavar="MODULE:ATTR")
@switch_off("with_api", "--no-api")
@click.option("--docker", is_flag=True, help="Write the files for a stack in containers instead.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@project_options
@click.pass_obj
def init(given: Globals, /, docker: bool, force: bool, **flags: object) -> int:
    """Write [tool.devkit] into pyproject.toml, with what discovery finds.

    With --docker: a compose file and a Dockerfile for this project.
    """
    from devkit.cli.console import say
    from devkit.model.text import printable
    from devkit.services.init import setup

    settings = given.settings(**flags)
    for line in (setup.write_docker if docker else setup.write_settings)(settings, force=force):
        say(printable(line, lines=True))
    return 0
