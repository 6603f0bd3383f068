"""Which Celery workers a project has: by its start lines, by who has the tasks, by usual names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from devkit.settings.discover.entries import Entry, best_entries
from devkit.settings.discover.kinds import CELERY, Kind
from devkit.settings.discover.mend import instead, shown
from devkit.settings.discover.named import Named, is_text, known, name_apps, set_by, together
from devkit.settings.discover.programs import WorkerProgram
from devkit.settings.discover.project import ProjectFiles
from devkit.settings.discover.roots import AppRef, app_ref
from devkit.settings.discover.spec import candidates
from devkit.settings.evidence.line import StartLine

FIRST = "worker"
# Names that services of devkit's own have.
TAKEN = frozenset((FIRST, "redis", "rabbitmq", "api", "flower", "beat", "devkit"))
DEFAULT_QUEUE = "celery"


def workers_of(
    project: ProjectFiles, lines: Sequence[StartLine], asked: AppRef | None, origin: object
) -> tuple[tuple[WorkerProgram, ...], tuple[str, ...]]:
    """The workers, the first is the one that is meant where only one can be, and notes; empty where there is no app.

    `asked` is the app that the user named, made at `origin`: then only that one is meant.
    """
    named = name_apps(project, lines, "worker")
    if asked:
        named = [one for one in named if one.app == origin]
        programs = _by_lines(project, named)
        return tuple(replace(one, app=asked) for one in programs) or (WorkerProgram(FIRST, asked),), ()
    entries = best_entries(project)
    near = [one for one in named if not project.is_aside(one.line.file)]
    # Any other line of Celery's names the app, too.
    also = [one for program in ("beat", "flower") for one in name_apps(project, lines, program)]
    others = [one for one in also if not project.is_aside(one.line.file)]
    programs = _by_lines(project, near) or _by_lines(project, others, options=False)
    if not programs and entries:
        programs = [_by_code(project, entries[0])]
    notes = [*_contradictions(project, near), *_left_out(project, programs, entries)]
    return tuple(programs), tuple(notes)


def _by_lines(project: ProjectFiles, named: Sequence[Named], *, options: bool = True) -> list[WorkerProgram]:
    """A worker for each app, and for each of an app's sets of queues, among the lines that are meant together."""
    if not named:
        return []
    group = together(named[0].line)
    chosen = [one for one in named if together(one.line) == group]
    if is_text(named[0].line.file):
        chosen = _one_each(chosen)
    found: dict[tuple[object, frozenset[str]], Named] = {}
    services: set[tuple[object, str]] = set()
    for one in chosen:
        queues = known(one.line.queues) if options else None
        key = one.app, frozenset((queues or DEFAULT_QUEUE).split(","))
        if key not in found and not (one.line.service and (one.app, one.line.service) in services):
            found[key] = one
        services.add((one.app, one.line.service))
    # The one that takes what goes to no queue in particular is the first.
    order = sorted(found.items(), key=lambda item: DEFAULT_QUEUE not in item[0][1])
    programs: list[WorkerProgram] = []
    for _, one in order:
        reasons = [other.reason(project.root) for other in named if other.app == one.app and other is not one]
        program = WorkerProgram(
            name=_name(one, [program.name for program in programs]),
            app=one.meant.ref,
            reasons=(one.reason(project.root), *dict.fromkeys(reasons)),
        )
        if options:
            program = replace(
                program,
                queues=known(one.line.queues),
                pool=known(one.line.pool),
                concurrency=one.line.concurrency,
                environ=set_by(one.line),
            )
        programs.append(program)
    return programs


def _one_each(named: Iterable[Named]) -> list[Named]:
    """Of a text's lines the first of each app: the others tell other ways to start the same."""
    return list({one.app: one for one in reversed(list(named))}.values())[::-1]


def _by_code(project: ProjectFiles, entry: Entry) -> WorkerProgram:
    return WorkerProgram(FIRST, app_ref(project, entry.app), reasons=entry.reasons(project))


def _name(named: Named, taken: Sequence[str]) -> str:
    """`worker` for the first; else the service's name, or the app's."""
    if not taken:
        return FIRST
    ref = named.meant.ref
    words = [named.line.service, f"{FIRST}-{known(named.line.queues) or ''}", ref.folder.name, ref.module]
    for word in words:
        name = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")
        if name and name not in TAKEN and name not in taken:
            return name
    return next(name for number in range(2, 99) if (name := f"{FIRST}-{number}") not in taken)


def _contradictions(project: ProjectFiles, named: Sequence[Named]) -> list[str]:
    """Texts that tell several ways to start one app, with other queues each."""
    if not named or not is_text(named[0].line.file):
        return []
    first = named[0]
    others = [
        one
        for one in named
        if one.app == first.app and set(one.line.queues.split(",")) != set(first.line.queues.split(","))
    ]
    if not others:
        return []
    places = ", ".join(f"{shown(one.line.file, project.root)}:{one.line.line}" for one in others[:3])
    return [f"the worker starts as in {shown(first.line.file, project.root)}:{first.line.line}; {places} say otherwise"]


def _left_out(project: ProjectFiles, programs: Sequence[WorkerProgram], entries: Sequence[Entry]) -> list[str]:
    """Other apps of the project that have tasks; where none has any, all others."""
    some = any(entry.has_tasks for entry in entries)
    started = {origin_of(project, program.app) for program in programs}
    notes = []
    for entry in entries:
        if entry.has_tasks is some and not entry.aside and entry.app.made.origin not in started:
            place = f"{shown(entry.app.file, project.root)}:{entry.app.line}"
            ref = app_ref(project, entry.app)
            how = instead(project.root, ref, [program.app for program in programs], CELERY)
            notes.append(f"{place} has a Celery app, too: {how} starts that one")
    return notes


def origin_of(project: ProjectFiles, ref: AppRef, kind: Kind = CELERY) -> object:
    """Where the app of a ref is made; None where reading does not tell."""
    for folder in (ref.folder, *ref.paths):
        for candidate in candidates(project.follower, [folder], ref.module):
            meant = candidate.meant(ref.attribute, kind)
            return meant.made.origin if meant and meant.made else None
    return None
