"""`devkit debug`: a prompt inside a paused task."""

from typing import Any

import click

from devkit.cli.base import Command, Globals, json_flag, project_flags, project_options
from devkit.cli.complete import tasks_and_paused


@click.command(
    cls=Command,
    examples=[
        ("devkit debug", "attach to a paused task, or wait for one"),
        ("devkit debug divide --run --args '[10, 0]'", "send it, and stop at its first line"),
        ("devkit debug --break shop/tasks.py:31 --if 'total > 9'", "stop there, without editing code"),
        ("devkit debug charge --on-failure", "stop where it fails"),
        ("devkit debug -e 'p order' -e c", "two commands instead of a prompt"),
        ("devkit debug --list", "the paused tasks, and the breakpoints"),
        ("devkit debug --container worker", "one that waits in a container"),
    ],
)
@click.argument("task", required=False, metavar="[TASK|ID]", shell_complete=tasks_and_paused)
@click.option("-l", "--list", "listing", is_flag=True, help="List the paused tasks, and the breakpoints.")
@click.option("--run", "run_it", is_flag=True, help="Send TASK now, and attach when it pauses.")
@click.option("--args", "args_json", default="[]", metavar="JSON", help="Its positional arguments, with --run.")
@click.option("--kwargs", "kwargs_json", default="{}", metavar="JSON", help="Its keyword arguments, with --run.")
@click.option("--queue", metavar="Q", help="Send it to this queue, with --run.")
@click.option("--break", "places", multiple=True, metavar="FILE:LINE|TASK",
              help="Pause there, without editing code; may be given several times.")  # fmt: skip
@click.option("--if", "condition", default="", metavar="EXPR", help="Pause at the --break only where this is true.")
@click.option("--on-failure", is_flag=True, help="Pause TASK, or any, where it fails.")
@click.option("--retries", is_flag=True, help="With --on-failure: also where it will be tried again.")
@click.option("--ide", is_flag=True, help="Have TASK wait for an editor, as VS Code, and debug it there.")
@click.option("--ide-port", type=click.IntRange(1, 65535), metavar="N", help="Its port; 5678 without it.")
@click.option("--breakpoints", "list_breakpoints", is_flag=True, help="List the breakpoints.")
@click.option("--clear", is_flag=True, help="Remove the breakpoints: all, or those of --break and TASK.")
@click.option("-e", "--execute", "commands", multiple=True, metavar="CMD",
              help="Debugger command to run instead of a prompt; may be given several times.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Attach to what listens on this port.")
@click.option("--host", default="127.0.0.1", metavar="H", help="The host of --port; 127.0.0.1 without it.")
@click.option("--container", metavar="NAME", help="Only in this container: its name, id, or compose service.")
@click.option("--pod", metavar="NAME", help="Only in this pod of Kubernetes, through kubectl.")
@click.option("-n", "--namespace", metavar="NS", help="The namespace of --pod; kubectl's own without it.")
@click.option("--timeout", type=click.FloatRange(0), metavar="S", help="Wait so many seconds at most.")
@click.option("--no-wait", is_flag=True, help="Set the breakpoints, and return.")
@json_flag
@project_options
@click.pass_obj
def debug(given: Globals, /, **options: Any) -> int:
    """Attach to a paused task; with none paused, wait for one.

    TASK is a task's name, or a dotted end of it; ID is the beginning of a paused task's id, at least 4 characters.
    """
    from devkit.cli.debug.request import DebugRequest
    from devkit.cli.debug.steps import DebugCommand

    flags = project_flags(options)
    request = DebugRequest(**options)
    request.check_together()
    return DebugCommand(given.settings(**flags), given.folder, request).run()
