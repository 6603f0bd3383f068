"""Tells when the project's code was saved, to whoever waits for it with select."""

import os
from pathlib import Path

from devkit.reload.tree import Watched
from devkit.reload.watch import Watcher, gives_no_events
from devkit.services.reload.eyes import outermost
from devkit.settings.load import Settings

CHUNK = 4096


class Saves:
    """Readable when a file of the project's, or one that the settings say to watch, was changed."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """`folder` is the app's; returns once no change can be missed."""
        options = settings.options
        self._read, self._write = os.pipe()
        ready, is_ready = os.pipe()
        globs = tuple(glob.strip() for glob in (options.watch or "").split(",") if glob.strip())
        roots = outermost(list(dict.fromkeys([settings.root, folder.resolve()])))
        self._watcher = Watcher(
            Watched(tuple(roots), (), globs),
            lambda paths, _: self._changed(paths),
            lambda *_: os.close(is_ready),
            poll=gives_no_events(settings.root) if options.poll is None else options.poll,
        )
        os.read(ready, 1)
        os.close(ready)

    def fileno(self) -> int:
        """For select."""
        return self._read

    def wait(self) -> str:
        """Wait for a save; returns the name of what was saved first."""
        return os.read(self._read, CHUNK).decode(errors="surrogateescape").partition("\n")[0]

    def close(self) -> None:
        """Watch no more."""
        self._watcher.close()
        os.close(self._read)
        os.close(self._write)

    def _changed(self, paths: list[Path]) -> None:
        os.write(self._write, os.fsencode(paths[0].name) + b"\n")
