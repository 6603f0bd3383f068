"""Find a project's Celery and FastAPI apps by reading its files, never by importing them.

`find_*` looks through the whole project, `resolve_*` checks what the user named; the answer is an `AppRef`.
"""

import ast
import os
import re
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import FileIO
from pathlib import Path, PurePosixPath

from devkit.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class AppRef:
    """An app as `MODULE:ATTR`, and the `folder` that must be first on `sys.path` for it to import."""

    folder: Path
    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"


@dataclass(frozen=True)
class _Kind:
    """What tells one kind of app from the other, and how users name one: the most usual names first."""

    name: str  # the class
    package: str  # the library that has it
    attributes: tuple[str, ...]  # what people call the app
    modules: tuple[str, ...]  # where they put it
    implied: tuple[str, ...]  # what MODULE without ATTR stands for, as in `celery -A` and fastapi-cli
    option: str
    setting: str


_CELERY = _Kind(
    name="Celery",
    package="celery",
    attributes=("celery_app", "celery", "app"),
    modules=("celery_app", "celery", "worker", "tasks", "main"),
    implied=("app", "celery"),
    option="-A",
    setting="celery",
)
_FASTAPI = _Kind(
    name="FastAPI",
    package="fastapi",
    attributes=("app", "api", "application"),
    modules=("main", "app", "api", "server", "asgi"),
    implied=("app", "api"),
    option="--api",
    setting="api",
)
_KINDS = (_CELERY, _FASTAPI)


def find_celery(root: Path) -> AppRef:
    """The project's Celery app. UsageError when there is none, or several of which none stands out."""
    project = _scan(root.resolve())
    found = _best(project, project.apps(_CELERY), _CELERY)
    if found is None:
        count = len(project.files)
        raise UsageError(
            "No Celery app found",
            looked=(f"{project.root}: {count} Python file{'' if count == 1 else 's'}", *project.skipped),
            mend=_ways(_CELERY),
        )
    return found


def find_fastapi(root: Path) -> AppRef | None:
    """The project's FastAPI app, if it has one. UsageError when it has several of which none stands out."""
    project = _scan(root.resolve())
    return _best(project, project.apps(_FASTAPI), _FASTAPI)


def resolve_celery(root: Path, spec: str) -> AppRef:
    """The Celery app that the user named as `MODULE:ATTR` or `MODULE`. UsageError when there is none."""
    return _resolve(root.resolve(), spec, _CELERY)


def resolve_fastapi(root: Path, spec: str) -> AppRef:
    """The FastAPI app that the user named as `MODULE:ATTR` or `MODULE`. UsageError when there is none."""
    return _resolve(root.resolve(), spec, _FASTAPI)


# --- one module: what its top level binds ---


@dataclass(frozen=True)
class _Module:
    names: frozenset[str]  # bound when the module is imported
    values: frozenset[str]  # those of them that are not modules themselves
    dynamic: bool  # may have names that nobody can see here
    apps: dict[_Kind, dict[str, int]]  # attribute → line

    def has(self, attribute: str, kind: _Kind) -> bool:
        """Whether `attribute` can be an app of this kind: it exists and is not plainly the other kind."""
        if attribute in self.apps[kind]:
            return True
        return (self.dynamic or attribute in self.names) and self.kind_of(attribute) is None

    def kind_of(self, attribute: str) -> _Kind | None:
        return next((kind for kind in _KINDS if attribute in self.apps[kind]), None)

    def implied(self, kind: _Kind) -> str | None:
        """The attribute that this module's name alone stands for, by the rules of `celery -A`."""
        for names in (self.apps[kind], self.values):
            for name in kind.implied:
                if name in names and self.has(name, kind):
                    return name
        return next(iter(self.apps[kind])) if len(self.apps[kind]) == 1 else None


# A file can be unreadable, broken, in an encoding it does not declare, or nested too deep for the parser.
_UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)

_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
_FALSE_ON_IMPORT = frozenset(
    (
        *("__name__ == '__main__'", "'__main__' == __name__"),
        *("TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING"),
    )
)


def _why(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno})" if error.lineno else error.msg
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def _read(file: Path | str) -> bytes:
    with FileIO(file) as stream:  # a third faster than open() over thousands of small files
        return stream.readall()


