"""The Celery worker: what a generation of it runs, and the service that `devkit up` makes of `devkit worker`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from devkit.errors import UsageError
from devkit.model.wire import Keeping, ServiceOrder, WorkerOrder, WorkerPart
from devkit.services.commands import app_in
from devkit.services.project.programs import consume_of, find_workers, named, options_of, part_of
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

    kind: Whose = "worker"
    resumes = True
    keep: tuple[int, ...] = ()

    def __init__(self, arguments: Sequence[str], name: str = "") -> None:
        """`arguments` are for celery's worker; `name` is which one it is, empty for the first. Raises UsageError for
        what cannot be had here."""
        for option, _ in _options(arguments):
            if why := REFUSED.get(option):
                raise UsageError(f"devkit worker takes no {option}: {why}")
        self._arguments = tuple(arguments)
        self.name = name
        self._part: WorkerPart = {
            "name": name, "first": not name, "queues": None, "concurrency": None, "leftovers": True, "besides": [],
        }  # fmt: skip

    def preloads(self, settings: Settings) -> bool:
        """Whether anything may be imported before the program starts."""
        typed = _value(self._arguments, "-P", "--pool")
        return (typed or options_of(settings, self._part).pool) not in PATCHING_POOLS

    def drain_s(self, options: Options) -> float:
        return options.drain_timeout

    def take(self, order: ServiceOrder) -> None:
        """Who ordered this knows the others."""
        self._part = order["worker"]

    def find_app(self, settings: Settings) -> AppRef:
        """The app set, or the one found. Raises DevkitError."""
        workers = find_workers(settings)
        place = named(workers, self.name)
        self._part = part_of(settings, workers, place)
        return workers[place].app

    def bind(self, settings: Settings, port: int | None) -> str:  # noqa: ARG002
        """Nothing to bind: a worker listens to nobody."""
        return ""

    def order(self, settings: Settings, app: AppRef, env: Mapping[str, str], number: int) -> WorkerOrder:
        """Which `celery worker` generation `number` is."""
        usual = self.name or "celery"
        name, _, host = (_value(self._arguments, "-n", "--hostname") or usual).partition("@")
        node = f"{name or usual}.{number}@{host or '%h'}"
        quiet = ["-q"] if number > 1 else []  # the banner has been shown
        options = options_of(settings, self._part)
        typed = _value(self._arguments, "-Q", "--queues")
        return {
            **app_in(app, env),
            "kind": "worker",
            "argv": ["-A", str(app), *quiet, "worker", *worker_options(options), *self._arguments, "-n", node],
            "consume": None if typed else consume_of(options, self._part),
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
    """Events are on, for Flower; mingle and gossip, which wait for other workers, are off."""
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
