"""Notices changed files: the kernel's events say where to look, a look at the content says what changed."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Protocol

from devkit.reload.tree import Folders, Tree, Watched

# After an event, this long without another one ends the burst; a longer burst is looked at once in between. What
# follows while the next generation starts replaces that one, so being early costs nothing that anybody sees.
QUIET_S, BURST_S = 0.01, 0.5
# An installer works on one package after the other.
INSTALLED_QUIET_S = 1.0
# Polling takes this part of a core, and never less than this interval.
POLL_SHARE, POLL_S = 0.04, 0.3
# File systems that change without telling this kernel: shared from a host, or over the network.
SILENT = ("9p", "cifs", "drvfs", "fakeowner", "fuse", "grpcfuse", "nfs", "osxfs", "smb", "vboxsf", "virtiofs")
EVERYWHERE = ""

OnChange = Callable[[list[Path], float], None]
OnReady = Callable[[int, int, float], None]


class Watcher:
    """Watches in a thread until it is closed."""

    def __init__(
        self,
        watched: Watched,
        on_change: OnChange,
        on_ready: OnReady,
        *,
        poll: bool,
        on_trouble: Callable[[OSError], None] = lambda _: None,
    ) -> None:
        """`on_change` gets the files that changed and when the first one was noticed, on time.monotonic; `on_ready`
        the number of folders and of files, and the seconds until no change could be missed any more; `on_trouble`
        why the system refuses to tell of events (there may be no more inotify watches): it polls from then on."""
        self._began = time.monotonic()
        self._watched = watched
        self._on_change = on_change
        self._on_ready = on_ready
        self._dirty: SimpleQueue[str] = SimpleQueue()
        self._closed = Event()
        self._on_trouble = on_trouble
        self._thread = Thread(target=self._poll if poll else self._listen, name="watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; returns when `on_change` will not be called any more."""
        self._closed.set()
        self._dirty.put(EVERYWHERE)
        self._thread.join()

    def _ready(self, tree: Tree) -> None:
        self._on_ready(*tree.size, time.monotonic() - self._began)
        tree.read_all()

    def _listen(self) -> None:
        events = None
        try:
            events = events_into(self._dirty.put)
            self._follow(events)
        except OSError as error:
            self._on_trouble(error)
            self._poll()
        finally:
            if events:
                events.close()

    def _follow(self, events: "Events") -> None:
        tree = Tree(self._watched, events)
        self._ready(tree)
        while True:
            dirty, began = _burst(self._dirty, QUIET_S)
            if self._closed.is_set():
                break
            if changed := tree.all_changes() if EVERYWHERE in dirty else tree.changes(dirty):
                self._on_change(changed, began)

    def _poll(self) -> None:
        tree = Tree(self._watched)
        self._ready(tree)
        pause = POLL_S
        while not self._closed.wait(pause):
            began = time.monotonic()
            if changed := tree.all_changes():
                self._on_change(changed, began)
            pause = max(POLL_S, (time.monotonic() - began) / POLL_SHARE)


class Installed:
    """Watches what is installed in some site-packages folders; `on_change` gets the names of what changed."""

    def __init__(self, folders: Sequence[Path], on_change: Callable[[list[str], float], None]) -> None:
        self._folders = folders
        self._on_change = on_change
        self._dirty: SimpleQueue[str] = SimpleQueue()
        Thread(target=self._follow, name="watcher of packages", daemon=True).start()

    def _follow(self) -> None:
        events = events_into(self._dirty.put)
        for folder in self._folders:
            events.add(str(folder))
        before = _packages(self._folders)
        while True:
            _, began = _burst(self._dirty, INSTALLED_QUIET_S, longest=float("inf"))
            now = _packages(self._folders)
            if changed := {name.partition("-")[0] for name, _ in before ^ now}:
                self._on_change(sorted(changed), began)
            before = now


def _burst(dirty: "SimpleQueue[str]", quiet_s: float, longest: float = BURST_S) -> tuple[list[str], float]:
    """Wait for a path, and for those that follow it; returns them with the time of the first."""
    found = {dirty.get(): None}
    began = time.monotonic()
    try:
        while time.monotonic() - began < longest:
            found[dirty.get(timeout=quiet_s)] = None
    except Empty:
        pass
    return list(found), began


