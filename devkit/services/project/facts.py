"""The facts about the project's Celery app, asked of the app itself in a zygote; and in words what is wrong there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from devkit.errors import AnothersError, DevkitError, UsageError, did_you_mean
from devkit.model.lines import line
from devkit.model.text import exit_in_words
from devkit.model.wire import AppFacts, ServiceOrder, Trouble
from devkit.services.commands import app_in
from devkit.services.project.broker import masked, program_name
from devkit.services.project.install import install_line, pip
from devkit.services.project.mends import MENDS, raised_error
from devkit.settings.discover import AppRef
from devkit.stack.process import Process


def ask_facts(process: Process, app: AppRef, environ: Mapping[str, str], timeout_s: float, root: Path) -> AppFacts:
    """What `devkit.agent.app.describe` finds; `process` is a zygote (`devkit.agent.fork.zygote`).

    `environ` are variables that the app is to see besides the process's own, `root` is the project's folder. Raises
    DevkitError when the app cannot be imported or does not answer.
    """
    process.say(line(ServiceOrder(describe=app_in(app, environ))))
    answer = process.answer(timeout_s)
    while answer is not None and "facts" not in answer and "problem" not in answer:
        answer = process.answer(timeout_s)
    if answer is None and (words := process.last_words()) is not None:
        raise DevkitError(f"the process that is to tell about {app} ended at once", excerpt=words)
    if answer is None:
        raise DevkitError(
            f"importing {app.module} does not come to an end (waited {timeout_s:g} s)",
            mend=[
                f"see where it hangs: python -X faulthandler -c 'import {app.module}'",
                "allow more: --timeout SECONDS",
            ],
        )
    if "problem" in answer:
        raise problem_error(answer, app, root)
    return answer["facts"]


def problem_error(problem: Trouble, app: AppRef, root: Path) -> DevkitError:  # noqa: PLR0911 - one for each kind
    """A `devkit.agent.app.load.Problem` in words; `root` is the project's folder."""
    match problem["problem"]:
        case "no celery" | "no uvicorn" as kind:
            python, package = problem["python"], kind.removeprefix("no ")
            return UsageError(
                f"{python} has no {package.replace('celery', 'Celery')}: {problem['message']}",
                mend=[
                    install_line(root, app.folder, python, [package]) or f"{pip(python)} {package}",
                    'or name the project\'s interpreter: python = "..." ([tool.devkit])',
                ],
            )
        case "no module":
            return UsageError(
                f"there is no module {problem['missing']} to import {app} from",
                looked=[f"{app.folder} and what its interpreter has installed"],
                mend=["correct -A MODULE:ATTR", "or the missing package belongs into the project's environment"],
            )
        case "no attribute":
            return UsageError(
                f"{app.module} has no {app.attribute}{did_you_mean(app.attribute, problem['names'])}",
                mend=["correct -A MODULE:ATTR"],
            )
        case "no app":
            return UsageError(f"there is no Celery app in {app.module}", mend=["name it: -A MODULE:ATTR"])
        case "not celery":
            return UsageError(
                f"{app} is not a Celery app but of type {problem['type']}", mend=["correct -A MODULE:ATTR"]
            )
        case "another's":
            return _anothers(problem["anothers"])
        case "died":
            return DevkitError(
                f"importing {app.module} ends the process: it {exit_in_words(problem['code'])}",
                mend=[f"see where: python -X faulthandler -c 'import {app.module}'"],
            )
        case kind:
            return MENDS.get(kind, raised_error)(problem, app, root)


def _anothers(found: Mapping[str, Sequence[str]]) -> AnothersError:
    url, owner = next(iter(found.values()))
    asking = " ".join(f"DEVKIT_{what.upper().replace(' ', '_')}={masked(url)}" for what, (url, _) in found.items())
    return AnothersError(
        f"the {program_name(url)} at {masked(url)} belongs to the stack of {owner}",
        looked=[f"the app's {what}: {masked(url)}" for what, (url, _) in found.items()],
        mend=["start one of this project's own: devkit up", f"or use that one all the same: {asking}"],
    )
