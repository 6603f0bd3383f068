"""The project's apps: those that were named, those that its stack runs, or those that discovery finds."""

from devkit.settings.discover import AppRef, find_celery, find_fastapi, resolve_celery, resolve_fastapi
from devkit.settings.load import Settings


def celery_app(settings: Settings) -> AppRef:
    """Raises DevkitError where there is none."""
    asked, root = settings.options.celery, settings.root
    if asked is None:
        return find_celery(root)
    return running_app(settings, "celery", asked) or resolve_celery(root, asked)


def fastapi_app(settings: Settings, named: str | None = None) -> AppRef | None:
    """The one that is `named`, or that the settings name; None where the project has none. Raises DevkitError."""
    asked, root = named or settings.options.api or settings.fastapi_entrypoint, settings.root
    if asked is None:
        return find_fastapi(root)
    return (None if named else running_app(settings, "api", asked)) or resolve_fastapi(root, asked)


def running_app(settings: Settings, key: str, asked: str) -> AppRef | None:
    """The app that the running stack has, and imports from there: nothing is left to find out."""
    folder = settings.import_roots.get(key)
    return AppRef(folder, *asked.split(":", 1)) if folder else None
