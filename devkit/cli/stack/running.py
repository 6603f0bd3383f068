"""The project's running stack, as the commands beside `up` find it: without containers, or in them."""

from devkit.cli.base import Project
from devkit.model.status import StackStatus
from devkit.services.compose.found import ComposedStack, find_composed
from devkit.stack.control import ask
from devkit.stack.lock import StackLock


def running_stack(project: Project) -> StackStatus | None:
    """How it stands; None where none runs."""
    if answer := ask(project.paths.socket, ask="status"):
        return StackStatus.from_wire(answer)
    if stack := running_in_containers(project):
        holder = StackLock(project.paths.data, project.paths.runtime).holder()
        return stack.status(project.settings.root, holder.pid if holder else None)
    return None


def running_in_containers(project: Project) -> ComposedStack | None:
    """The stack in containers, if any of them runs."""
    stack = find_composed(project.settings, project.paths)
    return stack if stack and stack.running else None


def in_docker_alone(project: Project) -> ComposedStack | None:
    """The containers, if what they print is kept by docker alone: none of devkit's logs is of a later start."""
    if StackLock(project.paths.data, project.paths.runtime).holder() is not None:
        return None
    stack = find_composed(project.settings, project.paths)
    started = project.paths.started
    since = started.read_text() if started.exists() else ""
    return stack if stack and max(one.started_at for one in stack.containers) > since else None
