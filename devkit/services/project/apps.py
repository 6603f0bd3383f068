"""The project's programs: those that were named, those that its stack runs, or those that its own files tell of."""

from dataclasses import replace
from pathlib import Path

from devkit.settings.discover import AppRef, find_apis, find_celery, find_programs, resolve_api, resolve_celery
from devkit.settings.discover.programs import ApiProgram, Found
from devkit.settings.discover.project import scan
from devkit.settings.evidence.compose import read_compose
from devkit.settings.evidence.launch import start_lines
from devkit.settings.evidence.line import StartLine
from devkit.settings.load import Settings


def programs(settings: Settings, *, with_apis: bool = True) -> Found:
    """All that there is to start, or the workers alone. Raises UsageError where there is no Celery app, or not the one
    that is named."""
    root, celery = settings.root, settings.options.celery
    api = (settings.options.api or settings.fastapi_entrypoint) if with_apis else None
    found = find_programs(root, _lines(root), celery=celery, api=api, with_apis=with_apis)
    return replace(found, notes=(*found.notes, *read_compose(settings.root.resolve()).notes))


def celery_app(settings: Settings) -> AppRef:
    """The one Celery app that is meant where only one can be. Raises UsageError where there is none."""
    asked, root = settings.options.celery, settings.root
    if asked is None:
        return find_celery(root, _lines(root))
    return running_app(settings, "celery", asked) or resolve_celery(root, asked)


def api_program(settings: Settings, named: str | None = None) -> ApiProgram | None:
    """The API that is `named`, or that the settings name; None where the project has none. Raises UsageError."""
    return next(iter(api_programs(settings, named)), None)


def api_programs(settings: Settings, named: str | None = None) -> tuple[ApiProgram, ...]:
    """The one that is named, or all that there are. Raises UsageError."""
    asked, root = named or settings.options.api or settings.fastapi_entrypoint, settings.root
    if asked is None:
        return find_apis(root, _lines(root))
    running = None if named else running_app(settings, "api", asked)
    return (ApiProgram("api", "asgi", running.folder, running) if running else resolve_api(root, asked),)


def running_app(settings: Settings, key: str, asked: str) -> AppRef | None:
    """The app that the running stack has, and imports from there: nothing is left to find out."""
    folders = settings.import_roots.get(key)
    module, _, attribute = asked.partition(":")
    return AppRef(folders[0], module, attribute, folders[1:]) if folders else None


def _lines(root: Path) -> tuple[StartLine, ...]:
    """The project's own start lines; its Python files are read once for them and for the apps."""
    return start_lines(root, scan(root.resolve()).contents.of)