def _inspect(source: bytes) -> _Module:
    """Raises what `ast.parse` does for source that this interpreter cannot parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the user's escape sequences: not ours to report
        tree = ast.parse(source)
    nodes = list(_import_time(tree))
    names = frozenset(name for node in nodes for name in _bound(node))
    return _Module(
        names=names,
        values=frozenset(name for node in nodes if not _imports_modules(node) for name in _bound(node)),
        dynamic=not names.isdisjoint(("*", "__getattr__")),
        apps={kind: _apps(nodes, kind) for kind in _KINDS},
    )


def _import_time(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that runs in the module's own scope on import, also inside top-level if, try and with."""
    todo: deque[ast.AST] = deque([tree])
    while todo:
        node = todo.popleft()
        if isinstance(node, ast.AnnAssign) and node.value is None:
            continue  # `app: Celery` binds nothing
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in _FALSE_ON_IMPORT:
            todo.extend(node.orelse)
        elif not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that this node binds itself (its children are seen on their own)."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def _imports_modules(node: ast.AST) -> bool:
    return isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module is None)


def _apps(nodes: Sequence[ast.AST], kind: _Kind) -> dict[str, int]:
    """The apps of this kind that the nodes assign: attribute → line."""
    classes: set[str] = set()
    libraries: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            if _top(node.module or "") == kind.package:
                classes.update(alias.asname or alias.name for alias in node.names if alias.name == kind.name)
        elif isinstance(node, ast.Import):
            own = [alias for alias in node.names if _top(alias.name) == kind.package]
            libraries.update(alias.asname or kind.package for alias in own)

    apps: dict[str, int] = {}
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            *path, name = ast.unparse(node.value.func).split(".")
            if (path and path[0] in libraries and name == kind.name) or (not path and name in classes):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                attributes = [target.id for target in targets if isinstance(target, ast.Name)]
                if attributes:  # `app = celery = Celery()` is one app: its most usual name stands for it
                    best = min(attributes, key=lambda name: _place(name, kind.attributes))
                    apps.setdefault(best, node.lineno)
    return apps


def _top(module: str) -> str:
    return module.partition(".")[0]


def _place(name: str, preferred: Sequence[str]) -> int:
    return preferred.index(name) if name in preferred else len(preferred)


# --- the whole project: one walk for both kinds ---

_IGNORED = frozenset(("venv", "node_modules", "__pycache__", "build", "dist", "site-packages"))
_ENVIRONMENT = frozenset(("pyvenv.cfg", "conda-meta"))
_ASIDE = frozenset(("test", "tests", "doc", "docs", "example", "examples", "benchmark", "benchmarks"))


@dataclass(frozen=True)
class _App:
    file: Path
    line: int
    attribute: str


@dataclass(frozen=True, eq=False)
class _Project:
    root: Path
    files: tuple[str, ...]  # plain strings: thousands of them, of which a handful matter
    modules: dict[Path, _Module]  # those that may define an app
    skipped: tuple[str, ...]

    def apps(self, kind: _Kind) -> list[_App]:
        """Every app of this kind, the most likely one first."""
        found = [
            _App(file, line, attribute)
            for file, module in self.modules.items()
            for attribute, line in module.apps[kind].items()
        ]
        return sorted(found, key=lambda app: self.rank(app, kind))

    def rank(self, app: _App, kind: _Kind) -> tuple[bool, int, int, int]:
        path = app.file.relative_to(self.root)
        aside = not _ASIDE.isdisjoint(path.parts[:-1]) or path.name == "conftest.py"
        return (
            aside or path.stem.startswith("test_") or path.stem.endswith("_test"),
            _place(app.attribute, kind.attributes),
            _place(path.parent.name if path.stem == "__init__" else path.stem, kind.modules),
            len(path.parts),
        )

    def ref(self, app: _App) -> AppRef:
        folder = _import_root(self, app.file)
        return AppRef(folder, _dotted(app.file, folder), app.attribute)


@cache  # both kinds, and both ways to ask, share one walk
def _scan(root: Path) -> _Project:
    files = tuple(sorted(_python_files(root)))
    modules: dict[Path, _Module] = {}
    skipped: list[str] = []
    for file in files:
        try:
            source = _read(file)
            if any(kind.name.encode() in source for kind in _KINDS):
                modules[Path(file)] = _inspect(source)
        except _UNREADABLE as error:
            skipped.append(f"{_shown(Path(file), root)}: skipped, {_why(error)}")
    return _Project(root, files, modules, tuple(skipped))


def _python_files(root: Path) -> Iterator[str]:
    todo = [str(root)]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError:
            continue
        if folder != str(root) and not _ENVIRONMENT.isdisjoint(entry.name for entry in entries):
            continue
        for entry in entries:
            stem, ending = entry.name[:-3], entry.name[-3:]
            if entry.is_dir(follow_symlinks=False):  # links lead out of the project, or round in circles
                if not _is_ignored(entry.name):
                    todo.append(entry.path)
            elif ending == ".py" and "." not in stem and entry.is_file():
                yield entry.path


