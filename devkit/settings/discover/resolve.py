"""The app that the user named as `MODULE:ATTR` or `MODULE`, or what is wrong with the name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from devkit.errors import UsageError, did_you_mean
from devkit.settings.discover.kinds import CELERY, FASTAPI, Kind
from devkit.settings.discover.mend import choices, shown, suggestions, ways
from devkit.settings.discover.module import UNREADABLE, Module, inspect, read, why
from devkit.settings.discover.project import scan
from devkit.settings.discover.roots import AppRef, app_ref, dotted, import_root, locate, module_names
from devkit.settings.evidence.walk import is_ignored


def resolve_celery(root: Path, spec: str) -> AppRef:
    """The Celery app that the user named as `MODULE:ATTR` or `MODULE`. UsageError when there is none."""
    return _resolve(root.resolve(), spec, CELERY)


def resolve_fastapi(root: Path, spec: str) -> AppRef:
    """The FastAPI app that the user named as `MODULE:ATTR` or `MODULE`. UsageError when there is none."""
    return _resolve(root.resolve(), spec, FASTAPI)


@dataclass(frozen=True)
class _Candidate:
    """A file that has the name which the user gave."""

    folder: Path
    name: str
    file: Path
    module: Module | str  # or why it cannot be read

    def ref(self, attribute: str, kind: Kind) -> AppRef | None:
        """The app if this module has it, or may have it; the one that its name implies if no attribute is given."""
        if isinstance(self.module, str):
            found = attribute  # the project's interpreter may know newer syntax: let that one judge
        elif attribute:
            found = attribute if self.module.has(attribute, kind) else ""
        else:
            found = self.module.implied(kind) or ""
        return AppRef(self.folder, self.name, found) if found else None

    def tells(self, kind: Kind) -> str:
        """The apps of this kind that were seen in the file, or why there are none."""
        if isinstance(self.module, str):
            return self.module
        apps = ", ".join(f"{app} (line {line})" for app, line in self.module.apps[kind].items())
        return apps or f"no {kind.name} app at its top level"


def _resolve(root: Path, spec: str, kind: Kind) -> AppRef:
    module, attribute = _split(root, spec, kind)
    # `celery -A proj` also means proj/celery.py.
    names = [module] if attribute else [module, f"{module}.{kind.package}"]
    seen: dict[Path, _Candidate] = {}
    for folders in _near_and_far(root, kind):
        for name in names:
            candidates = [_look(folder, name, file) for folder in folders if (file := locate(folder, name))]
            refs = [ref for candidate in candidates if (ref := candidate.ref(attribute, kind))]
            if refs:
                return _only(root, refs, kind)
            seen |= {candidate.file: candidate for candidate in candidates}
    if seen:
        raise _no_such_attribute(root, module, attribute, list(seen.values()), kind)
    return _elsewhere(root, module, attribute, kind)


def _split(root: Path, spec: str, kind: Kind) -> tuple[str, str]:
    """Module and attribute (may be empty). UsageError for anything but MODULE:ATTR or MODULE."""
    module, colon, attribute = spec.strip().partition(":")
    is_path = module.endswith(".py") or "/" in module or "\\" in module
    if attribute.isidentifier() or not colon:
        if is_path:
            named = _dotted_path(root, module) + colon + attribute
            raise UsageError(f"'{spec}' is a path; as MODULE:ATTR it is '{named}'", mend=ways(kind, named))
        if re.fullmatch(r"[\w-]+(\.[\w-]+)*", module):
            return module, attribute
    raise UsageError(f"'{spec}' does not name a {kind.name} app: MODULE:ATTR does", mend=suggestions(root, kind))


def _dotted_path(root: Path, path: str) -> str:
    path = path.replace("\\", "/").removesuffix(".py")
    file = (root / f"{path}.py").resolve()
    if file.is_file():
        return dotted(file, import_root(scan(root), file))
    return ".".join(part for part in PurePosixPath(path).parts if part not in ("/", ".."))


def _near_and_far(root: Path, kind: Kind) -> Iterator[list[Path]]:
    """Folders to import from, the likeliest first. The last ones cost a scan of the project."""
    yield [root]
    yield [root / "src"]
    yield _subfolders(root)
    project = scan(root)
    yield sorted({app_ref(project, app).folder for app in project.apps(kind)})


def _subfolders(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*/") if not is_ignored(path.name))


def _look(folder: Path, name: str, file: Path) -> _Candidate:
    try:
        return _Candidate(folder, name, file, inspect(read(file)))
    except UNREADABLE as error:
        return _Candidate(folder, name, file, why(error))


def _only(root: Path, refs: Sequence[AppRef], kind: Kind) -> AppRef:
    if len(refs) == 1:
        return refs[0]
    raise UsageError(
        f"'{refs[0].module}' is in {len(refs)} folders",
        looked=[f"{shown(ref.folder, root)}: {ref}" for ref in refs],
        mend=choices(root, refs, kind),
    )


def _no_such_attribute(root: Path, module: str, attribute: str, seen: Sequence[_Candidate], kind: Kind) -> UsageError:
    modules = [(candidate.name, candidate.module) for candidate in seen if isinstance(candidate.module, Module)]
    apps = [f"{name}:{app}" for name, found in modules for app in found.apps[kind]]
    other = next((other for _, found in modules if (other := found.kind_of(attribute))), None)
    if not attribute:
        what = f"Module '{module}' alone does not tell which {kind.name} app"
    elif other is not None:
        what = f"'{module}:{attribute}' is a {other.name} app, not a {kind.name} app"
    else:
        close = did_you_mean(attribute, sorted({name for _, found in modules for name in found.values} - {kind.name}))
        what = f"No '{attribute}' at the top level of {shown(seen[0].file, root)}{close}"
    return UsageError(
        what,
        looked=[f"{shown(candidate.file, root)}: {candidate.tells(kind)}" for candidate in seen],
        mend=ways(kind, *apps) if apps else suggestions(root, kind),
    )


def _elsewhere(root: Path, module: str, attribute: str, kind: Kind) -> AppRef:
    """A module that the project does not have, taken on trust: its interpreter may have it installed.

    UsageError when it looks like a slip (the project has something close, or of the same top-level name), or
    when there is no attribute, which only the module itself could tell.
    """
    project = scan(root)
    own = module_names(project)
    specs = [str(app_ref(project, app)) for app in project.apps(kind)]
    close = did_you_mean(module, sorted({*own, *specs}))
    if attribute and not close and not any(module.partition(".")[0] in name.split(".") for name in own):
        return AppRef(root, module, attribute)
    folders = dict.fromkeys((root, root / "src", *_subfolders(root)))
    raise UsageError(
        f"No module '{module}' in this project{close}",
        looked=[str(folder) for folder in folders if folder.is_dir()],
        mend=ways(kind, *specs),
    )
