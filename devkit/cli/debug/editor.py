"""`devkit debug TASK --ide`: what an editor needs to be told, and the task that is sent for it."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devkit.cli.console import say, show
from devkit.cli.debug.lists import breakpoint_line
from devkit.cli.tasks.arguments import arguments
from devkit.cli.tasks.fate import Fate
from devkit.errors import DevkitError
from devkit.model.editor import HOST, WAITS

if TYPE_CHECKING:
    from devkit.services.debug.find import Debugging

POLL_S = 0.1
LAUNCH = Path(".vscode", "launch.json")


def prepare(debugging: "Debugging", task: str, port: int) -> None:
    """Have the task wait for an editor from now on, and say how VS Code attaches."""
    debugging.prepare()
    added = debugging.set_for_editor(task, port)
    say(f"{breakpoint_line(added, None)}; devkit debug --clear removes it")
    entry = launch_entry(task, port)
    path = debugging.root / LAUNCH
    if _write(path, entry):
        say(f"{LAUNCH} is written: start '{entry['name']}' in VS Code when the task waits")
    else:
        say(f"to be added to the configurations in {LAUNCH}, which is left as it is:")
    show(json.dumps(entry, indent=4))


def run(debugging: "Debugging", task: str, args_json: str, kwargs_json: str, queue: str | None) -> int:
    """Send the task, and wait for its outcome."""
    args, kwargs = arguments(args_json, kwargs_json)
    fate, told = Fate(task), False
    with closing(debugging.send(task, args, kwargs, queue, pause=False)) as sending:
        while not fate.done:
            for news in sending.news(POLL_S):
                fate.hear(news)
            if not told and (port := _waits_at(debugging, fate.outcome["id"])):
                say(f"{fate.outcome['task']} waits for an editor on {HOST}:{port}")
                told = True
    fate.show()
    return 0 if fate.outcome["state"] == "SUCCESS" else 1


def launch_entry(task: str, port: int) -> dict[str, Any]:
    """What VS Code has to know, as in its launch.json."""
    folder = "${workspaceFolder}"
    return {
        "name": f"devkit: {task}",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": HOST, "port": port},
        "pathMappings": [{"localRoot": folder, "remoteRoot": folder}],
        "justMyCode": True,
    }


def _write(path: Path, *entries: dict[str, Any]) -> bool:
    """Only where there is none: it has comments, which are not to be lost. Returns whether the entries are in it."""
    if path.exists():
        return _has(path, entries)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"version": "0.2.0", "configurations": entries}, indent=4) + "\n")
    except OSError as error:
        raise DevkitError(f"{path} cannot be written: {error.strerror}", mend=["add the entry by hand"]) from None
    return True


def _has(path: Path, entries: Sequence[dict[str, Any]]) -> bool:
    try:
        known = json.loads(path.read_text())["configurations"]
        return all(entry in known for entry in entries)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _waits_at(debugging: "Debugging", task_id: str | None) -> int:
    found = (one.session for one in debugging.paused() if one.session.task_id == task_id)
    return next((session.port for session in found if session.why == WAITS), 0)
