"""The steps of `devkit replay`: which failures, what is done with them, and what comes of it."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from devkit.cli.console import error_text, say, show, wants_colour
from devkit.cli.failures.since import moment
from devkit.cli.replay import verdict
from devkit.cli.replay.request import Request
from devkit.cli.tasks.arguments import arguments
from devkit.cli.text import short_ids
from devkit.errors import DevkitError, UsageError
from devkit.model.failure import Failure, Unreadable
from devkit.model.place import brought_here
from devkit.replay.case import load
from devkit.replay.compare import exit_code
from devkit.services.failures.search import Failures, NoSuchFailure
from devkit.services.project.broker import is_local
from devkit.services.project.target import Target, find_target
from devkit.services.replay.replayer import CannotReplay, CannotReplayThis, How, Replayed, Replayer, Saved
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings

if TYPE_CHECKING:
    from devkit.services.reload.saves import Saves

CANNOT = 125
# These end the task, too, as Ctrl-C does.
ENDS = (signal.SIGTERM, signal.SIGHUP)


class Replaying:
    """One run of the command."""

    def __init__(self, settings: Settings, request: Request) -> None:
        self._settings = settings
        self._request = request
        self._known = Failures(settings)
        self._targets = cache(partial(find_target, settings))
        self._open = ExitStack()
        self._others: dict[AppRef, Replayer] = {}
        args, kwargs = arguments(request.args_json, request.kwargs_json)
        self._how = How(
            args=args,
            kwargs=kwargs,
            live=request.live,
            pdb=request.pdb,
            breaks=request.breaks,
            allow_pickle=request.allow_pickle,
        )

    def run(self) -> int:
        """Do what was asked for; returns the exit code."""
        for signum in ENDS:
            if signal.getsignal(signum) is signal.SIG_DFL:
                signal.signal(signum, _leave)
        try:
            if self._request.save:
                return self._save(Path(self._request.save))
            if self._request.watch:
                return self._watch()
            # It imports the project while the failure is looked up.
            with self._open, closing(self._replayer()) as replayer:
                return self._with(replayer)
        except CannotReplay as error:
            return self._cannot(error)

    def _with(self, replayer: Replayer) -> int:
        request = self._request
        failures = self._all() if request.every else [self._find(word, replayer) for word in request.failures]
        if request.send:
            return self._send(replayer, failures)
        if request.check:
            return self._check(replayer, failures)
        if request.to_test:
            return self._to_test(replayer, failures[0], Path(request.to_test))
        return self._run_all(replayer, failures) if request.many else self._run_one(replayer, failures[0])

    def _run_one(self, replayer: Replayer, failure: Failure) -> int:
        replayed = self._replay(replayer, failure)
        self._tell(replayed)
        return exit_code(replayed.verdict, same=self._request.same)

    def _replay(self, replayer: Replayer, failure: Failure) -> Replayed:
        say(verdict.head(failure, time.time()))
        if self._how.live:
            self._name_broker(replayer)
        with _ctrl_c_for_pdb() if self._request.prompts else nullcontext():
            return self._of(failure, replayer).run(failure, self._how)

    def _tell(self, replayed: Replayed) -> None:
        """All that came of it."""
        if self._request.as_json:
            show(verdict.dumped(verdict.replay_json(replayed)))
        else:
            failure = brought_here(replayed.failure, str(self._settings.root))
            show(verdict.report(replace(replayed, failure=failure), live=self._how.live))
        for way in replayed.mend:
            say(f"  mend: {way}")

    def _watch(self) -> int:
        """Again at each save, until it passes."""
        from devkit.services.reload.saves import Saves

        failure = self._find(self._request.failures[0])
        with closing(Saves(self._settings, self._target(failure.task).app.folder)) as saves:
            while not self._passes(failure, saves):
                say("waiting for a save; Ctrl-C ends")
                say(f"{saves.wait()} was saved")
        return 0

    def _passes(self, failure: Failure, saves: "Saves") -> bool:
        with closing(self._replayer(failure.task, saves)) as replayer:
            try:
                replayed = self._replay(replayer, failure)
            except Saved:
                return False
            except CannotReplay as error:  # code that does not import, as it happens while one edits
                say(error_text(error, colour=wants_colour(sys.stderr)))
                return False
            self._tell(replayed)
            return replayed.verdict.kind == verdict.GOOD

    def _run_all(self, replayer: Replayer, failures: Sequence[Failure]) -> int:
        """Each in a process of its own, one line for each."""
        found, ids = [], short_ids([failure.id for failure in failures])
        if self._how.live:
            self._name_broker(replayer)
        for failure in failures:
            found.append(self._of(failure, replayer).run(failure, self._how, apart=True))
            if not self._request.as_json:
                show(verdict.one_line(found[-1], ids[failure.id]))
        if self._request.as_json:
            show(verdict.dumped([verdict.replay_json(one) for one in found]))
        if found:
            say(verdict.summary(found))
        codes = [exit_code(one.verdict, same=self._request.same) for one in found]
        return next((code for code in (1, CANNOT) if code in codes), 0)

    def _check(self, replayer: Replayer, failures: Sequence[Failure]) -> int:
        """Run nothing, only see whether the arguments fit."""
        found = [self._of(failure, replayer).check(failure, self._how) for failure in failures]
        if self._request.as_json:
            documents = [verdict.check_json(one) for one in found]
            show(verdict.dumped(documents if self._request.many else documents[0]))
        else:
            ids = short_ids([failure.id for failure in failures])
            for one in found:
                show(verdict.check_line(one, ids[one.failure.id]))
        return 1 if any(one.verdict.kind != verdict.GOOD for one in found) else 0

    def _send(self, replayer: Replayer, failures: Sequence[Failure]) -> int:
        """Put them back for a worker."""
        self._name_broker(replayer)
        if len(failures) > 1 and not self._request.yes:
            count = f"{len(failures)} failed tasks"
            if not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise UsageError(f"{count} are not sent without asking, and nobody can be asked", mend=["add --yes"])
            if not click.confirm(f"Send {count} back to {replayer.broker}?", err=True):
                say("nothing is sent")
                return 1
        refused = []
        sent = []
        for failure in failures:
            try:
                queue = self._of(failure, replayer).send(failure, self._how, self._request.queue)
            except CannotReplayThis as error:
                refused.append(error)
                say(f"not sent: {failure.task} {failure.id}: {error.what}")
                continue
            sent.append({"id": failure.id, "task": failure.task, "queue": queue})
            if not self._request.as_json:
                show(f"sent {failure.task}({failure.call}) {failure.id} to {queue}")
        if self._request.as_json:
            show(verdict.dumped(sent if self._request.many else next(iter(sent), None)))
        return CANNOT if refused else 0

    def _to_test(self, replayer: Replayer, failure: Failure, path: Path) -> int:
        """Write a test that tells what it does now."""
        from devkit.replay.totest import write_test

        literals = self._of(failure, replayer).literals(failure, self._how)  # the task may take its process with it
        replayed = self._replay(replayer, failure)
        if not replayed.outcome:
            raise CannotReplay(replayed.verdict.why, mend=replayed.mend)
        write_test(literals, replayed.outcome, failure, path, with_secrets=self._request.with_secrets)
        self._tell(replayed)
        say(f"{path} is written; run it: python -m pytest {quote(str(path))}")
        return exit_code(replayed.verdict, same=self._request.same)

    def _save(self, path: Path) -> int:
        """Write the case; nothing runs."""
        from devkit.replay.case import save

        failure = self._find(self._request.failures[0])
        masked = save(failure, path, with_secrets=self._request.with_secrets)
        say(f"{path} is written; replay it: devkit replay {quote(str(path))}")
        if masked:
            say(f"masked: {', '.join(masked)}; --with-secrets writes them, too")
        return 0

    def _cannot(self, error: CannotReplay) -> int:
        """No verdict, and why."""
        why = f"cannot replay: {error.what}"
        if self._request.as_json:
            show(verdict.dumped(verdict.missing_json(" ".join(self._request.failures), error.what)))
        else:
            show(why)
        details = DevkitError(why, looked=error.looked, excerpt=error.excerpt, mend=error.mend)
        for line in error_text(details, colour=wants_colour(sys.stderr)).splitlines()[1:]:
            say(line)
        return CANNOT

    def _find(self, word: str, replayer: Replayer | None = None) -> Failure:
        """The failure of that id, or in that file. Raises CannotReplay, UsageError for what may be several."""
        try:
            if not _is_file(word):
                look = replayer.find if replayer and replayer.lent else None
                return self._known.find(word, allow_pickle=self._how.allow_pickle, look=look)
            try:
                return load(Path(word))
            except UsageError as error:  # not there: it may be in another commit
                raise CannotReplay(error.what, looked=error.looked, mend=error.mend) from error
        except Unreadable as error:
            raise CannotReplay(f"{word} cannot be read: {error}") from error
        except DevkitError as error:
            if isinstance(error, UsageError) and not isinstance(error, NoSuchFailure):
                raise  # it may be one of several
            raise CannotReplay(error.what, looked=error.looked, mend=error.mend) from error

    def _all(self) -> list[Failure]:
        task, since = self._request.task, self._request.since
        after = moment(since, time.time()) if since else 0.0
        found = self._known.newest(task or "", after, None, bodies=True)
        if self._known.unreadable:
            say(f"left out: {self._known.unreadable} records that cannot be read")
        if not found:
            say(f"no failure{f' of {task}' if task else ''}{f' since {since}' if since else ''}")
        return found

    def _replayer(self, task: str = "", saves: "Saves | None" = None) -> Replayer:
        # A debugger's terminal, and its Ctrl-C, are for a process of ours.
        loans = None if self._request.prompts else self._settings.paths.loans
        return Replayer(self._target(task), loans=loans, quiet=self._request.as_json, saves=saves)

    def _of(self, failure: Failure, replayer: Replayer) -> Replayer:
        """The replayer of the app that has the task, of which there may be several."""
        app = self._target(failure.task).app
        if app == replayer.target.app:
            return replayer
        if app not in self._others:
            self._others[app] = self._open.enter_context(closing(self._replayer(failure.task)))
        return self._others[app]

    def _target(self, task: str) -> Target:
        """Raises CannotReplay: of a commit without an app nothing can be said."""
        try:
            return self._targets(task)
        except DevkitError as error:
            raise CannotReplay(error.what, looked=error.looked, excerpt=error.excerpt, mend=error.mend) from error

    def _name_broker(self, replayer: Replayer) -> None:
        """Say where things go, if that is another machine."""
        if not is_local(replayer.broker):
            say(f"sending to {replayer.broker}, which is not on this machine")


@contextmanager
def _ctrl_c_for_pdb() -> Iterator[None]:
    """Ctrl-C is the debugger's."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(signum: int, _: object) -> None:
    raise SystemExit(128 + signum)


def _is_file(word: str) -> bool:
    """Whether it is a file's name, there or not, and no id."""
    return word.endswith(".json") or "/" in word or Path(word).is_file()
