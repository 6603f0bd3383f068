"""One stack per project: whoever starts one holds the project's lock for as long as it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from devkit.errors import DevkitError
from devkit.settings.paths import Paths, make_data, make_private
from devkit.stack import lock


@contextmanager
def only_stack(paths: Paths) -> Iterator[list[str]]:
    """Yields the names of services that a crash had left running, and that are ended now.

    Raises DevkitError where a stack of the project runs already.
    """
    make_data(paths)
    make_private(paths.runtime)
    held = lock.StackLock(paths.runtime)
    if not held.acquire():
        raise DevkitError(
            f"a stack of this project runs already (pid {held.holder()})",
            mend=["see it: devkit status", "stop it: devkit down"],
        )
    try:
        yield lock.clean_up(paths.runtime, paths.runtime.name)
    finally:
        held.release()
