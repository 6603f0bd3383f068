"""`devkit down`: stop the stack, also what a crashed one left."""

import click

from devkit.cli.base import Command, Globals, global_options


@click.command(
    cls=Command,
    examples=[
        ("devkit down", "stop the stack, or end what a crash has left"),
        ("devkit -C ../shop down", "that of another project"),
    ],
)
@global_options
@click.pass_obj
def down(given: Globals) -> int:
    """Stop the stack and wait until it is gone."""
    from devkit.cli.console import say
    from devkit.services.running import take_down

    done = take_down(given.place())
    if done.left:
        say(f"ended what a crash had left running: {', '.join(done.left)}")
    if done.containers:
        say(f"removed the containers {', '.join(done.containers)}")
    if done.stopped or not (done.left or done.containers):
        say("stopped" if done.stopped else "no stack runs here")
    if done.volumes:
        say(f"its data stays, in volumes; to remove that, too: docker volume rm {' '.join(done.volumes)}")
    return 0
