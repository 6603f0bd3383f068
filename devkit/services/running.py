"""The project's stack as every command but `up` meets it: as processes of this machine, or in containers."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus, StackStatus
from devkit.services.alone import lock_of, someone_elses
from devkit.services.compose.found import end_composed, find_composed
from devkit.services.compose.printed import PrintedInContainers
from devkit.services.stack.containers import stop_left
from devkit.services.stack.printed import PrintedHere
from devkit.services.stack.running import StackHere
from devkit.settings.load import Settings
from devkit.stack.control import ask, ask_status
from devkit.stack.lock import clean_up
from devkit.stack.logfile import Line

STOPS_IN_S = 60.0
POLL_S = 0.05


class RunningStack(Protocol):
    """The stack, which ran when it was found."""

    @property
    def status(self) -> StackStatus:
        """How it stood then."""

    def restart(self, names: Sequence[str]) -> Sequence[ServiceStatus]:
        """Stop these services, start them again, and wait until they are ready; returns how they stand.

        Raises UsageError for a service that there is not, DevkitError for one that does not become ready.
        """


class Printed(Protocol):
    """What the services of these names print."""

    names: list[str]

    def past(self, last: int | None) -> Iterable[Line]:
        """What there is, in the order of time, at most the `last` lines of each."""

    def coming(self) -> Iterable[Line]:
        """What comes then, until no stack runs any more."""

    def close(self) -> None:
        """Read no more."""


@dataclass(frozen=True)
class TakenDown:
    """What `take_down` did: whether a stack ran, what a crash had left, which containers and volumes there are."""

    stopped: bool
    left: Sequence[str]
    containers: Sequence[str]
    volumes: Sequence[str]


def find_running(settings: Settings) -> RunningStack | None:
    """The stack that runs, whoever started it. Raises DevkitError for one of another version."""
    if status := ask_status(settings.paths.socket):
        return StackHere(settings.paths.socket, status)
    stack = find_composed(settings)
    return stack if stack and stack.running else None


def find_printed(settings: Settings, names: Sequence[str]) -> Printed:
    """What these services print, or all, also those of a stack that has stopped. Raises UsageError."""
    since = settings.paths.last_start()
    if lock_of(settings.paths).holder() is None:  # else devkit keeps what they print, also in containers
        stack = find_composed(settings)
        if stack and max(one.started_at for one in stack.containers) > since:
            return PrintedInContainers(stack, names)
    return PrintedHere(settings.paths, names, since)


def take_down(settings: Settings) -> TakenDown:
    """Stop the stack, and end all that is left of one. Raises DevkitError for what does not end."""
    only_one, paths = lock_of(settings.paths), settings.paths
    left: list[str] = []
    watched = False
    if first := only_one.acquire(settings.root, paths.runtime):
        left = clean_up(paths.data, paths.runtime.name)
        left += stop_left(paths, settings.environ)
        for one in (paths.socket, paths.loans):
            one.unlink(missing_ok=True)
        only_one.release()
    else:
        watched = _stop(settings)
    ended, volumes = end_composed(settings)
    return TakenDown(not first, left, ended, volumes if ended or watched else [])


def _stop(settings: Settings) -> bool:
    """Ask the stack to stop, and wait until it has; returns whether it ran in containers. Raises DevkitError."""
    paths, running = settings.paths, lock_of(settings.paths)
    if (holder := running.holder()) is None:
        return False  # it has just ended
    if not holder.serves(settings.root):
        raise someone_elses(holder, paths)
    deadline = time.monotonic() + STOPS_IN_S
    in_containers = False
    # A stack that is just being assembled does not answer yet.
    while ask(paths.socket, ask="stop") is None and not in_containers:
        in_containers = ask(paths.containers_socket, ask="stop") is not None
        if running.holder() is None or time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    if not running.wait_until_free(deadline - time.monotonic()):
        raise DevkitError(
            f"the stack ({holder}) has not stopped in {STOPS_IN_S:g} s",
            mend=[
                "see what still runs: devkit status",
                *([f"kill it, its services follow: kill -9 {holder.pid}"] if holder.pid else []),  # 0: has not said it
            ],
        )
    return in_containers
