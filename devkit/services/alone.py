"""One stack a data folder: whoever starts one holds its lock for as long as it runs; the others find it by that."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from devkit.errors import DevkitError
from devkit.model.private import check_data, check_runtime, make_runtime
from devkit.settings.load import Settings
from devkit.settings.paths import Paths, make_data
from devkit.stack import lock


def where_it_runs(settings: Settings) -> Settings:
    """The settings with the running stack's folder for sockets, whatever the environment says now.

    Raises DevkitError for folders that are not this user's, and where another project's stack has the data.
    """
    paths = settings.paths
    check_data(paths.data, settings.root)
    holder = lock.StackLock(paths.data).holder()
    if holder and holder.is_here and not holder.serves(settings.root):
        raise someone_elses(holder, paths)
    if holder and holder.is_here and holder.runtime:
        paths = replace(paths, runtime=Path(holder.runtime))
    check_runtime(paths.runtime)
    return replace(settings, paths=paths)


def lock_of(paths: Paths) -> lock.StackLock:
    """The lock that the project's stack holds."""
    return lock.StackLock(paths.data, paths.runtime)


def make_private(settings: Settings) -> None:
    """Create the data folder. Raises DevkitError where that is not possible, or where another user was quicker."""
    make_data(settings.paths)
    check_data(settings.paths.data, settings.root)


@contextmanager
def only_stack(settings: Settings) -> Iterator[list[str]]:
    """Yields the names of services that a crash had left running, and that are ended now.

    Raises DevkitError where a stack runs already with the project's data.
    """
    paths = settings.paths
    make_private(settings)
    make_runtime(paths.runtime)
    held = lock_of(paths)
    while not held.acquire(settings.root, paths.runtime):
        refuse_second(settings)
    try:
        yield lock.clean_up(paths.data, paths.runtime.name)
    finally:
        held.release()


def refuse_second(settings: Settings) -> None:
    """Raises DevkitError where a stack runs already with the project's data."""
    holder = lock_of(settings.paths).holder()
    if holder and not holder.serves(settings.root):
        raise someone_elses(holder, settings.paths)
    if holder:
        raise DevkitError(
            f"a stack of this project runs already ({holder})",
            mend=["see it: devkit status", "stop it: devkit down"],
        )


def someone_elses(holder: lock.Holder, paths: Paths) -> DevkitError:
    """The error where what runs with the project's data is not to be reached from here."""
    return DevkitError(
        f"the stack of {holder.project} ({holder}) has the data folder {paths.data}",
        mend=["stop it there: devkit down", "or keep this one's data elsewhere: DEVKIT_DATA_DIR=/some/folder"],
    )
