"""Sends a task, for `devkit run` and `devkit debug`, by the broker that the project's target has."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devkit.errors import DevkitError, UsageError, did_you_mean
from devkit.model.place import here, traceback_here
from devkit.model.text import is_named, ways_to_name
from devkit.model.wire import SendNews, SendOrder, Trouble
from devkit.services.project.broker import masked
from devkit.services.project.errand import run_errand
from devkit.services.project.facts import problem_error
from devkit.services.project.packages import mend_lines
from devkit.services.project.target import find_target
from devkit.services.project.unreached import in_words, tasks_not_reached
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings


def send(
    settings: Settings,
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    queue: str | None,
    wait: bool,
    task_id: str | None = None,
    pauses: bool = False,
) -> Iterator[SendNews]:
    """Send the task; yields what `devkit.agent.app.send` tells, with `pauses` also where it is paused.

    Raises UsageError for a task or arguments that do not exist or fit, DevkitError where it cannot be sent.
    """
    target = find_target(settings, task)
    app = target.app
    order: SendOrder = {
        "module": app.module, "attribute": app.attribute, "task": task, "args": list(args), "kwargs": dict(kwargs),
        "queue": queue, "wait": wait, "task_id": task_id, "failures": str(settings.paths.failures),
        "sessions": str(settings.paths.sessions) if pauses else None,
    }  # fmt: skip
    for news in run_errand(
        target,
        ["send"],
        order,
        SendNews,
        lambda problem: _in_words(problem, task, app, settings.root),
        doing=f"sending {task}",
    ):
        if (done := news.get("done")) and done["traceback"]:
            done["traceback"] = traceback_here(done["traceback"], str(settings.root))
        if "away" in news:
            news["url"] = masked(news["url"])
        if "paused" in news:
            news["paused"] = here(news["paused"], str(settings.root))
        yield news


def _in_words(problem: Trouble, task: str, app: AppRef, root: Path) -> DevkitError:
    match problem["problem"]:
        case "no task":
            if matches := problem["matches"]:
                return UsageError(f"several tasks end in '{task}'", looked=matches, mend=["name one of them"])
            missing = [one for one in tasks_not_reached(root, app, problem["names"]) if is_named(one.name, task)]
            looked, mend = in_words(missing)
            return UsageError(
                f"{app} has no task '{task}'{did_you_mean(task, ways_to_name(problem['names']))}",
                looked=[f"its tasks: {', '.join(problem['names']) or 'none'}", *looked],
                mend=mend,
            )
        case "arguments":
            return UsageError(
                f"the arguments do not fit {problem['task']}: {problem['message']}",
                mend=["give others with --args '[…]' or --kwargs '{…}'"],
            )
        case "not sent":
            python, url, message = problem["python"], problem["url"], problem["message"]
            return DevkitError(
                f"the {problem['what']} {masked(url)} does not answer: {message}",
                mend=[*(mend_lines(python, url, message) if python else []), "start the stack: devkit up"],
            )
        case "stays away":
            return DevkitError(
                f"the result backend stays away, and so it is not known what becomes of {problem['task']}",
                looked=[f"{masked(problem['url'])}, for a minute: {problem['message']}"],
                mend=["start the stack: devkit up", f"if the task fails: devkit show {problem['task']}"],
            )
        case _:
            return problem_error(problem, app, root)