def _is_ignored(folder: str) -> bool:
    return folder.startswith(".") or folder in _IGNORED


def _best(project: _Project, apps: Sequence[_App], kind: _Kind) -> AppRef | None:
    """The one that ranks first; UsageError that lists them all when nothing but the name sets it apart."""
    if not apps:
        return None
    if len(apps) == 1 or project.rank(apps[0], kind) != project.rank(apps[1], kind):
        return project.ref(apps[0])
    refs = [project.ref(app) for app in apps]
    raise UsageError(
        f"Found {len(apps)} {kind.name} apps, and none stands out",
        looked=[f"{_shown(app.file, project.root)}:{app.line}  {ref}" for app, ref in zip(apps, refs, strict=True)],
        mend=_choices(project.root, refs, kind),
    )


# --- from a file to the name that imports it ---


def _import_root(project: _Project, file: Path) -> Path:
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
def _imported_from(project: _Project, base: Path, above: tuple[Path, ...]) -> Path | None:
    """The outermost of the folders `above` from which some file of the project imports a module of `base`."""
    prefixes = {".".join(base.relative_to(folder).parts): folder for folder in above}
    choice = "|".join(map(re.escape, prefixes))
    # "\n" for "^": the pattern is three times as fast when it begins with a plain character.
    pattern = re.compile(rf"\n[ \t]*(?:from|import)[ \t]+({choice})(?:\.|[ \t]+import[\s(]+)([A-Za-z_0-9]+)".encode())
    last = base.name.encode()  # in each prefix; to look for it first spares most files the pattern
    imports: set[tuple[bytes, bytes]] = set()
    for file in project.files:
        try:
            source = _read(file)
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
    return _locate(folder, module) is not None or folder.joinpath(*module.split(".")).is_dir()


def _has_relative_imports(file: Path) -> bool:
    return re.search(rb"^[ \t]*from[ \t]*\.", _read(file), re.MULTILINE) is not None


def _dotted(file: Path, folder: Path) -> str:
    *package, name = file.relative_to(folder).with_suffix("").parts
    return ".".join(package if name == "__init__" and package else [*package, name])


# --- what the user named ---


def _resolve(root: Path, spec: str, kind: _Kind) -> AppRef:
    module, attribute = _split(root, spec, kind)
    # `celery -A proj` also means proj/celery.py.
    modules = [module] if attribute else [module, f"{module}.{kind.package}"]
    seen: list[tuple[str, Path]] = []
    for folders in _near_and_far(root, kind):
        for name in modules:
            places = [(folder, file) for folder in folders if (file := _locate(folder, name))]
            refs = [
                AppRef(folder, name, found) for folder, file in places if (found := _attribute(file, attribute, kind))
            ]
            if refs:
                return _only(root, refs, kind)
            seen += ((name, file) for _, file in places)
    if seen:
        raise _no_such_attribute(root, spec, list(dict.fromkeys(seen)), kind)
    return _elsewhere(root, module, attribute, kind)


def _split(root: Path, spec: str, kind: _Kind) -> tuple[str, str]:
    """Module and attribute (may be empty). UsageError for anything but MODULE:ATTR or MODULE."""
    module, colon, attribute = spec.strip().partition(":")
    is_path = module.endswith(".py") or "/" in module or "\\" in module
    if attribute.isidentifier() or not colon:
        if is_path:
            dotted = _dotted_path(root, module) + colon + attribute
            raise UsageError(f"'{spec}' is a path; as MODULE:ATTR it is '{dotted}'", mend=_ways(kind, dotted))
        if re.fullmatch(r"[\w-]+(\.[\w-]+)*", module):
            return module, attribute
    raise UsageError(f"'{spec}' does not name a {kind.name} app: MODULE:ATTR does", mend=_suggestions(root, kind))


def _dotted_path(root: Path, path: str) -> str:
    path = path.replace("\\", "/").removesuffix(".py")
    file = (root / f"{path}.py").resolve()
    if file.is_file():
        return _dotted(file, _import_root(_scan(root), file))
    return ".".join(part for part in PurePosixPath(path).parts if part not in ("/", ".."))


def _near_and_far(root: Path, kind: _Kind) -> Iterator[list[Path]]:
    """Folders to import from, the likeliest first. The last ones cost a scan of the project."""
    yield [root]
    yield [root / "src"]
    yield _subfolders(root)
    project = _scan(root)
    yield sorted({project.ref(app).folder for app in project.apps(kind)})


