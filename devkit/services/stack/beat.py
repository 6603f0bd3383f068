"""Celery beat, which sends the periodic tasks."""

from devkit.services.commands import agent_argv
from devkit.services.stack.project import StackProject, run_order
from devkit.stack.service import Notice, Service


def beat_service(project: StackProject, name: str, depends_on: tuple[str, ...]) -> Service:
    """Its schedule's state is kept under `.devkit/`; no pid file: the supervisor knows its pid."""
    schedule = project.own_files(name) / "schedule"
    argv = ["-A", str(project.celery), "beat", "-l", "INFO", "--schedule", str(schedule), "--pidfile="]
    return Service(
        name=name,
        argv=agent_argv(project.python, name),
        cwd=project.folder,
        env=project.environ,
        order=run_order(project, "celery", argv),
        ready=Notice("beat to read its schedule"),
        depends_on=depends_on,
        optional=True,
        program=True,
        how=f"celery -A {project.celery} beat",
    )
