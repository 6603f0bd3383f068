"""What `devkit worker` and `devkit api` need in a container: a file that says they are ready, and a place for data."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from devkit.errors import DevkitError, UsageError
from devkit.model.container import in_container
from devkit.model.private import make_runtime
from devkit.services.alone import make_private
from devkit.settings.load import Settings
from devkit.settings.paths import make_data


class ReadyFile:
    """A file that is there as long as a generation is live: to look for it costs a health check next to nothing."""

    def __init__(self, path: str | None) -> None:
        """Removes what an earlier run left behind. Raises UsageError where there can be no such file."""
        self._path = Path(path) if path else None
        self._there = False
        try:
            if self._path:
                self._path.touch()
                self._path.unlink()
        except OSError as error:
            raise UsageError(f"cannot make {path}: {error.strerror}", mend=["correct --ready-file FILE"]) from error

    def show(self, *, there: bool) -> None:
        """Make it or remove it, where that changes anything."""
        if self._path and there != self._there:
            with suppress(OSError):
                self._path.touch() if there else self._path.unlink(missing_ok=True)
            self._there = there


def with_data(load: Callable[[], Settings], notice: Callable[[str], None]) -> Callable[[], Settings]:
    """Make the data folder; in a container whose user cannot write to it, take a private one in its place.

    Returns what reads the settings as they are then. Raises DevkitError.
    """
    settings = load()
    paths = settings.paths
    try:
        make_private(settings)
    except DevkitError as error:
        if not in_container():
            raise
        make_runtime(paths.runtime)
        own = replace(paths, data=paths.runtime / "data")
        make_data(own)
        notice(f"{error.what}; data is in {own.data}, where only this container sees it")
        return lambda: replace(load(), paths=own)
    return load
