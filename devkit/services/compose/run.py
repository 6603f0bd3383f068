"""`devkit up --docker`: the stack of the compose file, started by compose, watched by devkit, kept by docker."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from queue import SimpleQueue

from devkit.containers.complaints import explain, no_docker
from devkit.containers.compose import find_compose
from devkit.containers.docker import DockerError, containers, find_docker
from devkit.containers.project import is_of
from devkit.errors import DevkitError
from devkit.model.loop import Signalled
from devkit.model.status import ServiceStatus
from devkit.services.alone import only_stack
from devkit.services.compose.engine import DockerEngine
from devkit.services.compose.messages import ContainersReporter, Inbox
from devkit.services.compose.plan import ComposePlan, ComposeRequest, give_away, make_plan
from devkit.services.compose.watch import Watch
from devkit.services.signals import signals_into
from devkit.settings.load import Settings
from devkit.stack.control import ControlServer
from devkit.stack.messages import Taker
from devkit.stack.ports import holder

MakeReporter = Callable[[Taker], AbstractContextManager[ContainersReporter]]


def run_containers(
    settings: Settings, request: ComposeRequest, make_reporter: MakeReporter
) -> tuple[int, list[ServiceStatus]]:
    """Start the stack in containers; stay until it is stopped, or only until all is ready (`request.detach`).

    Returns the exit code and how the containers stand. Raises DevkitError before anything is started.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as cleanup:
        left = cleanup.enter_context(only_stack(settings))
        plan = make_plan(settings, request)
        cleanup.callback(plan.ports.close)
        docker = find_docker(plan.environ.get("PATH"))
        if docker is None:
            raise no_docker()
        before = _there_already(docker, plan)
        compose = find_compose(docker, plan.environ)
        give_away(settings.paths, plan.environ)
        inbox: Inbox = SimpleQueue()
        reporter = cleanup.enter_context(make_reporter(inbox))
        crashed = [f"ended what a crash had left running: {', '.join(left)}"] if left else []
        for note in (f"starting {plan.file.name} in containers", *crashed, *plan.notes):
            reporter.notice(note)
        server = ControlServer(settings.paths.containers_socket, inbox)
        cleanup.callback(server.close)
        engine = DockerEngine(docker, compose, plan, settings.paths, inbox, reporter)
        cleanup.callback(engine.close)
        watch = Watch(
            engine,
            inbox,
            reporter,
            start_timeout_s=settings.options.timeout,
            stays=request.detach,
            before=before,
        )
        with signals_into(lambda signum: inbox.put(Signalled(signum))):
            engine.start()
            code = watch.run()
        return code, watch.statuses()


def _there_already(docker: str, plan: ComposePlan) -> set[str]:
    """The starts of the containers that were left stopped. Raises DevkitError for any that are not ours to start."""
    try:
        found = containers(docker, stopped=True)
    except DockerError as error:
        raise explain(str(error), plan.file.name, holder) from error
    own = [one for one in found if is_of(one, plan.file)]
    if running := [one for one in own if one.running]:
        raise DevkitError(
            f"this stack runs already, in the containers {', '.join(one.name for one in running)}",
            mend=["see it: devkit status", "stop it: devkit down"],
        )
    others = [one for one in found if one.project == plan.project and one not in own]
    if others:
        of = ", ".join(sorted({os.path.join(one.folder, *one.config_files[:1]) for one in others}))  # noqa: PTH118
        raise DevkitError(
            f"there are containers of another compose project '{plan.project}', which this one would replace",
            looked=[f"{', '.join(one.name for one in others)}: of {of}"],
            mend=[
                "give this one a name of its own: COMPOSE_PROJECT_NAME=… in .env",
                f"or remove those: docker compose -p {plan.project} down",
            ],
        )
    return {one.started_at for one in own}
