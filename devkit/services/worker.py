"""The Celery worker."""

from devkit.services.base import Project, agent_argv, run_order
from devkit.stack.service import Notice, Service

FIRST = ("celery.app.base", "celery.backends.redis", "kombu.transport.redis")
AHEAD = ("celery.bin.celery", "celery.apps.worker", "celery.worker.consumer", "celery.concurrency.prefork")
# These pools patch the standard library, and have to do so before anything else is imported.
PATCHING_POOLS = ("gevent", "eventlet")


def worker_argv(python: str, pool: str | None) -> tuple[str, ...]:
    """The command that starts a worker early."""
    if pool in PATCHING_POOLS:
        return agent_argv(python, "worker")
    return agent_argv(python, "worker", first=FIRST, ahead=AHEAD)


def worker_service(project: Project, depends_on: tuple[str, ...]) -> Service:
    """Events are on, for Flower; mingle and gossip, which wait for other workers, are off: here is only one."""
    options = project.settings.options
    argv = ["-A", str(project.celery), "worker", "-l", "INFO", "-E", "--without-mingle", "--without-gossip"]
    if options.concurrency is not None:
        argv += ["-c", str(options.concurrency)]
    if options.pool:
        argv += ["-P", options.pool]
    if options.queues:
        argv += ["-Q", options.queues]
    return Service(
        name="worker",
        argv=worker_argv(project.python, options.pool),
        cwd=project.folder,
        env=project.environ,
        order=run_order(project, "celery", argv),
        ready=Notice("the worker to consume from its queues"),
        depends_on=depends_on,
        how="celery " + " ".join(argv),
        # The first signal lets running tasks finish.
        grace_s=10.0,
    )
