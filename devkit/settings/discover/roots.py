"""From a file to the name that imports it, and the folder that this name starts from."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from devkit.settings.discover.imports import Finder, dotted, imports_in, locate, package_root
from devkit.settings.discover.project import App, Contents, ProjectFiles

MOST_LOOKED_AT = 100

# An import of these means the library, wherever a file of such a name lies.
NEVER_OWN = sys.stdlib_module_names | {"celery", "kombu", "redis", "fastapi", "starlette", "uvicorn", "flask", "django"}


@dataclass(frozen=True)
class AppRef:
    """An app as `MODULE:ATTR`, and what must be on `sys.path` for it to import.

    First comes `folder`, the working directory, then `paths`, as Python has its PYTHONPATH. No attribute: the app that
    Celery finds in a module of this name (`celery.app.utils.find_app`).
    """

    folder: Path
    module: str
    attribute: str
    paths: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}" if self.attribute else self.module


def app_ref(project: ProjectFiles, app: App) -> AppRef:
    """How to import an app of the project."""
    folder = import_root(project, app.file)
    return AppRef(folder, dotted(app.file, folder), app.attribute)


def import_root(project: ProjectFiles, file: Path) -> Path:
    """The folder from which this file's own imports, and the project's imports of it, work."""
    base = package_root(file.parent)
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


def with_needed(finder: Finder, contents: Contents, ref: AppRef, file: Path) -> AppRef:
    """The app with the further folders that its own code imports from: of `app/main.py`, run as `main`, that of `app`.

    Its module and what that imports are looked at, as far as they are the project's, up to MOST_LOOKED_AT files.
    """
    paths = list(ref.paths)
    seen = {file}
    todo = [file]
    while todo and len(seen) < MOST_LOOKED_AT:
        here = todo.pop(0)
        for module, level, names in imports_in(contents.of(str(here))):
            if not level and module.partition(".")[0] in NEVER_OWN:
                continue  # what is called so beside the file, in a package, is imported by a longer name
            for folder, path in finder.files(here, module, level, names):
                if folder and not any(_exists(known, module) for known in (ref.folder, *paths)):
                    paths.append(folder)
                if path not in seen:
                    seen.add(path)
                    todo.append(path)
    return replace(ref, paths=tuple(paths))


def module_names(project: ProjectFiles) -> set[str]:
    """Every name by which a module of the project may be imported, with and without __init__.py files."""
    files = [Path(file) for file in project.files]
    roots = {folder: package_root(folder) for folder in {file.parent for file in files}}
    src = project.root / "src"
    names = {dotted(file, roots[file.parent]) for file in files}
    return names | {dotted(file, src if file.is_relative_to(src) else project.root) for file in files}


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
        source = project.contents.of(file)
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
    return re.search(rb"^[ \t]*from[ \t]*\.", file.read_bytes(), re.MULTILINE) is not None
