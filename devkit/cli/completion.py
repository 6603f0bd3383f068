"""`devkit completion bash|zsh|fish`: what the shell needs to complete commands, tasks, services and ids."""

import click

from devkit.cli.base import Command, global_options

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=[
        ("devkit completion bash --install", "for every bash that starts from now on"),
        ("devkit completion zsh >> ~/.zshrc", "by hand, wherever it is wanted"),
        ('eval "$(devkit completion bash)"', "in this shell only"),
    ],
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Put it where the shell reads it, and say where that is.")
@global_options
@click.pass_context
def completion(ctx: click.Context, shell: str, install: bool) -> int:
    """Print the shell's completion script.

    It completes commands and options; names of tasks and services of the stack that runs; ids of paused and of failed
    tasks.
    """
    from click.shell_completion import get_completion_class

    from devkit.cli.console import say, show
    from devkit.cli.shells import place

    kind = get_completion_class(shell)
    assert kind
    script = kind(ctx.find_root().command, {}, "devkit", "_DEVKIT_COMPLETE").source()
    if not install:
        show(script)
        return 0
    for line in place(shell, script):
        say(line)
    return 0
