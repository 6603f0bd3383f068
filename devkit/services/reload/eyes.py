"""What is watched for a reload: the project's folders, its settings, and where packages are installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from devkit.errors import DevkitError
from devkit.reload.messages import Changed, Inbox, Reinstalled
from devkit.settings.discover import AppRef
from devkit.settings.load import Settings


class Voice(Protocol):
    """Tells people what happens; every method returns at once."""

    def notice(self, text: str) -> None: ...
    def problem(self, error: DevkitError) -> None: ...
    def detail(self, text: str) -> None: ...


class Eyes:
    """`devkit.reload.program.Surroundings`: the watchers, which are set up anew when more is to be watched."""

    def __init__(self, settings: Settings, app: AppRef, inbox: Inbox, learned: Path, voice: Voice) -> None:
        self._settings = settings
        self._roots = list(dict.fromkeys([settings.root, app.folder.resolve()]))
        self._files = list(settings_files(settings))
        self._inbox = inbox
        self._learned = learned
        self._voice = voice
        self._watcher: Any = None
        self._installed: set[str] = set()
        if settings.options.reload:
            self._watch()

    def _watch(self) -> None:
        from devkit.reload.tree import Watched
        from devkit.reload.watch import Watcher, gives_no_events

        options, before = self._settings.options, self._watcher
        poll = gives_no_events(self._settings.root) if options.poll is None else options.poll
        globs = [glob.strip() for glob in (options.watch or "").split(",") if glob.strip()]

        def ready(folders: int, files: int, took_s: float) -> None:
            how = " by polling" if poll else ""
            self._voice.detail(f"watching {folders} folders, {files} files after {took_s:.3f} s{how}")
            if before:
                before.close()  # not earlier: nothing may change unseen

        self._watcher = Watcher(
            Watched(tuple(outermost(self._roots)), tuple(self._files), tuple(globs)),
            lambda paths, at: self._inbox.put(Changed(tuple(paths), at)),
            ready,
            poll=poll,
            on_trouble=lambda error: self._voice.notice(f"{error.strerror}: looking for changes at intervals instead"),
        )

    def renew(self, settings: Settings) -> None:
        """Watch what the settings say now."""
        before, self._settings = self._settings, settings
        self._files = [path for path in self._files if path not in settings_files(before)]
        self._files += settings_files(settings)
        if self._watcher:
            self._watch()

    def sources(self, paths: Sequence[str]) -> None:
        """Code of the user's that lies outside the project: a package installed editable."""
        new = [Path(path) for path in paths]
        new = [path for path in new if not any(path.is_relative_to(known) for known in [*self._roots, *self._files])]
        if self._watcher and new:
            self._roots += [path for path in new if path.is_dir()]
            self._files += [path for path in new if not path.is_dir()]
            self._watch()

    def installed(self, folders: Sequence[str]) -> None:
        """Where packages are installed."""
        from devkit.reload.watch import Installed

        new = [Path(folder) for folder in folders if folder not in self._installed]
        if self._watcher and new:
            self._installed |= set(folders)
            Installed(new, self._reinstalled)

    def _reinstalled(self, names: list[str], at: float) -> None:
        self._learned.unlink(missing_ok=True)  # what could not be imported before may be now, and the other way round
        self._inbox.put(Reinstalled(tuple(names), at))


def settings_files(settings: Settings) -> tuple[Path, ...]:
    """The files, there or not, whose change changes the settings."""
    return (settings.root / ".env", settings.root / "pyproject.toml", *settings.env_files)


def outermost(folders: Sequence[Path]) -> list[Path]:
    """Without those that lie in others of them."""
    return [folder for folder in folders if not any(folder != other and other in folder.parents for other in folders)]
