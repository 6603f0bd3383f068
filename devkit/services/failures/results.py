"""Asks the project's app, in the project's own interpreter, about failed tasks: where a worker would keep their
records, and what the app's result backend holds. That takes as long as importing the project does."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError, UsageError
from devkit.model.failure import Failure
from devkit.model.wire import ResultsNews, ResultsOrder, ResultsRead, Trouble
from devkit.services.commands import zygote_argv
from devkit.services.project.broker import masked
from devkit.services.project.errand import run_errand
from devkit.services.project.facts import ask_facts, problem_error
from devkit.services.project.target import find_target
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings
from devkit.stack.process import Process
from devkit.store.failures import choose

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Results:
    """The failures among the stored results; how many results were read, and where.

    Left out are those that are `unreadable`, those of tasks that `never_ran`, as their chain broke before, and, where
    one task was asked for, those that hold no name (`nameless`).
    """

    failures: list[Failure]
    read: int
    where: str
    unreadable: int
    never_ran: int
    nameless: int


class Asker:
    """One project's."""

    def __init__(self, settings: Settings) -> None:
        """Raises DevkitError where there is no app."""
        self._target = find_target(settings)
        self._root = settings.root
        self._timeout = settings.options.timeout

    def place(self, folder: str) -> str:
        """Where a worker of the app would keep failures; `folder`: if there is no Redis. Raises DevkitError."""
        target = self._target
        process = Process(
            zygote_argv(target.python, "worker", ""), cwd=target.app.folder, env=target.environ, talks=True
        )
        try:
            facts = ask_facts(process, target.app, {}, self._timeout, self._root)
        except DevkitError as error:
            raise target.told(error) from error
        finally:
            process.signal(signal.SIGKILL)
            process.wait()
        if facts["anothers"]:
            raise problem_error({"problem": "another's", "anothers": facts["anothers"]}, target.app, self._root)
        return choose(facts["broker"], facts["result_backend"], folder)

    def newest(self, task: str, since: float, limit: int, *, allow_pickle: bool, progress: Progress) -> Results:
        """The failures among the stored results. Raises DevkitError where these cannot be read."""
        order: ResultsOrder = {"do": "list", "task": task, "since": since, "limit": limit, "allow_pickle": allow_pickle}
        failures: list[Failure] = []
        done = ResultsRead(read=0, where="", unreadable=0, never_ran=0, nameless=0)
        for news in self._ask_results(order):
            if "record" in news:
                failures.append(Failure.from_record(news["record"]))
            elif "done" in news:
                done = news["done"]
            elif "read" in news:
                progress(news["read"], news["of"])
        return Results(failures, **done)

    def beginning(self, word: str, *, allow_pickle: bool) -> tuple[list[str], Failure | None, str]:
        """The ids of stored failures that begin so, the failure if it is only one, and where that was looked for."""
        ids, where, found = [], "", None
        for news in self._ask_results({"do": "find", "id": word, "allow_pickle": allow_pickle}):
            if "ids" in news:
                ids, where = news["ids"], masked(news["where"])
            elif "record" in news:
                found = Failure.from_record(news["record"])
        return ids, found, where

    def _ask_results(self, order: ResultsOrder) -> Iterator[ResultsNews]:
        """What `devkit.agent.results.search` tells."""
        app = self._target.app
        argv, doing = ["results", app.module, app.attribute], f"reading the results of {app}"
        return run_errand(
            self._target, argv, order, ResultsNews, lambda problem: _in_words(problem, app, self._root), doing
        )


def _in_words(problem: Trouble, app: AppRef, root: Path) -> DevkitError:
    match problem["problem"]:
        case "no result backend":
            return DevkitError(f"{app} has no result backend", mend=["name one: --result-backend URL"])
        case "backend down":
            return DevkitError(
                f"the result backend {masked(problem['url'])} does not answer: {problem['message']}",
                mend=["start the stack: devkit up", "or name another: --result-backend URL"],
            )
        case "pickled":
            return DevkitError(
                f"the results in {masked(problem['url'])} are pickled, and reading them may run any code",
                mend=["if you trust who wrote them: --allow-pickle"],
            )
        case "cannot list":
            return UsageError(
                f"{problem['backend']} cannot list its results",
                looked=[masked(problem["url"]), f"those that can: {', '.join(problem['can'])}"],
                mend=["show one by its whole id: devkit show ID"],
            )
        case _:
            return problem_error(problem, app, root)
