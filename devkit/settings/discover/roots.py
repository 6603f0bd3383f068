"""From a file to the name that imports it, and the folder that this name starts from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devkit.settings.discover.module import read
from devkit.settings.discover.project import App, ProjectFiles


@dataclass(frozen=True)
class AppRef:
    """An app as `MODULE:ATTR`, and the `folder` that must be first on `sys.path` for it to import."""

    folder: Path
    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"


def app_ref(project: ProjectFiles, app: App) -> AppRef:
    """How to import an app of the project."""
    folder = import_root(project, app.file)
    return AppRef(folder, dotted(app.file, folder), app.attribute)


def import_root(project: ProjectFiles, file: Path) -> Path:
    """The folder from which this file's own imports, and the project's imports of it, work."""
    base = _package_root(file.parent)
    above = tuple(
        folder
        for folder in reversed(base.parents)  # the outermost first
        if folder.is_relative_to(project.root) and all(part.isidentifier() for part in base.relative_to(folder).parts)
    )
    if not above:
        return base
    # A package needs no __init__.py: see how the project itself imports what is in the folder.
    used = _imported_from(project, base, above)
    if used is not None:
        return used
    if project.root / "src" in above:
        return project.root / "src"
    if file.parent == base and (file.stem in ("celery", "fastapi") or _has_relative_imports(file)):
        return base.parent  # as a top-level module it would hide the library, or not import at all
    return base


def dotted(file: Path, folder: Path) -> str:
    """The name that imports the file when `folder` is on `sys.path`."""
    *package, name = file.relative_to(folder).with_suffix("").parts
    return ".".join(package if name == "__init__" and package else [*package, name])


def locate(folder: Path, module: str) -> Path | None:
    """The file that this name imports when `folder` is on `sys.path`."""
    path = folder.joinpath(*module.split("."))
    choices = (path / "__init__.py", path.with_name(f"{path.name}.py"))  # Python's own order
    return next((file for file in choices if file.is_file()), None)


def module_names(project: ProjectFiles) -> set[str]:
    """Every name by which a module of the project may be imported, with and without __init__.py files."""
    files = [Path(file) for file in project.files]
    roots = {folder: _package_root(folder) for folder in {file.parent for file in files}}
    src = project.root / "src"
    names = {dotted(file, roots[file.parent]) for file in files}
    return names | {dotted(file, src if file.is_relative_to(src) else project.root) for file in files}


def _package_root(folder: Path) -> Path:
    return next(folder for folder in (folder, *folder.parents) if not _is_package(folder))


def _is_package(folder: Path) -> bool:
    # Many projects have a stray __init__.py beside their pyproject.toml.
    return (
        (folder / "__init__.py").is_file()
        and folder.name.isidentifier()
        and not any((folder / mark).exists() for mark in (".git", "pyproject.toml", "setup.py", "manage.py"))
    )


@cache  # reads every file again, and both kinds often lie in one folder
def _imported_from(project: ProjectFiles, base: Path, above: Sequence[Path]) -> Path | None:
    """The outermost of the folders `above` from which some file of the project imports a module of `base`."""
    prefixes = {".".join(base.relative_to(folder).parts): folder for folder in above}
    choice = "|".join(map(re.escape, prefixes))
    # "\n" for "^": the pattern is three times as fast when it begins with a plain character.
    pattern = re.compile(rf"\n[ \t]*(?:from|import)[ \t]+({choice})(?:\.|[ \t]+import[\s(]+)([A-Za-z_0-9]+)".encode())
    last = base.name.encode()  # in each prefix; to look for it first spares most files the pattern
    imports: set[tuple[bytes, bytes]] = set()
    for file in project.files:
        try:
            source = read(file)
        except OSError:
            continue
        if last in source:
            imports.update(pattern.findall(b"\n" + source))
    used = {
        prefixes[prefix.decode()]
        for prefix, name in imports
        # In app/app/, `from app.main` means the inner folder.
        if _exists(base, name.decode()) and not _exists(base, f"{prefix.decode()}.{name.decode()}")
    }
    return next((folder for folder in above if folder in used), None)


def _exists(folder: Path, module: str) -> bool:
    return locate(folder, module) is not None or folder.joinpath(*module.split(".")).is_dir()


def _has_relative_imports(file: Path) -> bool:
    return re.search(rb"^[ \t]*from[ \t]*\.", read(file), re.MULTILINE) is not None
