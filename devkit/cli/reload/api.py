"""`devkit api`: the API, which reloads."""

import click

from devkit.cli.base import Command, Globals, project_options, switch_off


@click.command(
    cls=Command,
    short_help="Serve the FastAPI application, with hot reload.",
    examples=[
        ("devkit api", "the FastAPI app, which reloads"),
        ("devkit api shop.main:app --port 9000", "this one, there"),
        ("devkit api --host 0.0.0.0 --ready-file /tmp/ready", "in a container"),
    ],
)
@click.argument("module_attr", required=False, metavar="[MODULE:ATTR]")
@click.option("--name", default="", metavar="NAME", help="Which one, of [tool.devkit.apis.NAME].")
@click.option("--factory", is_flag=True, help="ATTR is a function that makes the application; so is MODULE:ATTR().")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port (default: 8000, or the next free one).")
@switch_off("reload", "--no-reload")
@click.option("--ready-file", metavar="FILE", help="Is there while the API accepts connections; for health checks.")
@project_options
@click.pass_obj
def api(
    given: Globals,
    /,
    module_attr: str | None,
    name: str,
    factory: bool,
    host: str,
    port: int | None,
    ready_file: str | None,
    **flags: object,
) -> int:
    """Serve the ASGI application; new code is live as soon as it is saved, and no connection is refused."""
    from devkit.cli.reload.voice import StderrVoice
    from devkit.services.reload.api import ApiPlan
    from devkit.services.reload.parent import has_parent
    from devkit.services.reload.run import run_reloading

    plan = ApiPlan(module_attr, host, name, factory=factory)
    voice = StderrVoice(debug=given.debug)
    read = given.place if has_parent() else given.settings  # a stack does not ask itself
    return run_reloading(lambda: read(**flags), plan, voice, port=port, ready_file=ready_file)
