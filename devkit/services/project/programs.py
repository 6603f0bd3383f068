"""The project's workers and APIs: those that the settings name, else those that are found; and what each is told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, count, takewhile
from pathlib import Path

from devkit.errors import UsageError, did_you_mean
from devkit.model.wire import Consume, WorkerPart
from devkit.services.project.apps import api_programs, celery_app, programs
from devkit.settings.discover import AppRef, resolve_api, resolve_celery
from devkit.settings.discover.imports import locate
from devkit.settings.discover.programs import ApiProgram, Found, WorkerProgram
from devkit.settings.load import RUNNING, Settings
from devkit.settings.options import Options
from devkit.settings.tables import RESERVED_NAMES, ApiTable, WorkerTable

FIRST_WORKER = "worker"
CALLED = "()"


def find_all(settings: Settings, *, with_apis: bool = True) -> Found:
    """All that there is to start, or the workers alone; the first of each kind is the one that is meant where only one
    can be.

    Raises UsageError where there is no Celery app, and for what is named and is not there.
    """
    if _only_tables(settings, "celery", settings.workers) or settings.sources["celery"] == RUNNING:
        return Found(find_workers(settings), find_apis(settings) if with_apis else ())
    found = _apart(
        programs(settings, with_apis=with_apis), {*RESERVED_NAMES, *(extra.name for extra in settings.extra_services)}
    )
    # What is found beside a table may be what the table names.
    notes = () if settings.workers or settings.apis else found.notes
    if not with_apis:
        return Found(_workers(settings, found.workers), (), notes)
    apis = () if _only_tables(settings, "api", settings.apis) else found.apis
    return Found(_workers(settings, found.workers), _apis(settings, apis), notes)


def find_workers(settings: Settings) -> tuple[WorkerProgram, ...]:
    """Those alone. Raises UsageError where there is none."""
    if _only_tables(settings, "celery", settings.workers):
        return _workers(settings, ())
    if settings.sources["celery"] == RUNNING:
        return _workers(settings, (WorkerProgram(FIRST_WORKER, celery_app(settings)),))
    return _workers(settings, programs(settings, with_apis=False).workers)


def find_apis(settings: Settings) -> tuple[ApiProgram, ...]:
    """Those alone; there may be none. Raises UsageError."""
    return _apis(settings, () if _only_tables(settings, "api", settings.apis) else api_programs(settings))


def first_app(settings: Settings, task: str = "") -> AppRef:
    """The Celery app that is meant where only one can be; of several the one beside the task's module, by the names.

    Raises DevkitError where there is none.
    """
    if settings.sources["celery"] in ("flag", RUNNING):
        return celery_app(settings)
    apps = [worker.app for worker in find_workers(settings)]
    module = task.rpartition(".")[0]

    def nearness(app: AppRef) -> tuple[bool, int]:
        there = module != "" and any(locate(folder, module) for folder in (app.folder, *app.paths))
        pairs = zip(module.split("."), app.module.split("."), strict=False)
        return there, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    return max(apps, key=nearness)


def served(app: AppRef, *, factory: bool) -> AppRef:
    """The app of an API, or the call that makes it."""
    return replace(app, attribute=app.attribute.removesuffix(CALLED) + CALLED) if factory else app


def _only_tables(settings: Settings, key: str, tables: Sequence[WorkerTable | ApiTable]) -> bool:
    """Whether each table names its app and nobody names another; the running stack's may be that of a table."""
    named = getattr(settings.options, key) is not None and settings.sources[key] != RUNNING
    if key == "api":
        return bool(tables) and not named and settings.fastapi_entrypoint is None
    return bool(tables) and not named and all(isinstance(table, WorkerTable) and table.celery for table in tables)


def _workers(settings: Settings, found: Sequence[WorkerProgram]) -> tuple[WorkerProgram, ...]:
    """Where there are tables, they stand in the place of what is found beside the first."""
    if not settings.workers:
        return tuple(found)
    app = found[0].app if found else None
    return (*found[:1], *(_of_table(settings, table, app) for table in settings.workers))


def _apis(settings: Settings, found: Sequence[ApiProgram]) -> tuple[ApiProgram, ...]:
    if not settings.apis:
        return tuple(found)
    return (*found[:1], *(_api_of_table(settings, table) for table in settings.apis))


