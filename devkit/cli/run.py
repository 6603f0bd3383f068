"""`devkit run TASK`: send a task through the real broker and wait for its result."""

import json
from typing import Any

import click

from devkit.cli.base import Globals, Project, flag, global_options, json_flag
from devkit.cli.complete import tasks


@click.command()
@click.argument("task", shell_complete=tasks)
@click.option("--args", "args_json", default="[]", metavar="JSON", help="Positional arguments, a JSON array.")
@click.option("--kwargs", "kwargs_json", default="{}", metavar="JSON", help="Keyword arguments, a JSON object.")
@click.option("--queue", metavar="Q", help="Send it to this queue.")
@click.option("--wait/--no-wait", default=True, help="Wait for the result (the default), or only send.")
@flag("celery", "-A", "--app", metavar="MODULE:ATTR")
@json_flag
@global_options
@click.pass_obj
def run(
    given: Globals,
    /,
    task: str,
    args_json: str,
    kwargs_json: str,
    queue: str | None,
    wait: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Send TASK and wait for its result. Exit code 1 when the task fails.

    TASK is a task's name, or a dotted end of it that only one has: divide for sample_app.tasks.divide.
    """
    from devkit.cli.console import say, show
    from devkit.services.task import send

    args = _json("--args", args_json, list, "'[10, 2]'")
    kwargs = _json("--kwargs", kwargs_json, dict, "'{\"x\": 10}'")
    project = Project(given, **flags)
    outcome: dict[str, Any] = {"id": None, "task": task, "state": "PENDING", "result": None, "exception": None,
                               "traceback": None, "runtime_s": None}  # fmt: skip
    for news in send(project.settings, project.paths, task, args, kwargs, queue=queue, wait=wait):
        if "sent" in news:
            outcome.update(id=news["sent"], task=news["task"])
            say(f"{news['task']} sent, id {news['sent']}")
        elif "state" in news:
            say(f"{news['state']} {json.dumps(news['info'])}")
        elif "no_worker" in news:
            say("no worker answers yet; devkit up starts one; Ctrl-C ends the wait, the task stays in the queue")
        else:
            outcome.update(news["done"])
    if as_json:
        show(json.dumps(outcome, indent=2))
    elif wait:
        _show_outcome(outcome)
    else:
        show(outcome["id"])
    return 1 if wait and outcome["state"] != "SUCCESS" else 0


def _show_outcome(outcome: dict[str, Any]) -> None:
    from devkit.cli.console import say, show

    say(f"{outcome['state']} after {outcome['runtime_s']:.2f} s")
    if outcome["state"] == "SUCCESS":
        show(json.dumps(outcome["result"], ensure_ascii=False))
    else:
        show((outcome["traceback"] or outcome["exception"] or outcome["state"]).rstrip())


def _json(option: str, text: str, kind: type, example: str) -> Any:
    from devkit.errors import UsageError

    wanted = "a JSON array" if kind is list else "a JSON object"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is not JSON: {error}: {text}", mend=[f"like {option} {example}"]) from None
    if not isinstance(value, kind):
        raise UsageError(f"{option} has to be {wanted}, not {text}", mend=[f"like {option} {example}"])
    return value
