"""Small projects for the tests of the services."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devkit.services.stack.project import StackProject
from devkit.settings.discover import AppRef
from devkit.settings.load import load
from devkit.settings.paths import Paths


def write(folder: Path, **modules: str) -> Path:
    """Write Python modules into the folder, a dot in a name as two underscores."""
    for name, source in modules.items():
        file = folder / (name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return folder


def project_in(
    folder: Path, *, environ: Mapping[str, str] | None = None, late: Mapping[str, str] | None = None
) -> StackProject:
    """A project whose Celery app is worker:app, as the services are told of it."""
    return StackProject(
        settings=replace(load(folder, {}, environ or {}), paths=Paths(folder / ".devkit", folder / "run")),
        python=sys.executable,
        celery=AppRef(folder, "worker", "app"),
        marks={},
        late=late or {},
    )
