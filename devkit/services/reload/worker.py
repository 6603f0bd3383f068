"""The Celery worker: what a generation of it runs, and the service that `devkit up` makes of `devkit worker`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from devkit.errors import UsageError
from devkit.model.wire import Keeping, WorkerOrder
from devkit.services.commands import app_in
from devkit.services.project.apps import celery_app
from devkit.settings.discover import AppRef
from devkit.settings.evidence.given import Whose
from devkit.settings.load import Settings
from devkit.settings.options import Options

# These pools patch the standard library, and have to do so before anything else is imported.
PATCHING_POOLS = ("gevent", "eventlet")
SHORT_FLAGS = "BDE"  # those of celery's worker that take no value, so that others may follow: -EB
# Celery's options that make no sense here, and why.
REFUSED = {
    "-D": "it would leave the terminal: end the command with & instead",
    "--detach": "it would leave the terminal: end the command with & instead",
    "--pidfile": "two generations run at the same time while one hands over",
    "-B": "two generations would both send the periodic tasks: celery beat, or devkit up, runs it beside",
    "--beat": "two generations would both send the periodic tasks: celery beat, or devkit up, runs it beside",
}


class WorkerPlan:
    """What `devkit worker` runs: celery's worker, with the options that were typed."""

    name: Whose = "worker"
    resumes = True
    keep: tuple[int, ...] = ()

    def __init__(self, arguments: Sequence[str]) -> None:
        """`arguments` are for celery's worker. Raises UsageError for one that cannot be had here."""
        for name, _ in _options(arguments):
            if why := REFUSED.get(name):
                raise UsageError(f"devkit worker takes no {name}: {why}")
        self._arguments = tuple(arguments)

    def preloads(self, options: Options) -> bool:
        """Whether anything may be imported before the program starts."""
        typed = _value(self._arguments, "-P", "--pool")
        return (typed or options.pool) not in PATCHING_POOLS

    def drain_s(self, options: Options) -> float:
        return options.drain_timeout

    def find_app(self, settings: Settings) -> AppRef:
        """The app set, or the one found. Raises DevkitError."""
        return celery_app(settings)

    def bind(self, settings: Settings, port: int | None) -> str:  # noqa: ARG002
        """Nothing to bind: a worker listens to nobody."""
        return ""

    def order(self, settings: Settings, app: AppRef, env: Mapping[str, str], number: int) -> WorkerOrder:
        """Which `celery worker` generation `number` is."""
        name, _, host = (_value(self._arguments, "-n", "--hostname") or "celery").partition("@")
        node = f"{name or 'celery'}.{number}@{host or '%h'}"
        quiet = ["-q"] if number > 1 else []  # the banner has been shown
        return {
            **app_in(app, env),
            "kind": "worker",
            "argv": ["-A", str(app), *quiet, "worker", *worker_options(settings.options), *self._arguments, "-n", node],
            "debug": os.fspath(settings.paths.debug),
            "root": os.fspath(settings.root),
            "failures": failures_order(settings),
        }


def failures_order(settings: Settings) -> Keeping:
    """How a worker keeps what fails: the folder for an app without a Redis, and how much."""
    options = settings.options
    limits = [options.failures_count, options.failures_days, options.failures_mb]
    return {"folder": os.fspath(settings.paths.failures), "limits": limits}


def worker_options(options: Options) -> list[str]:
    """Events are on, for Flower; mingle and gossip, which wait for other workers, are off: here is only one."""
    found = ["-l", "INFO", "-E", "--without-mingle", "--without-gossip"]
    for flag, value in (("-c", options.concurrency), ("-P", options.pool), ("-Q", options.queues)):
        if value is not None:
            found += [flag, str(value)]
    return found


def _value(arguments: Sequence[str], *names: str) -> str:
    """The value of an option among arguments that are not ours to parse; the last one counts, as with click."""
    return next((value for name, value in reversed(list(_options(arguments))) if name in names), "")


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option with what may be its value: `-En mailer`, `-nmailer`, `--hostname=mailer`, `--hostname mailer`."""
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        if argument.startswith("--"):
            name, given, value = argument.partition("=")
            yield name, value if given else following
        elif argument.startswith("-"):
            letters = argument[1:]
            while letters[:1] in SHORT_FLAGS and letters:
                yield f"-{letters[0]}", ""
                letters = letters[1:]
            if letters:
                yield f"-{letters[0]}", letters[1:] or following
