"""The Celery worker as a service of the stack: `devkit worker`."""

from devkit.services.commands import devkit_argv
from devkit.services.reload.worker import worker_options
from devkit.services.stack.project import StackProject, app_order
from devkit.settings.load import Settings
from devkit.stack.service import Notice, Service


def worker_argv(settings: Settings) -> tuple[str, ...]:
    """The command that starts the worker early: what was given as a flag to `up` is a flag here, too."""
    options, flags = settings.options, []
    for key, flag in (("celery", "-A"), ("concurrency", "-c"), ("pool", "-P"), ("queues", "-Q")):
        if settings.sources[key] == "flag":
            flags += [flag, str(getattr(options, key))]
    return devkit_argv("worker", [*settings.passed_on(), *flags])


def worker_service(project: StackProject, depends_on: tuple[str, ...]) -> Service:
    """`devkit worker`, with the app and the broker that `up` has found."""
    options = project.settings.options
    return Service(
        name="worker",
        argv=worker_argv(project.settings),
        cwd=project.settings.root,
        env=project.own_environ,
        order=app_order(project, project.celery, "worker"),
        ready=Notice("the worker to consume from its queues"),
        depends_on=depends_on,
        how=f"celery -A {project.celery} worker {' '.join(worker_options(options))}",
        # The first signal lets running tasks finish.
        grace_s=10.0,
    )
