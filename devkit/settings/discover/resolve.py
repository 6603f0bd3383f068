"""The app that the user named, or what is wrong with the name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from devkit.errors import UsageError, did_you_mean
from devkit.settings.discover.follow import Follower
from devkit.settings.discover.imports import Finder, dotted
from devkit.settings.discover.kinds import CELERY, FASTAPI, FLASK, Kind
from devkit.settings.discover.mend import choices, shown, suggestions, ways
from devkit.settings.discover.programs import ApiKind, ApiProgram
from devkit.settings.discover.project import Contents, scan
from devkit.settings.discover.roots import AppRef, app_ref, import_root, module_names, with_needed
from devkit.settings.discover.spec import Candidate, Meant, Reading, candidates, readings
from devkit.settings.evidence.walk import is_ignored


def resolve_celery(root: Path, spec: str) -> AppRef:
    """The Celery app that the user named, as `celery -A` takes it: MODULE:ATTR, MODULE.ATTR or MODULE; ATTR may be
    dotted, or a function's that makes the app. UsageError when there is none."""
    return _resolve(root.resolve(), spec, CELERY).ref


def resolve_api(root: Path, spec: str) -> ApiProgram:
    """The API that the user named: MODULE:ATTR as uvicorn takes it, a function that makes the app, MODULE or a path as
    fastapi-cli takes them. UsageError when there is none."""
    meant = _resolve(root.resolve(), spec, FASTAPI)
    kind: ApiKind = "flask" if meant.kind is FLASK else "asgi"
    ref = replace(meant.ref, attribute=meant.ref.attribute.removesuffix("()"))
    return ApiProgram("api", kind, ref.folder, ref, factory=meant.factory, reasons=(f"{spec} was asked for",))


def _resolve(root: Path, spec: str, kind: Kind) -> Meant:
    ways_to_read = _readings(root, spec, kind)
    follower = Follower(Finder(root))
    seen: dict[Path, Candidate] = {}
    for folders in _near_and_far(root, kind):
        for reading in ways_to_read:
            found = list(candidates(follower, folders, reading.module))
            meant = [one for candidate in found if (one := candidate.meant(reading.attribute, kind))]
            if meant:
                one = _only(root, meant, kind)
                return replace(one, ref=with_needed(follower.finder, Contents(), one.ref, one.file))
            if reading.module == ways_to_read[0].module or not reading.attribute:
                seen |= {candidate.file: candidate for candidate in found}
    first = ways_to_read[0]
    if seen:
        raise _no_such_attribute(root, first, list(seen.values()), kind)
    return _elsewhere(root, first, kind)


def _readings(root: Path, spec: str, kind: Kind) -> list[Reading]:
    """UsageError for what names no app in any way."""
    module, colon, attribute = spec.strip().partition(":")
    is_path = module.endswith(".py") or "/" in module or "\\" in module
    if is_path:
        named = _dotted_path(root, module) + colon + attribute
        if kind is CELERY and (readings(named, kind) or not colon):
            raise UsageError(f"'{spec}' is a path; as MODULE:ATTR it is '{named}'", mend=ways(kind, named))
        spec = named
    if found := readings(spec, kind):
        return found
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


def _only(root: Path, meant: Sequence[Meant], kind: Kind) -> Meant:
    if len(meant) == 1:
        return meant[0]
    refs = [one.ref for one in meant]
    raise UsageError(
        f"'{refs[0].module}' is in {len(refs)} folders",
        looked=[f"{shown(ref.folder, root)}: {ref}" for ref in refs],
        mend=choices(root, refs, kind),
    )


def _no_such_attribute(root: Path, reading: Reading, seen: Sequence[Candidate], kind: Kind) -> UsageError:
    module, attribute = reading.module, reading.attribute
    apps = [f"{candidate.name}:{app}" for candidate in seen for app in candidate.apps(kind)]
    other = next((other for candidate in seen if (other := candidate.kind_of(attribute))), None) if attribute else None
    if not attribute:
        what = f"Module '{module}' alone does not tell which {kind.name} app"
    elif other is not None:
        what = f"'{module}:{attribute}' is a {other.name} app, not a {kind.name} app"
    else:
        known = {name for candidate in seen if candidate.source for name in candidate.source.values}
        close = did_you_mean(attribute, sorted(known - {kind.name}))
        what = f"No '{attribute}' at the top level of {shown(seen[0].file, root)}{close}"
    return UsageError(
        what,
        looked=[f"{shown(candidate.file, root)}: {candidate.tells(kind)}" for candidate in seen],
        mend=ways(kind, *apps) if apps else suggestions(root, kind),
    )


def _elsewhere(root: Path, reading: Reading, kind: Kind) -> Meant:
    """A module that the project does not have, taken on trust: its interpreter may have it installed.

    UsageError when it looks like a slip: the project has something close, or of the same top-level name.
    """
    project = scan(root)
    module = reading.module
    own = module_names(project)
    specs = [str(app_ref(project, app)) for app in project.apps(kind)]
    close = did_you_mean(module, sorted({*own, *specs}))
    named = reading.attribute or (kind is CELERY and "." in module)
    if named and not close and not any(module.partition(".")[0] in name.split(".") for name in own):
        return Meant(AppRef(root, module, reading.attribute), root, reading.attribute.endswith(")"), None)
    folders = dict.fromkeys((root, root / "src", *_subfolders(root)))
    raise UsageError(
        f"No module '{module}' in this project{close}",
        looked=[str(folder) for folder in folders if folder.is_dir()],
        mend=ways(kind, *specs),
    )
