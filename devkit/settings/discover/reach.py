"""What comes with a module when it is imported: the modules that it imports, and how it announces its tasks."""

import re
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from devkit.settings.discover.imports import imports_in
from devkit.settings.discover.project import ProjectFiles
from devkit.settings.discover.tasks import may_have_tasks

FAR = 500  # modules that are looked into from one
# How an app tells Celery where its tasks are, so that its own module is the one to start.
_ANNOUNCES = re.compile(
    rb"autodiscover_tasks\s*\(|\b(?:include|imports|CELERY_IMPORTS|CELERY_INCLUDE)[\"']?\s*[=:]|config_from_object\s*\("
)


def announces(project: ProjectFiles, file: Path) -> bool:
    """Whether a module says by itself where tasks are."""
    return _ANNOUNCES.search(project.contents.of(str(file))) is not None


@cache
def reached_tasks(project: ProjectFiles, file: Path) -> frozenset[Path]:
    """The files that may have tasks among this module and all that it imports."""
    return frozenset(path for path in _reached(project, file) if may_have_tasks(project.contents.of(str(path))))


def _reached(project: ProjectFiles, file: Path) -> set[Path]:
    found = {file}
    todo = deque([file])
    while todo and len(found) < FAR:
        for path in _imported(project, todo.popleft()):
            if path not in found:
                found.add(path)
                todo.append(path)
    return found


def _imported(project: ProjectFiles, file: Path) -> Iterator[Path]:
    for module, level, names in imports_in(project.contents.of(str(file))):
        for _, path in project.follower.finder.files(file, module, level, names):
            yield path
