"""A Celery worker as a service of the stack: `devkit worker`."""

from dataclasses import replace

from devkit.model.wire import AppFacts, WorkerPart
from devkit.services.commands import devkit_argv
from devkit.services.project.install import pip
from devkit.services.project.programs import options_of
from devkit.services.reload.worker import PATCHING_POOLS, worker_options
from devkit.services.stack.project import StackProject, worker_order
from devkit.settings.discover.programs import WorkerProgram
from devkit.settings.load import Settings
from devkit.stack.service import Notice, Service


def worker_argv(settings: Settings, name: str = "", pool: str | None = None) -> tuple[str, ...]:
    """The command that starts a worker early: what was given as a flag to `up` is a flag here, too, for the first.

    `pool` is one that no setting names: it decides what may be imported early.
    """
    options, flags = settings.options, ["--name", name] if name else []
    for key, flag in (("celery", "-A"), ("concurrency", "-c"), ("pool", "-P"), ("queues", "-Q")):
        if settings.sources[key] == "flag" and not name:
            flags += [flag, str(getattr(options, key))]
    return devkit_argv("worker", [*settings.passed_on(), *flags, *(["-P", pool] if pool else [])])


def argv_of(settings: Settings, worker: WorkerProgram, part: WorkerPart) -> tuple[str, ...]:
    """The command of one of several."""
    pool = None if options_of(settings, part).pool else worker.pool
    return worker_argv(settings, "" if part["first"] else worker.name, pool)


def fitting(
    settings: Settings, worker: WorkerProgram, part: WorkerPart, facts: AppFacts | None
) -> tuple[WorkerProgram, list[str]]:
    """The worker as it can be run here, and notes on what is other than the project's start line has it."""
    notes, pool = [], worker.pool
    if facts and facts["forces_root"]:
        notes.append("the worker accepts pickle, which Celery refuses to root: it runs with C_FORCE_ROOT=1")
    known = not facts or not pool or pool in facts["pools"] or ":" in pool or "." in pool
    if known or options_of(settings, part).pool:
        return worker, notes
    assert facts
    line = f"{worker.reasons[0]}: " if worker.reasons else ""
    install = f"; {pip(facts['python'])} {pool}" if pool in PATCHING_POOLS else ""
    notes.append(f"{line}there is no pool {pool} here, so {worker.name} runs with Celery's usual one{install}")
    # What it has of greenlets nobody wants of processes: a thousand are usual.
    return replace(worker, pool=None, concurrency=None), notes


def worker_service(
    project: StackProject, worker: WorkerProgram, part: WorkerPart, depends_on: tuple[str, ...]
) -> Service:
    """`devkit worker`, with the app and the broker that `up` has found."""
    options = options_of(project.settings, part)
    shown = [*worker_options(options), *(["-P", worker.pool] if worker.pool and not options.pool else [])]
    shown += ["-Q", part["queues"]] if part["queues"] and not options.queues else []
    shown += ["-I", included] if (included := project.late.get("DEVKIT_INCLUDE")) else []
    return Service(
        name=worker.name,
        argv=argv_of(project.settings, worker, part),
        cwd=project.settings.root,
        env=project.own_environ,
        order=worker_order(project, part),
        ready=Notice("the worker to consume from its queues"),
        depends_on=depends_on,
        optional=True,
        program=True,
        how=f"celery -A {project.celery} worker {' '.join(shown)}",
        # The first signal lets running tasks finish.
        grace_s=10.0,
    )
