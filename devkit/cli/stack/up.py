"""`devkit up`: the whole stack with one command."""

import click

from devkit.cli.base import Command, Globals, flag, project_options, switch_off
from devkit.cli.complete import services


@click.command(
    cls=Command,
    short_help="Start the stack: broker, API, worker, Flower, beat.",
    examples=[
        ("devkit up", "the whole stack; Ctrl-C stops it"),
        ("devkit up -d", "in the background: devkit logs -f, devkit down"),
        ("devkit up worker", "the worker, and the broker that it needs"),
        ("devkit up -A shop.worker:queue --env-file dev.env", "this app, with these variables"),
        ("devkit up -Q celery,slow -c 2 --no-flower", "a worker with these queues; no Flower"),
        ("devkit up --broker amqp://", "RabbitMQ as the broker, started if there is none"),
        ("devkit up --docker", "in containers, from docker-compose.dev.yml"),
    ],
)
@click.argument("service", nargs=-1, shell_complete=services)
@flag("api", "--api", metavar="MODULE:ATTR")
@switch_off("with_api", "--no-api")
@switch_off("with_flower", "--no-flower")
@switch_off("with_beat", "--no-beat")
@switch_off("reload", "--no-reload")
@flag("concurrency", "-c", "--concurrency", type=click.IntRange(min=1), metavar="N")
@flag("pool", "-P", "--pool", metavar="NAME")
@flag("queues", "-Q", "--queues", metavar="LIST")
@flag("api_port", "--api-port", type=click.IntRange(1, 65535), metavar="PORT")
@flag("flower_port", "--flower-port", type=click.IntRange(1, 65535), metavar="PORT")
@flag("redis_port", "--redis-port", type=click.IntRange(1, 65535), metavar="PORT")
@flag("rabbitmq_port", "--rabbitmq-port", type=click.IntRange(1, 65535), metavar="PORT")
@flag("with_services", "--with", metavar="SERVICE", multiple=True)
@flag("timeout", "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS")
@click.option("-d", "--detach", is_flag=True, help="Return once all is ready.")
@click.option("--docker", is_flag=True, help="Start it in containers, from docker-compose.dev.yml.")
@click.option("--scale", multiple=True, metavar="SERVICE=N", help="With --docker: so many containers of a service.")
@click.option("--profile", multiple=True, metavar="NAME", help="With --docker: the compose file's services of it, too.")
@click.option("--build", is_flag=True, help="With --docker: build the image anew.")
@project_options
@click.pass_obj
def up(
    given: Globals,
    /,
    service: tuple[str, ...],
    detach: bool,
    docker: bool,
    scale: tuple[str, ...],
    profile: tuple[str, ...],
    build: bool,
    **flags: object,
) -> int:
    """Start Redis, the API, the worker and Flower (and beat); Ctrl-C stops them.

    Naming services starts those, and what they need.
    """
    from devkit.cli.stack import detached, starting
    from devkit.errors import UsageError
    from devkit.services.compose.plan import ComposeRequest

    quiet = detached.inside()
    settings = given.place(**flags)
    if docker:
        return starting.in_containers(settings, ComposeRequest(service, profile, scale, build, detach))
    for name, value in (("--scale", scale), ("--profile", profile), ("--build", build)):
        if value:
            raise UsageError(f"{name} is for a stack in containers", mend=[f"devkit up --docker {name} …"])
    if detach and not quiet:
        return detached.start(settings)
    return starting.here(settings, service, quiet=quiet)