def _apart(found: Found, taken: set[str]) -> Found:
    """No two services have one name: a worker and an API that lie in one folder may be called alike."""

    def name(usual: str, kind: str) -> str:
        ways = chain((usual, f"{usual}-{kind}"), (f"{usual}-{kind}-{number}" for number in count(2)))
        free = next(way for way in ways if way not in taken)
        taken.add(free)
        return free

    workers = [replace(one, name=name(one.name, "worker")) for one in found.workers[1:]]
    apis = [replace(one, name=name(one.name, "api")) for one in found.apis[1:]]
    return Found((*found.workers[:1], *workers), (*found.apis[:1], *apis), found.notes)


def named(programs: Sequence[WorkerProgram] | Sequence[ApiProgram], name: str) -> int:
    """Where the one of that name stands; the first one's place where the name is empty. Raises UsageError."""
    names = [one.name for one in programs]
    if name and name not in names:
        raise UsageError(
            f"there is no {name} here{did_you_mean(name, names)}", looked=[f"there are: {', '.join(names)}"]
        )
    return names.index(name) if name else 0


def part_of(
    settings: Settings, workers: Sequence[WorkerProgram], place: int, declared: Mapping[AppRef, Sequence[str]] = {}
) -> WorkerPart:
    """What a worker has to know of the others: which queues they have. `declared` are those of each app, as far as
    they are known, that Celery consumes without -Q."""
    own = workers[place]
    besides: set[str] = set()
    for other in workers:
        if other is not own:
            part = WorkerPart(name=other.name, first=other is workers[0], queues=other.queues, concurrency=None,
                              leftovers=False, besides=[])  # fmt: skip
            options = options_of(settings, part)
            besides.update(listed(options.queues or other.queues or "") or _of_app(declared, other.app, own.app))
    return {
        "name": own.name,
        "first": place == 0,
        "queues": own.queues,
        "concurrency": own.concurrency,
        "leftovers": next(one for one in workers if one.app == own.app) is own,
        "besides": sorted(besides),
    }


def options_of(settings: Settings, part: WorkerPart) -> Options:
    """The options as they count for one worker: those of `[tool.devkit]`, of the environment and of flags for the first
    alone; of the others their tables. `queues` are only those that are set."""
    options = settings.options
    table = next((one for one in settings.workers if one.name == part["name"]), WorkerTable(part["name"]))
    given = {
        "concurrency": table.concurrency or part["concurrency"],
        "pool": table.pool,
        "queues": table.queues,
    }
    if part["first"]:
        given |= {key: value for key in given if (value := getattr(options, key)) is not None}
    return replace(options, **given)  # type: ignore[arg-type]


def consume_of(options: Options, part: WorkerPart) -> Consume | None:
    """Which queues a worker takes where none are set for it."""
    if options.queues:
        return None
    return {"own": listed(part["queues"] or ""), "leftovers": part["leftovers"], "besides": part["besides"]}


def listed(queues: str) -> list[str]:
    """As -Q takes them."""
    return [name for part in queues.split(",") if (name := part.strip())]


def _of_app(declared: Mapping[AppRef, Sequence[str]], app: AppRef, own: AppRef) -> Sequence[str]:
    return () if app == own else declared.get(app, ())


def _of_table(settings: Settings, table: WorkerTable, first: AppRef | None) -> WorkerProgram:
    folder = _folder(settings, table)
    app = resolve_celery(folder, table.celery) if table.celery else first
    assert app is not None
    return WorkerProgram(table.name, app, table.queues, table.pool, table.concurrency)


def _api_of_table(settings: Settings, table: ApiTable) -> ApiProgram:
    folder = _folder(settings, table)
    if table.api and table.kind != "django":
        found = resolve_api(folder, table.api)
        return replace(found, name=table.name, kind=table.kind or found.kind, factory=table.factory or found.factory)
    if not (folder / "manage.py").is_file():
        raise UsageError(
            f"[tool.devkit.apis.{table.name}]: there is no {folder / 'manage.py'}",
            mend=['name the app: api = "MODULE:ATTR"', "or correct its folder"],
        )
    return ApiProgram(table.name, "django", folder)


def _folder(settings: Settings, table: WorkerTable | ApiTable) -> Path:
    folder = settings.root / (table.folder or "")
    if not folder.is_dir():
        kind = "workers" if isinstance(table, WorkerTable) else "apis"
        raise UsageError(f"[tool.devkit.{kind}.{table.name}]: there is no folder {folder}", mend=["correct its folder"])
    return folder
