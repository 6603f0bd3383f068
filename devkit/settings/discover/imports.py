"""From an import statement to the file of the project's that it means."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from devkit.settings.discover.kinds import KINDS

# A module of the project's of such a name would hide the library, so it is never what is meant.
LIBRARIES = frozenset(kind.package for kind in KINDS)


# Statements at a file's outermost level; those within functions run later, if ever.
_IMPORTS = re.compile(
    rb"^from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n(]*))|^import[ \t]+([^\n]+)", re.MULTILINE
)
_NAME = re.compile(rb"([\w.]+|\*)(?:[ \t]+as[ \t]+\w+)?")


def imports_in(content: bytes) -> Iterator[tuple[str, int, list[str]]]:
    """What a file imports when it is imported itself: the module, how many dots, and the names from it."""
    for dots, module, several, one, plain in _IMPORTS.findall(content):
        names = [name.decode() for name in _NAME.findall(plain or several or one)]
        if plain:
            yield from ((name, 0, []) for name in names)
        else:
            yield module.decode(), len(dots), names


class Finder:
    """Where the modules of one project lie; `roots` are further folders to import from."""

    def __init__(self, root: Path, roots: Sequence[Path] = ()) -> None:
        self.root = root
        self._roots = (root, root / "src", *roots)
        self._at: dict[tuple[Path, str], Path | None] = {}
        self._folders: dict[Path, list[Path]] = {}

    def absolute(self, file: Path, module: str, level: int) -> tuple[Path | None, str]:
        """The folder that a relative import starts from, None for an absolute one, and the module's name from there."""
        return (file.parents[min(level, len(file.parents)) - 1] if level else None), module

    def find(self, file: Path, module: str) -> tuple[Path, Path | None] | None:
        """The folder from which `file` imports this module, and its own file; None if it is not the project's."""
        if module.partition(".")[0] in LIBRARIES:
            return None
        for folder in self.folders(file):
            path = self.at(folder, module)
            if path != file and (path or self.is_folder(folder, module)):
                return folder, path
        return None

    def files(self, file: Path, module: str, level: int, names: Iterable[str]) -> Iterator[tuple[Path | None, Path]]:
        """The files that an import statement in `file` needs: the module's, and those of the names that are modules.

        Each with the folder that it is found from; None for a relative import, which needs none.
        """
        near, _ = self.absolute(file, module, level)
        if near is None:
            place = self.find(file, module)
            if place is None:
                return
            near, path = place
        else:
            path = self.at(near, module)
        root = None if level else near
        if path:
            yield root, path
        for name in names:
            if name.isidentifier() and (below := self.at(near, f"{module}.{name}" if module else name)):
                yield root, below

    def at(self, folder: Path, module: str) -> Path | None:
        """The file of a module when `folder` is on `sys.path`; no name stands for the folder as a package."""
        key = (folder, module)
        if key not in self._at:
            if module:
                self._at[key] = locate(folder, module)
            else:
                package = folder / "__init__.py"
                self._at[key] = package if package.is_file() else None
        return self._at[key]

    def is_folder(self, folder: Path, module: str) -> bool:
        """Whether the module is a package without __init__.py."""
        return folder.joinpath(*module.split(".")).is_dir()

    def folders(self, file: Path) -> list[Path]:
        """Those from which the imports of this file may work, the likeliest first."""
        if file.parent not in self._folders:
            self._folders[file.parent] = list(dict.fromkeys(self._around(file.parent)))
        return self._folders[file.parent]

    def _around(self, folder: Path) -> Iterator[Path]:
        base = package_root(folder)
        yield base
        yield from (above for above in base.parents if above.is_relative_to(self.root))
        yield folder  # a script's own
        yield from self._roots


def dotted(file: Path, folder: Path) -> str:
    """The name that imports the file when `folder` is on `sys.path`."""
    *package, name = file.relative_to(folder).with_suffix("").parts
    return ".".join(package if name == "__init__" and package else [*package, name])


def locate(folder: Path, module: str) -> Path | None:
    """The file that this name imports when `folder` is on `sys.path`."""
    path = folder.joinpath(*module.split("."))
    choices = (path / "__init__.py", path.with_name(f"{path.name}.py"))  # Python's own order
    return next((file for file in choices if file.is_file()), None)


def package_root(folder: Path) -> Path:
    """The folder that the name of a package in this one starts from."""
    return next(folder for folder in (folder, *folder.parents) if not _is_package(folder))


def _is_package(folder: Path) -> bool:
    # Many projects have a stray __init__.py beside their pyproject.toml.
    return (
        (folder / "__init__.py").is_file()
        and folder.name.isidentifier()
        and not any((folder / mark).exists() for mark in (".git", "pyproject.toml", "setup.py", "manage.py"))
    )
