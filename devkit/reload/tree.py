"""What a project's files hold now, and what changed since the last look.

Content decides: a file that was touched, or rewritten with the same bytes, has not changed. A look at the file's
status tells which contents are worth reading.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from pathspec import GitIgnoreSpec

from devkit.model.own import ENVIRONMENT, is_environment

# Never looked into, whatever .gitignore says.
IGNORED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".eggs",
        ".mypy_cache", ".pytest_cache", ".ruff_cache", ".idea", ".vscode", ".devkit",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """What is to be watched: the Python files under `roots`, the files under them that match `globs` (relative to
    their root, as in .gitignore), and `files` anywhere."""

    roots: tuple[Path, ...]
    files: tuple[Path, ...] = ()
    globs: tuple[str, ...] = ()


@dataclass
class _Seen:
    """A file at the last look; `digest` is None until its content had to be read."""

    status: tuple[int, ...]
    digest: bytes | None


class Folders(Protocol):
    """Whoever wants to know which folders hold watched files, to listen to their events."""

    def add(self, folder: str) -> None: ...
    def remove(self, folder: str) -> None: ...


class Tree:
    """The watched files."""

    def __init__(self, watched: Watched, folders: Folders | None = None) -> None:
        """`folders` hears of each folder before it is looked into, so that no change falls in between."""
        self._listener = folders
        self._globs = GitIgnoreSpec.from_lines(watched.globs) if watched.globs else None
        self._roots = [os.path.realpath(root) for root in watched.roots]
        self._files = {os.path.abspath(file) for file in watched.files}
        self._seen: dict[str, _Seen] = {}
        self._inside: dict[str, set[str]] = {}  # a folder's files
        self._ignored: dict[str, GitIgnoreSpec] = {}  # the .gitignore of a folder
        self._followed: dict[str, str] = {}  # the link to each folder outside that one leads to
        for root in self._roots:
            self._walk(root, self._note)
        for file in self._files:
            self._enter(os.path.dirname(file))
            self._note(file)

    @property
    def size(self) -> tuple[int, int]:
        """The number of folders and of files."""
        return len(self._inside), len(self._seen)

    def read_all(self) -> None:
        """Read every file's content, so that a later look can compare. Takes some 20 µs a file."""
        for path, seen in list(self._seen.items()):
            if seen.digest is None:
                seen.digest = _digest(path)

    def changes(self, dirty: Iterable[str]) -> list[Path]:
        """What changed at these paths, files or folders, since the last look."""
        changed: list[str] = []
        for path in dirty:
            if os.path.basename(path) == ".gitignore" and os.path.dirname(path) in self._inside:
                self._ignore_anew(os.path.dirname(path))
            if os.path.basename(path) in ENVIRONMENT and os.path.dirname(path) not in self._roots:
                self._forget(os.path.dirname(path))
            if os.path.isdir(path):
                if path in self._roots or (os.path.dirname(path) in self._inside and self._may_enter(path)):
                    changed += self._walk(path, self._look)
            elif path in self._inside:
                changed += self._forget(path)
            elif self._wants(path):
                changed += [path] * self._look(path)
        return [Path(path) for path in dict.fromkeys(changed)]

    def all_changes(self) -> list[Path]:
        """What changed anywhere since the last look."""
        gone = [folder for folder in self._inside if not os.path.isdir(folder)]
        return self.changes([*self._roots, *self._files, *gone])

    def _walk(self, folder: str, visit: Callable[[str], bool]) -> list[str]:
        """Visit every wanted file in a folder, and those that were there; returns those that `visit` is true for."""
        self._enter(folder)
        entries = _entries(folder)
        if any(entry.name == ".gitignore" for entry in entries):
            self._read_gitignore(folder)
        else:
            self._ignored.pop(folder, None)
        found = []
        for entry in entries:
            if _is_dir(entry):
                if self._may_enter(entry.path):
                    found += self._walk(entry.path, visit)
            elif self._wants(entry.path) and visit(entry.path):
                found.append(entry.path)
        there = {entry.path for entry in entries}
        gone = [path for path in self._inside.get(folder, ()) if path not in there]
        return found + [path for path in gone if visit(path)]

    def _enter(self, folder: str) -> None:
        self._inside.setdefault(folder, set())
        if self._listener:
            self._listener.add(folder)

    def _read_gitignore(self, folder: str) -> None:
        try:
            lines = Path(folder, ".gitignore").read_text(errors="replace").splitlines()
            self._ignored[folder] = GitIgnoreSpec.from_lines(lines)
        except (OSError, ValueError):  # not readable, or no pattern: git would say so
            self._ignored.pop(folder, None)

    def _may_enter(self, folder: str) -> bool:
        """Whether a folder below a root is to be watched; folders on the way to it are known to be."""
        parent, name = os.path.split(folder)
        if name in IGNORED_FOLDERS or is_environment(folder):
            return False
        if os.path.islink(folder) and not self._may_follow(folder):
            return False
        while parent:  # the nearest .gitignore that has a say decides
            spec = self._ignored.get(parent)
            verdict = spec.check_file(f"{folder[len(parent) + 1 :]}/").include if spec else None
            if verdict is not None:
                return not verdict
            if parent in self._roots:
                return True
            parent = os.path.dirname(parent) if parent != os.path.dirname(parent) else ""
        return False

    def _may_follow(self, link: str) -> bool:
        """Not into what is watched anyway, nor twice to the same place."""
        target = os.path.realpath(link)
        if any(f"{target}/".startswith(f"{root}/") or f"{root}/".startswith(f"{target}/") for root in self._roots):
            return False
        return self._followed.setdefault(target, link) == link

    def _ignore_anew(self, folder: str) -> None:
        """A .gitignore has changed: that changes what is watched, but no code."""
        self._read_gitignore(folder)
        for inside in [path for path in self._inside if path.startswith(f"{folder}/")]:
            if inside in self._inside and inside not in self._roots and not self._may_enter(inside):
                self._forget(inside)
        self._walk(folder, lambda path: path not in self._seen and self._note(path))

    def _wants(self, path: str) -> bool:
        if path in self._files:
            return True
        root = next((root for root in self._roots if path.startswith(root + os.sep)), None)
        if root is None or os.path.dirname(path) not in self._inside:
            return False
        if path.endswith(".py"):
            return True
        return self._globs is not None and self._globs.match_file(path[len(root) + 1 :])

    def _note(self, path: str) -> bool:
        """See a file for the first time; its content is read later, or when it changes."""
        if status := _status(path):
            self._keep(path, _Seen(status, None))
        return False

    def _look(self, path: str) -> bool:
        """Look at a file again; whether its content changed."""
        before = self._seen.get(path)
        status = _status(path)
        if not status:
            self._drop(path)
            return before is not None
        if before and before.status == status:
            return False
        digest = _digest(path)
        self._keep(path, _Seen(status, digest))
        return before is None or before.digest != digest

    def _keep(self, path: str, seen: _Seen) -> None:
        self._seen[path] = seen
        if os.path.dirname(path) not in self._inside:  # that of a single file; it was gone for a while
            self._enter(os.path.dirname(path))
        self._inside[os.path.dirname(path)].add(path)

    def _drop(self, path: str) -> None:
        if self._seen.pop(path, None):
            self._inside[os.path.dirname(path)].discard(path)

    def _forget(self, folder: str) -> list[str]:
        """A folder is gone, and all in it."""
        gone: list[str] = []
        for other in [other for other in self._inside if f"{other}/".startswith(f"{folder}/")]:
            files = self._inside.pop(other)
            gone += files
            for path in files:
                self._seen.pop(path, None)
            if self._listener:
                self._listener.remove(other)
        return sorted(gone)


def _entries(folder: str) -> Sequence["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:  # gone, or not to be read
        return []


def _status(path: str) -> tuple[int, ...]:
    """What cannot stay the same when the content changes; empty where there is no such file."""
    try:
        found = os.stat(path)  # through links: what they lead to is what is imported
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _digest(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return blake2b(file.read(), digest_size=16).digest()
    except OSError:
        return b""


def _is_dir(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
