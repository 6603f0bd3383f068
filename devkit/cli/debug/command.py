"""`devkit debug`: a prompt inside a paused task."""

from typing import Any

import click

from devkit.cli.base import Globals, Project, flag, global_options, json_flag
from devkit.cli.complete import tasks_and_paused


@click.command()
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
@flag("celery", "-A", "--app", metavar="MODULE:ATTR")
@json_flag
@global_options
@click.pass_obj
def debug(
    given: Globals,
    /,
    task: str | None,
    listing: bool,
    run_it: bool,
    args_json: str,
    kwargs_json: str,
    queue: str | None,
    places: tuple[str, ...],
    condition: str,
    on_failure: bool,
    retries: bool,
    ide: bool,
    ide_port: int | None,
    list_breakpoints: bool,
    clear: bool,
    commands: tuple[str, ...],
    port: int | None,
    host: str,
    container: str | None,
    pod: str | None,
    namespace: str | None,
    timeout: float | None,
    no_wait: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Attach to a paused task; with none paused, wait for one.

    TASK is a task's name, or a dotted end of it; ID is the beginning of a paused task's id, at least 4 characters.
    """
    from pathlib import Path

    from devkit.cli.debug.steps import Debugger
    from devkit.errors import UsageError
    from devkit.model.editor import PORT
    from devkit.services.debug.containers import Only

    call = args_json, kwargs_json, queue
    wrong = {
        "--run needs a TASK": run_it and task is None,
        "--args, --kwargs and --queue belong to --run": call != ("[]", "{}", None) and not run_it,
        "--ide needs a TASK": ide and task is None,
        "--ide-port belongs to --ide": ide_port is not None and not ide,
        "--ide goes without --break, --on-failure and --execute": ide and bool(places or on_failure or commands),
        "--if belongs to --break": bool(condition) and not places,
        "--retries belongs to --on-failure": retries and not on_failure,
        "--no-wait belongs to --break or --on-failure": no_wait and not (places or on_failure),
        "--namespace belongs to --pod": namespace is not None and pod is None,
        "--container and --pod exclude each other": container is not None and pod is not None,
        "--json belongs to --list or --breakpoints": as_json and not (listing or list_breakpoints),
    }
    if message := next((text for text, is_wrong in wrong.items() if is_wrong), None):
        raise UsageError(message, mend=["see devkit debug --help"])

    only = Only(container or "", pod or "", namespace or "") if container or pod else None
    debugger = Debugger(Project(given, **flags), Path(given.directory or "."), commands or None, timeout, only)
    if listing or list_breakpoints:
        return debugger.list_paused(task, as_json=as_json) if listing else debugger.list_breakpoints(as_json=as_json)
    if clear or port:
        return debugger.attach_to_address(host, port) if port and not clear else debugger.clear(places, task)
    if task is not None:
        debugger.check(task)
    if ide and task is not None:
        return debugger.in_editor(task, ide_port or PORT, call if run_it else None)
    if places or on_failure:
        debugger.set_breakpoints(places, condition, task, on_failure=on_failure, retries=retries)
        if no_wait:
            return 0
    if task is None or not run_it:
        return debugger.wait_and_attach(task)
    return debugger.run(task, *call, pause=not (places or on_failure))
