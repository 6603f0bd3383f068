"""`devkit worker`: a Celery worker that reloads."""

import click

from devkit.cli.base import Command, Globals, project_options, switch_off


@click.command(
    cls=Command,
    short_help="Run a Celery worker, with hot reload.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True},
    examples=[
        ("devkit worker", "celery worker, which reloads"),
        ("devkit worker -A shop.worker:queue -Q slow -c 2", "the rest are options of celery worker"),
        ("devkit worker --no-reload", "without looking for changes"),
    ],
)
@click.option("--name", default="", metavar="NAME", help="Which one, of [tool.devkit.workers.NAME].")
@switch_off("reload", "--no-reload")
@click.option("--ready-file", metavar="FILE", help="Is there while the worker consumes; for health checks.")
@click.argument("celery_options", nargs=-1, type=click.UNPROCESSED, metavar="[CELERY WORKER OPTIONS]...")
@project_options
@click.pass_obj
def worker(
    given: Globals, /, celery_options: tuple[str, ...], name: str, ready_file: str | None, **flags: object
) -> int:
    """Run a Celery worker; new code is live as soon as it is saved, and no task is lost.

    All other options are those of `celery worker`.
    """
    from devkit.cli.reload.voice import StderrVoice
    from devkit.services.reload.parent import has_parent
    from devkit.services.reload.run import run_reloading
    from devkit.services.reload.worker import WorkerPlan

    plan = WorkerPlan(celery_options, name)
    voice = StderrVoice(debug=given.debug)
    read = given.place if has_parent() else given.settings  # a stack does not ask itself
    return run_reloading(lambda: read(**flags), plan, voice, ready_file=ready_file)
