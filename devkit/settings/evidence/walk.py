"""One walk through a project: its Python files, and those that by their names may tell how it is run."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_IGNORED = frozenset(("venv", "node_modules", "__pycache__", "build", "dist", "site-packages"))
_ENVIRONMENT = frozenset(("pyvenv.cfg", "conda-meta"))
_ASIDE = frozenset(("test", "tests", "doc", "docs", "example", "examples", "benchmark", "benchmarks"))
# Hidden folders with launch files that are committed; their Python files are not the project's.
_HIDDEN = frozenset((".vscode", ".run", ".idea", "runConfigurations", ".devcontainer", ".docker"))
_ENDINGS = frozenset(
    (
        *("", "bash", "bat", "cfg", "cmd", "conf", "env", "ini", "json", "just", "md", "mk", "ps1"),
        *("rst", "service", "sh", "toml", "txt", "xml", "yaml", "yml", "zsh"),
    )
)
_NAMES = ("dockerfile", "containerfile", "procfile", "makefile", "readme", ".env", "env.")
_JSON = frozenset(("launch.json", "tasks.json", "package.json"))


@dataclass(frozen=True, eq=False)
class Tree:
    """The files of a project, as plain strings: thousands of them, of which a handful matter."""

    root: Path
    python: tuple[str, ...]
    launch: tuple[str, ...]  # compose files, Dockerfiles, scripts, texts

    def depth(self, file: Path) -> int:
        """How many folders lie between the project's and the file, downwards or upwards."""
        if self.has(file):
            return str(file).count(os.sep) - str(self.root).count(os.sep) - 1
        return len(self.root.relative_to(file.parent).parts) if self.root.is_relative_to(file.parent) else 99

    def is_aside(self, file: Path) -> bool:
        """Whether it lies among tests, examples or documentation."""
        return self.has(file) and not _ASIDE.isdisjoint(file.parts[len(self.root.parts) : -1])

    def has(self, file: Path) -> bool:
        """Whether it lies in the project's folder or below it."""
        return str(file).startswith(f"{str(self.root).rstrip(os.sep)}{os.sep}")


@cache  # all that is asked of a project shares one walk
def walk(root: Path) -> Tree:
    """The files in this folder. Links to folders are not followed: they lead out of it, or round in circles."""
    python: list[str] = []
    launch: list[str] = []
    todo = [str(root)]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as listing:
                # A name that cannot be printed nobody can type, and a terminal may obey it.
                entries = [entry for entry in listing if entry.name.isprintable()]
        except OSError:  # a database's, say, in a folder of its own user
            continue
        if folder != str(root) and not _ENVIRONMENT.isdisjoint(entry.name for entry in entries):
            continue
        hidden = os.path.basename(folder) in _HIDDEN  # noqa: PTH119 - a Path costs ten times as much
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if name in _HIDDEN or not is_ignored(name):
                    todo.append(entry.path)
            elif name.endswith(".py"):
                if "." not in name[:-3] and not hidden and _is_file(entry):
                    python.append(entry.path)
            elif may_tell(name) and _is_file(entry):
                launch.append(entry.path)
    return Tree(root, tuple(sorted(python)), tuple(sorted(launch)))


def is_ignored(folder: str) -> bool:
    """Whether a folder of this name is not the project's own."""
    return folder.startswith(".") or folder in _IGNORED


def may_tell(name: str) -> bool:
    """Whether a file of this name may tell how a project is run."""
    stem, dot, ending = name.rpartition(".")
    if not dot or (ending in _ENDINGS and stem):
        return ending != "json" or name in _JSON
    return name.lower().startswith(_NAMES) or ending.lower() in ("dockerfile", "containerfile")


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def above(root: Path) -> tuple[Path, ...]:
    """The folders above the project's in its repository, the nearest first; where it is in none, the one above it."""
    if (root / ".git").exists():
        return ()
    tops = (place for place, folder in enumerate(root.parents) if (folder / ".git").exists())
    return tuple(root.parents)[: next(tops, 0) + 1]
