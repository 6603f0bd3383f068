"""All that a project has to be started, and its Celery app alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from devkit.errors import UsageError
from devkit.settings.discover.apis import apis_of
from devkit.settings.discover.imports import locate
from devkit.settings.discover.kinds import CELERY
from devkit.settings.discover.mend import shown, ways
from devkit.settings.discover.programs import ApiProgram, Found
from devkit.settings.discover.project import ProjectFiles, scan
from devkit.settings.discover.resolve import resolve_api, resolve_celery
from devkit.settings.discover.roots import AppRef, with_needed
from devkit.settings.discover.workers import origin_of, workers_of
from devkit.settings.evidence.line import StartLine


def find_programs(
    root: Path,
    lines: Sequence[StartLine] = (),
    *,
    celery: str | None = None,
    api: str | None = None,
    with_apis: bool = True,
) -> Found:
    """The project's workers and APIs; `celery` and `api` are what the user named: then there is no other of the kind.

    Without `with_apis` there are none, nor notes on any. `lines` are its own start lines. Raises UsageError where there
    is no Celery app, or not the one that was named.
    """
    root = root.resolve()
    asked = resolve_celery(root, celery) if celery else None
    project = scan(root)
    workers, notes = workers_of(project, lines, asked, origin_of(project, asked) if asked else None)
    if not workers:
        raise _no_celery(project)
    apis, more = ((resolve_api(root, api),), ()) if api else apis_of(project, lines) if with_apis else ((), ())
    workers = tuple(replace(worker, app=_complete(project, worker.app)) for worker in workers)
    apis = tuple(replace(api, app=api.app and _complete(project, api.app)) for api in apis)
    project.contents.release()
    return Found(workers, apis, (*notes, *more))


def find_celery(root: Path, lines: Sequence[StartLine] = ()) -> AppRef:
    """The project's Celery app, the likeliest of several. UsageError when there is none."""
    project = scan(root.resolve())
    workers, _ = workers_of(project, lines, None, None)
    if not workers:
        raise _no_celery(project)
    app = _complete(project, workers[0].app)
    project.contents.release()
    return app


def find_apis(root: Path, lines: Sequence[StartLine] = ()) -> tuple[ApiProgram, ...]:
    """The project's APIs, the likeliest first."""
    project = scan(root.resolve())
    apis, _ = apis_of(project, lines)
    apis = tuple(replace(api, app=api.app and _complete(project, api.app)) for api in apis)
    project.contents.release()
    return apis


def _complete(project: ProjectFiles, ref: AppRef) -> AppRef:
    """The app with all folders that its code imports from."""
    files = (locate(folder, ref.module) for folder in (ref.folder, *ref.paths))
    file = next(filter(None, files), None)
    return with_needed(project.follower.finder, project.contents, ref, file) if file else ref


def _no_celery(project: ProjectFiles) -> UsageError:
    count = len(project.files)
    skipped = (f"{shown(file, project.root)}: skipped, {reason}" for file, reason in project.skipped.items())
    return UsageError(
        "No Celery app found",
        looked=(f"{project.root}: {count} Python file{'' if count == 1 else 's'}", *skipped),
        mend=ways(CELERY),
    )
