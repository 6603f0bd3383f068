"""The app that stands out in the whole project."""

from pathlib import Path

from devkit.errors import UsageError
from devkit.settings.discover.kinds import CELERY, FASTAPI, Kind
from devkit.settings.discover.mend import choices, shown, ways
from devkit.settings.discover.project import ProjectFiles, scan
from devkit.settings.discover.roots import AppRef, app_ref


def find_celery(root: Path) -> AppRef:
    """The project's Celery app. UsageError when there is none, or several of which none stands out."""
    project = scan(root.resolve())
    found = _best(project, CELERY)
    if found is None:
        count = len(project.files)
        skipped = (f"{shown(file, project.root)}: skipped, {reason}" for file, reason in project.skipped.items())
        raise UsageError(
            "No Celery app found",
            looked=(f"{project.root}: {count} Python file{'' if count == 1 else 's'}", *skipped),
            mend=ways(CELERY),
        )
    return found


def find_fastapi(root: Path) -> AppRef | None:
    """The project's FastAPI app, if it has one. UsageError when it has several of which none stands out."""
    return _best(scan(root.resolve()), FASTAPI)


def _best(project: ProjectFiles, kind: Kind) -> AppRef | None:
    """The one that ranks first; UsageError that lists them all when nothing but the name sets it apart."""
    apps = project.apps(kind)
    if not apps:
        return None
    if len(apps) == 1 or project.rank(apps[0], kind) != project.rank(apps[1], kind):
        return app_ref(project, apps[0])
    refs = [app_ref(project, app) for app in apps]
    raise UsageError(
        f"Found {len(apps)} {kind.name} apps, and none stands out",
        looked=[f"{shown(app.file, project.root)}:{app.line}  {ref}" for app, ref in zip(apps, refs, strict=True)],
        mend=choices(project.root, refs, kind),
    )
