"""`devkit debug TASK --ide`: what an editor needs to be told, and the task that is sent for it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devkit.cli.console import say, show
from devkit.cli.debug.lists import breakpoint_line
from devkit.cli.tasks.fate import Fate
from devkit.errors import DevkitError
from devkit.model.editor import HOST, WAITS

if TYPE_CHECKING:
    from devkit.services.debug.breakpoints import ProjectBreakpoints
    from devkit.services.debug.find import PausedTasks
    from devkit.services.debug.sending import Sending

POLL_S = 0.1
LAUNCH = Path(".vscode", "launch.json")


def prepare(breakpoints: "ProjectBreakpoints", root: Path, task: str, port: int) -> None:
    """Have the task wait for an editor from now on, and say how VS Code attaches."""
    added = breakpoints.add_for_editor(task, port)
    say(f"{breakpoint_line(added, None)}; devkit debug --clear removes it")
    entry = launch_entry(task, port)
    path = root / LAUNCH
    if _write(path, entry):
        say(f"{LAUNCH} is written: start '{entry['name']}' in VS Code when the task waits")
    else:
        say(f"to be added to the configurations in {LAUNCH}, which is left as it is:")
    show(json.dumps(entry, indent=4))


def follow(sending: "Sending", tasks: "PausedTasks", fate: Fate) -> None:
    """Wait for the outcome of what was sent, and say when it waits for the editor."""
    told = False
    while not sending.done:
        for news in sending.news(POLL_S):
            fate.hear(news)
        if not told and sending.sent and (port := _waits_at(tasks, sending.task_id)):
            say(f"{fate.outcome['task']} waits for an editor on {HOST}:{port}")
            told = True


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


def _write(path: Path, entry: dict[str, Any]) -> bool:
    """Only where there is none: it has comments, which are not to be lost. Returns whether the entry is in it."""
    if path.exists():
        return _has(path, entry)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"version": "0.2.0", "configurations": [entry]}, indent=4) + "\n")
    except OSError as error:
        raise DevkitError(f"{path} cannot be written: {error.strerror}", mend=["add the entry by hand"]) from None
    return True


def _has(path: Path, entry: dict[str, Any]) -> bool:
    try:
        return entry in json.loads(path.read_text())["configurations"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _waits_at(tasks: "PausedTasks", task_id: str) -> int:
    found = (one.session for one in tasks.ours() if one.session.task_id == task_id)
    return next((session.port for session in found if session.why == WAITS), 0)
