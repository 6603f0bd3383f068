"""For each Celery app of the project the module to start: the one that makes it, or one that has the tasks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devkit.settings.discover.follow import CURRENT
from devkit.settings.discover.kinds import CELERY, place
from devkit.settings.discover.mend import shown
from devkit.settings.discover.project import App, ProjectFiles
from devkit.settings.discover.reach import announces, reached_tasks
from devkit.settings.discover.tasks import Task, may_have_tasks, tasks_in
from devkit.settings.discover.values import Made, Origin

MOST = 300  # files that are parsed for their tasks
FEW = 20  # files with tasks, of which one may have most
# Modules that people make to be started, and that may only import the app.
_TO_BE_STARTED = ("celery_worker", "worker", "make_celery", "run_celery", "celery_app", "celery")


@dataclass(frozen=True)
class Entry:
    """A module that a worker may start with. `has_tasks`: some hang on its app, else it may be for sending only."""

    app: App
    made_here: bool
    has_tasks: bool
    aside: bool

    def reasons(self, project: ProjectFiles) -> tuple[str, ...]:
        at = f"{shown(self.app.file, project.root)}:{self.app.line}"
        if self.made_here:
            return (f"{at}  {self.app.attribute} = Celery app",)
        return (f"{at}  {self.app.attribute}, whose tasks come with this module", _made_at(project, self.app.made))


def best_entries(project: ProjectFiles) -> list[Entry]:
    """The entry of each app, the likeliest app first."""
    made = defaultdict(list)
    for app in project.apps(CELERY):
        made[app.made.origin].append(app)
    near = [apps for apps in made.values() if not all(project.is_aside(app.file) for app in apps)]
    tasks = all_tasks(project) if len(near) > 1 else None
    return sorted((_entry(project, apps, tasks) for apps in made.values()), key=lambda entry: _rank(project, entry))


def all_tasks(project: ProjectFiles) -> list[Task]:
    """The tasks of the project's own files."""
    sources = (project.follower.source(file, project.contents.of(str(file))) for file in task_files(project)[:MOST])
    return [task for source in sources if source for task in tasks_in(project.follower, source)]


def task_files(project: ProjectFiles) -> list[Path]:
    """The project's own files that may have tasks."""
    found = (Path(file) for file in project.files if may_have_tasks(project.contents.of(file)))
    return [file for file in found if not project.is_aside(file)]


def _entry(project: ProjectFiles, apps: Sequence[App], tasks: Sequence[Task] | None) -> Entry:
    """`tasks` are None where there is no other app on which they could hang."""
    origin = apps[0].made.origin
    # What makes it counts, too: a factory's module announces for all who call it.
    told = isinstance(origin.file, Path) and announces(project, origin.file)
    telling = [app for app in apps if told or announces(project, app.file)]
    if tasks is None and len(apps) == 1 and telling:
        return Entry(apps[0], made_here=True, has_tasks=True, aside=project.is_aside(apps[0].file))
    shared = {task.file for task in tasks or () if task.on is None}
    own = {task.file for task in tasks or () if task.on == origin}
    reaching = [app for app in apps if _reaches(project, app.file, None if tasks is None else own | shared)]
    has_tasks = bool(own or reaching or (telling and shared))
    if not reaching and not telling:
        files = set(task_files(project)) if tasks is None else own
        if files and (others := _importers(project, origin, files)):
            return Entry(others[0], made_here=False, has_tasks=True, aside=project.is_aside(others[0].file))
    app = next(app for app in (*reaching, *telling, *apps))
    return Entry(app, made_here=True, has_tasks=has_tasks, aside=project.is_aside(app.file))


def _reaches(project: ProjectFiles, file: Path, tasks: set[Path] | None) -> bool:
    """Whether some of these files (None: of any that may have tasks) come with a module."""
    reached = reached_tasks(project, file)
    return bool(reached if tasks is None else reached & tasks)


def _importers(project: ProjectFiles, origin: Origin, files: set[Path]) -> list[App]:
    """The modules that import the app and bring most of its tasks, or are there to be started; the likeliest first."""
    stems = {Path(file) for file in project.files if file.rpartition("/")[2].removesuffix(".py") in _TO_BE_STARTED}
    found: list[tuple[tuple[int, int, int, int], App]] = []
    for file in sorted(stems | files if len(files) <= FEW else stems):
        source = project.follower.source(file) if not project.is_aside(file) else None
        for name in source.top.bound if source else ():
            value = project.follower.named(source.top, name) if source else None
            if source and isinstance(value, Made) and value.origin == origin and origin.file != CURRENT:
                app = App(file, source.top.bound[name][0].line, name, value)
                reached = len(files & reached_tasks(project, file))
                if (2 * reached >= len(files) or file in stems) and file != origin.file:
                    rank = project.rank(app, CELERY)
                    found.append(((-reached, place(file.stem, _TO_BE_STARTED), rank[1], rank[3]), app))
    return [app for _, app in sorted(found, key=lambda one: one[0])]


def _rank(project: ProjectFiles, entry: Entry) -> tuple[object, ...]:
    """The least is the likeliest: not aside, with tasks, by usual names and places."""
    return (entry.aside, not entry.has_tasks, project.rank(entry.app, CELERY), str(entry.app.file))


def _made_at(project: ProjectFiles, made: Made) -> str:
    origin = made.origin
    return f"{shown(Path(origin.file), project.root)}:{origin.line}  makes it"
