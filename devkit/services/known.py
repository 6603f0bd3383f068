"""A project's settings as every command but `up` has them: what its stack was started with counts there, too.

Which project that is, the running stack tells as well: it is found from every folder in the one that it runs for.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from devkit.errors import DevkitError
from devkit.model.status import StartedWith
from devkit.services.alone import where_it_runs
from devkit.settings.load import RUNNING, Settings, check_above, load
from devkit.settings.options import Options, environment_name
from devkit.settings.paths import paths_for
from devkit.stack.control import ask_status
from devkit.stack.lock import StackLock


def settings_of(start: Path, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Those of the project around `start`: flags, then what its stack was started with, then all else.

    Raises DevkitError.
    """
    place = place_of(start, flags, environ)
    status = ask_status(place.paths.socket)
    told = status.started_with if status else None
    if told is None:
        return place
    running = {"celery": told.celery, "api": told.api, "python": told.python, "env_from": told.env_from}
    told_ones = {key: value for key, value in {**running, "env_file": told.env_files}.items() if value}
    settings = load(start, flags, environ, root=place.root, running=told_ones)
    roots = {"celery": (told.celery_folder, *told.celery_paths), "api": (told.api_folder,)}
    found = {key: tuple(map(Path, folders)) for key, folders in roots.items() if settings.sources[key] == RUNNING}
    return replace(settings, paths=place.paths, import_roots=found)


def place_of(start: Path, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings as the stack itself has them, and whoever only wants to reach it. Raises DevkitError."""
    return where_it_runs(load(start, flags, environ, root=_running_around(start.resolve(), environ)))


def _running_around(start: Path, environ: Mapping[str, str]) -> Path | None:
    """The nearest folder, from `start` upwards, whose stack runs; None where another project lies between.

    A pyproject.toml marks another project unless it is that of the code which the stack runs. Raises DevkitError for a
    pyproject.toml of somebody else beside the stack's data.
    """
    marked: Path | None = None
    for folder in (start, *start.parents):
        if runtime := _runtime(folder, environ):
            if marked and not _runs_code_in(marked, runtime):
                return None
            check_above(folder, start)
            return folder
        if marked is None and (folder / "pyproject.toml").is_file():
            marked = folder
    return None


def _runtime(folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Where the folder's stack has its sockets, if one of this user's runs there."""
    data = paths_for(folder, environ.get(environment_name("data_dir")) or Options.data_dir, environ).data
    with suppress(OSError):
        if data.lstat().st_uid == os.getuid():
            holder = StackLock(data).holder()
            if holder and holder.project and holder.runtime and holder.serves(folder):
                return Path(holder.runtime)
    return None


def _runs_code_in(folder: Path, runtime: Path) -> bool:
    with suppress(DevkitError):
        status = ask_status(runtime / "control.sock")
        told = status.started_with if status else None
        return told is not None and any(Path(one).is_relative_to(folder) for one in _folders(told))
    return False


def _folders(told: StartedWith) -> Iterator[str]:
    """Those that the stack's code is imported from."""
    yield told.celery_folder
    if told.api:
        yield told.api_folder
