"""Tasks that a project defines and its app does not know: no module that comes with the app imports theirs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devkit.model.text import is_named
from devkit.settings.discover.entries import FEW, all_tasks, task_files
from devkit.settings.discover.imports import dotted
from devkit.settings.discover.kinds import CELERY
from devkit.settings.discover.mend import shown
from devkit.settings.discover.project import ProjectFiles, apps_in, scan
from devkit.settings.discover.roots import AppRef, import_root
from devkit.settings.discover.tasks import Task
from devkit.settings.discover.values import Origin
from devkit.settings.discover.workers import origin_of

MOST_SHOWN = 3
LARGE = 1000  # files
CELERYS_OWN = "celery."


@dataclass(frozen=True)
class Unreached:
    """A task that the app does not know: its `name` once it is imported from `module`, and where it is `defined`.

    `where` the app is made, in words; `surely`: it can be no other app's.
    """

    name: str
    module: str
    defined: str
    mend: tuple[str, ...]
    where: str = field(default="", compare=False)
    surely: bool = field(default=False, compare=False)


def tasks_not_reached(root: Path, app: AppRef, known: Collection[str]) -> list[Unreached]:
    """The tasks of the project's that would hang on this app, but for `known`, which its worker told; each with the
    lines that would import it."""
    project = scan(root.resolve())
    return list(_not_reached(project, app, known))


def task_modules(root: Path, app: AppRef) -> list[str]:
    """The modules that would give tasks to an app which has none: those of the project's whose tasks hang on it."""
    project = scan(root.resolve())
    sure = [one for one in _not_reached(project, app, ()) if one.surely]
    return list(dict.fromkeys(one.module for one in sure))


def note_of(root: Path, app: AppRef, known: Collection[str], included: Sequence[str] = ()) -> str:
    """What is to be said of an app before its worker starts, which has the `known` tasks: that it has none, or not all,
    or only by the modules that its worker `included`.

    Empty where it has what the project defines for it.
    """
    project = scan(root.resolve())
    if included:
        first = next(one for one in _not_reached(project, app, ()) if one.module in included)
        names = ",".join(included)
        return (
            f"{app} has no tasks of its own: nothing imports {names} ({first.defined}), so the worker does:"
            f" celery worker -I {names}; for good, {_import_line(first.where, included)}"
        )
    if known and (len(project.files) > LARGE or len(task_files(project)) > FEW):
        return ""  # a large project takes long to look through, and its worker has work to do
    missing = list(_not_reached(project, app, known))
    if not missing:
        return "" if known else f"{app} has no tasks, and no module of the project has any for it"
    first = missing[0]
    which = "has no tasks" if not known else f"does not have {first.name}"
    more = f", and {len(missing) - 1} more like it" if len(missing) > 1 else ""
    return f"{app} {which}: nothing imports {first.module} ({first.defined}{more}); {'; '.join(first.mend)}"


def in_words(unreached: Sequence[Unreached]) -> tuple[list[str], list[str]]:
    """Where devkit looked, and what mends it: the first few, and each module's ways once."""
    looked = [f"{one.defined} defines {one.name}, but nothing that comes with the app imports it" for one in unreached]
    more = [f"and {len(looked) - MOST_SHOWN} more"] if len(looked) > MOST_SHOWN else []
    mend = list(dict.fromkeys(way for one in unreached[:MOST_SHOWN] for way in one.mend))
    return [*looked[:MOST_SHOWN], *more], mend


def _not_reached(project: ProjectFiles, app: AppRef, known: Collection[str]) -> Iterator[Unreached]:
    origin = origin_of(project, app)
    alone = len({one.made.origin for one in project.apps(CELERY) if not project.is_aside(one.file)}) <= 1
    for task in all_tasks(project):
        module = _module(project, app, task)
        # Its module may have been imported by another name.
        end = task.name or f"{module.rpartition('.')[2]}.{task.function}"
        if known and (task.unread or end.startswith(CELERYS_OWN)):
            continue  # one of these may be it; or it has a name that is passed over as one of Celery's own
        if (task.on == origin if task.on else alone or not known) and not any(is_named(one, end) for one in known):
            defined = f"{shown(task.file, project.root)}:{task.line}"
            where, surely = _where(project, origin), alone or task.on == origin is not None
            ways = tuple(_ways(project, app, task, module))
            yield Unreached(task.called(module), module, defined, ways, where, surely)


def _module(project: ProjectFiles, app: AppRef, task: Task) -> str:
    """The name under which the app would import the task's module."""
    folders = [folder for folder in (app.folder, *app.paths) if task.file.is_relative_to(folder)]
    return dotted(task.file, folders[0] if folders else import_root(project, task.file))


def _where(project: ProjectFiles, origin: object) -> str:
    """Where the app is made, as a part of a sentence; empty where reading does not tell."""
    if isinstance(origin, Origin) and isinstance(origin.file, Path):
        return f" where the app is made, {shown(origin.file, project.root)}:{origin.line}"
    return ""


def _import_line(where: str, modules: Sequence[str]) -> str:
    names = ", ".join(f'"{one}"' for one in modules)
    return f"import {'it' if len(modules) == 1 else 'them'}{where}: include=[{names}]"


def _ways(project: ProjectFiles, app: AppRef, task: Task, module: str) -> list[str]:
    origin = origin_of(project, app)
    package, _, last = module.rpartition(".")
    related = "" if last == "tasks" else f', related_name="{last}"'
    ways = [_import_line(_where(project, origin), [module])]
    if package:
        ways.append(f'or let it be found: autodiscover_tasks(["{package}"]{related})')
    source = project.follower.source(task.file)
    names = [name for name, bound in source.top.bound.items() if any(one.imported for one in bound)] if source else []
    here = [app.attribute for app in apps_in(project.follower, source, CELERY)] if source else []
    for name in here or names:
        value = project.follower.named(source.top, name) if source else None
        if getattr(value, "origin", None) == origin and origin is not None:
            return [*ways, f"or start the worker with that module, without a change: devkit up -A {module}:{name}"]
    return ways
