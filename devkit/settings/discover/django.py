"""Django projects: where manage.py is, and which settings it names."""

import re
from pathlib import Path

from devkit.settings.discover.project import ProjectFiles

_MANAGE = re.compile(rb"\bdjango\b")
_SETTINGS = re.compile(rb"DJANGO_SETTINGS_MODULE[\"']\s*,\s*[\"']([\w.]+)[\"']")


def manage_files(project: ProjectFiles) -> list[Path]:
    """Every manage.py of Django's, the nearest to the project's folder first; tests and examples last."""
    found = [Path(file) for file in project.files if file.endswith("/manage.py")]
    found = [file for file in found if _MANAGE.search(project.contents.of(str(file)))]
    return sorted(found, key=lambda file: (project.is_aside(file), len(file.parts), file))


def settings_module(project: ProjectFiles, manage: Path) -> str:
    """The settings that this manage.py names, or else Celery's or the server's module beside them; empty if none do."""
    inside = [file for file in project.files if file.endswith(("/wsgi.py", "/asgi.py", "/celery.py"))]
    near = [file for file in inside if Path(file).is_relative_to(manage.parent)]
    for file in (str(manage), *near):
        if found := _SETTINGS.search(project.contents.of(file)):
            return found[1].decode()
    return ""