def _packages(folders: Iterable[Path]) -> frozenset[tuple[str, int]]:
    """What is installed there: the names of the metadata, and when they changed."""
    found: set[tuple[str, int]] = set()
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                found |= {
                    (entry.name, entry.stat().st_mtime_ns)
                    for entry in entries
                    if entry.name.endswith((".dist-info", ".egg-info", ".pth", ".egg-link"))
                }
        except OSError:
            continue
    return frozenset(found)


def gives_no_events(folder: Path) -> bool:
    """Whether this folder may change without the kernel's knowing: a bind mount from a host, a share."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return False
    deepest, kind = Path("/"), ""
    for mount in mounts:
        left, _, right = mount.partition(" - ")
        point = Path(left.split()[4].replace("\\040", " "))
        if folder.resolve().is_relative_to(point) and point.is_relative_to(deepest):
            deepest, kind = point, right.split()[0]
    return kind.startswith(SILENT)


class Events(Folders, Protocol):
    """Listens to folders, and puts the paths at which something may have changed."""

    def close(self) -> None: ...


def events_into(put: Callable[[str], None]) -> Events:
    """The kind of events that this system has. EVERYWHERE is put when some were lost."""
    return _Inotify(put) if sys.platform == "linux" else _Observer(put)


class _Inotify:
    """One watch for each folder that matters, on watchdog's inotify; its recursive watch takes in all others."""

    def __init__(self, put: Callable[[str], None]) -> None:
        from watchdog.observers.inotify_c import InotifyConstants as Kind
        from watchdog.observers.inotify_c import InotifyFD

        self.put = put
        # A file counts once whoever wrote it has closed it, not while it is half written.
        self.written = Kind.IN_CLOSE_WRITE | Kind.IN_MOVED_TO | Kind.IN_MOVED_FROM | Kind.IN_DELETE
        self._mask = self.written | Kind.IN_CREATE | Kind.IN_ONLYDIR
        self._inotify: Any = InotifyFD()
        self._inotify.start()
        self._watches: dict[str, tuple[int, int]] = {}
        self._next = 0

    def add(self, folder: str) -> None:
        self.remove(folder)
        self._next += 1
        callback = _Folder(self, folder)
        try:
            wd = self._inotify.add_callback(os.fsencode(folder), self._mask, callback, self._next)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        self._watches[folder] = (wd, self._next)

    def remove(self, folder: str) -> None:
        if watch := self._watches.pop(folder, None):
            self._inotify.remove_callbacks([watch])

    def close(self) -> None:
        self._inotify.stop()
        self._inotify.join()


class _Folder:
    """One folder's events, as `watchdog.observers.inotify_c.WatchCallback` describes them."""

    def __init__(self, events: _Inotify, folder: str) -> None:
        self._events = events
        self._folder = folder

    def on_event(self, event: Any) -> None:
        path = os.path.join(self._folder, os.fsdecode(event.name))  # noqa: PTH118 - bytes that are no text stay
        # A new file will be written and closed; a folder or a link is all there.
        if event.mask & self._events.written or os.path.islink(path) or os.path.isdir(path):  # noqa: PTH112, PTH114
            self._events.put(path)

    def on_watch_deleted(self, wd: int) -> None:
        """The folder itself is gone: its parent says so."""

    def on_queue_overflow(self) -> None:
        self._events.put(EVERYWHERE)


class _Observer:
    """watchdog's observer, where a watch takes in all below it for free: each root gets one."""

    def __init__(self, put: Callable[[str], None]) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in ("created", "modified", "closed", "moved", "deleted"):
                    for path in (event.src_path, event.dest_path):
                        if path:
                            put(os.fsdecode(path))

        self._handler = Handler()
        self._observer = Observer()
        self._observer.start()
        self._roots: list[str] = []

    def add(self, folder: str) -> None:
        if not any(f"{folder}/".startswith(f"{root}/") for root in self._roots):
            self._roots.append(folder)
            self._observer.schedule(self._handler, folder, recursive=True)

    def remove(self, folder: str) -> None:
        """Nothing: events from where nothing is watched find nothing."""

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()
