"""One stack per project: whoever starts one holds the project's lock for as long as it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from devkit.errors import DevkitError
from devkit.model.private import check_data, check_runtime, make_runtime
from devkit.settings.load import Settings
from devkit.settings.paths import Paths, make_data, paths_for
from devkit.stack import lock


def find_paths(settings: Settings, environ: Mapping[str, str]) -> Paths:
    """The project's folders. Raises DevkitError for those that are not this user's."""
    paths = paths_for(settings.root, settings.options.data_dir, environ)
    check_data(paths.data, settings.root)
    check_runtime(paths.runtime)
    return paths


@contextmanager
def only_stack(paths: Paths) -> Iterator[list[str]]:
    """Yields the names of services that a crash had left running, and that are ended now.

    Raises DevkitError where a stack of the project runs already.
    """
    make_data(paths)
    make_runtime(paths.runtime)
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