def _subfolders(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*/") if not _is_ignored(path.name))


def _locate(folder: Path, module: str) -> Path | None:
    path = folder.joinpath(*module.split("."))
    choices = (path / "__init__.py", path.with_name(f"{path.name}.py"))  # Python's own order
    return next((file for file in choices if file.is_file()), None)


def _attribute(file: Path, attribute: str, kind: _Kind) -> str | None:
    """The attribute if the file has it, or may have it; the one that the module implies if none is given."""
    try:
        module = _inspect(_read(file))
    except _UNREADABLE:
        return attribute or None  # the project's interpreter may know newer syntax: let that one judge
    if not attribute:
        return module.implied(kind)
    return attribute if module.has(attribute, kind) else None


def _only(root: Path, refs: Sequence[AppRef], kind: _Kind) -> AppRef:
    if len(refs) == 1:
        return refs[0]
    raise UsageError(
        f"'{refs[0].module}' is in {len(refs)} folders",
        looked=[f"{_shown(ref.folder, root)}: {ref}" for ref in refs],
        mend=_choices(root, refs, kind),
    )


def _no_such_attribute(root: Path, spec: str, modules: Sequence[tuple[str, Path]], kind: _Kind) -> UsageError:
    module, _, attribute = spec.strip().partition(":")
    looked: list[str] = []
    apps: list[str] = []
    names: set[str] = set()
    actual: _Kind | None = None
    for name, file in modules:
        try:
            read = _inspect(_read(file))
        except _UNREADABLE as error:
            looked.append(f"{_shown(file, root)}: {_why(error)}")
            continue
        own = read.apps[kind]
        lines = ", ".join(f"{app} (line {line})" for app, line in own.items())
        looked.append(f"{_shown(file, root)}: " + (lines or f"no {kind.name} app at its top level"))
        apps += (f"{name}:{app}" for app in own)
        names |= read.values - {kind.name}
        actual = actual or read.kind_of(attribute)

    if not attribute:
        what = f"Module '{module}' alone does not tell which {kind.name} app"
    elif actual is not None:
        what = f"'{spec}' is a {actual.name} app, not a {kind.name} app"
    else:
        close = did_you_mean(attribute, sorted(names))
        what = f"No '{attribute}' at the top level of {_shown(modules[0][1], root)}{close}"
    return UsageError(what, looked=looked, mend=_ways(kind, *apps) if apps else _suggestions(root, kind))


def _elsewhere(root: Path, module: str, attribute: str, kind: _Kind) -> AppRef:
    """A module that the project does not have, taken on trust: its interpreter may have it installed.

    UsageError when it looks like a slip (the project has something close, or of the same top-level name), or
    when there is no attribute, which only the module itself could tell.
    """
    project = _scan(root)
    own = _module_names(project)
    specs = [str(project.ref(app)) for app in project.apps(kind)]
    close = did_you_mean(module, sorted({*own, *specs}))
    if attribute and not close and not any(_top(module) in name.split(".") for name in own):
        return AppRef(root, module, attribute)
    folders = dict.fromkeys((root, root / "src", *_subfolders(root)))
    raise UsageError(
        f"No module '{module}' in this project{close}",
        looked=[str(folder) for folder in folders if folder.is_dir()],
        mend=_suggestions(root, kind),
    )


def _module_names(project: _Project) -> set[str]:
    """Every name by which a module of the project may be imported, with and without __init__.py files."""
    files = [Path(file) for file in project.files]
    roots = {folder: _package_root(folder) for folder in {file.parent for file in files}}
    src = project.root / "src"
    names = {_dotted(file, roots[file.parent]) for file in files}
    return names | {_dotted(file, src if file.is_relative_to(src) else project.root) for file in files}


# --- what mends it ---


def _ways(kind: _Kind, *specs: str) -> tuple[str, ...]:
    """How to name an app, for the first few of these."""
    specs = specs[:3] or ("MODULE:ATTR",)
    setting = f'{kind.setting} = "{specs[0]}" under [tool.devkit] in pyproject.toml'
    return (*(f"devkit up {kind.option} {spec}" for spec in specs), setting)


def _suggestions(root: Path, kind: _Kind) -> tuple[str, ...]:
    project = _scan(root)
    return _ways(kind, *(str(project.ref(app)) for app in project.apps(kind)[:3]))


def _choices(root: Path, refs: Sequence[AppRef], kind: _Kind) -> tuple[str, ...]:
    """How to choose among these: by name, or by folder where several have one name."""
    if len(set(map(str, refs))) == len(refs):
        return _ways(kind)
    return tuple(f"devkit -C {_shown(ref.folder, root)} up" for ref in refs)


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
