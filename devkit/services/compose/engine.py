"""What compose and docker are told to do for a stack in containers, each in a thread of its own."""

from collections.abc import Callable, Mapping, Sequence
from threading import Thread

from devkit.containers.complaints import explain
from devkit.containers.compose import Compose, ComposeRun
from devkit.containers.docker import Container, DockerError, ask, inspect
from devkit.containers.project import members, printed, take_down
from devkit.containers.streams import Stream, events, logs
from devkit.errors import DevkitError
from devkit.services.compose.messages import Composed, ContainersReporter, Down, EventsEnded, Happened, Inbox
from devkit.services.compose.plan import ComposePlan, keep_notes
from devkit.settings.paths import Paths
from devkit.stack.excerpt import excerpt
from devkit.stack.ports import holder

TAIL_LINES = 20
LAST_WORDS_S = 2.0  # for the output of a container that has ended


class DockerEngine:
    """Docker and compose, for the loop: what takes time is done by threads, which leave a message."""

    def __init__(
        self, docker: str, compose: Compose, plan: ComposePlan, paths: Paths, inbox: Inbox, reporter: ContainersReporter
    ) -> None:
        self._docker = docker
        self._compose = compose
        self._plan = plan
        self._paths = paths
        self._inbox = inbox
        self._reporter = reporter
        self._up: ComposeRun | None = None
        self._stopped = self._gone = False
        self._streams: list[Stream] = []
        self._logs: dict[str, Stream] = {}  # the last one of each container

    def start(self) -> None:
        """Listen to docker, and have compose start everything."""
        happened, ended = (lambda event: self._inbox.put(Happened(event))), (lambda: self._inbox.put(EventsEnded()))
        self._streams.append(events(self._docker, self._plan.project, happened, ended))
        if self._compose.old:  # it is to make all containers before it starts one, as version 2 does
            self._compose_up("--no-start", then=self._started_by_old)
        else:
            self._compose_up("--detach", then=self._composed)

    def look(self, containers: Sequence[str] = ()) -> list[Container]:
        return inspect(self._docker, containers) if containers else members(self._docker, self._plan.project)

    def follow(self, name: str, container: Container) -> None:
        self._logs[container.id] = stream = logs(
            self._docker,
            container.id,
            # Docker notes a start late: what was printed at once would be from before it.
            container.started_at if container.id in self._logs else "0",
            lambda chunk: self._reporter.output(name, chunk),
            lambda: self._reporter.ended(name),
        )
        self._streams.append(stream)

    def last_words(self, container: Container) -> str:
        return excerpt(printed(self._docker, container.id, TAIL_LINES * 3).decode(errors="replace"), TAIL_LINES)

    def keep(self, times: Mapping[str, float]) -> None:
        keep_notes(self._paths, self._plan.fingerprint, times)

    def explain(self) -> DevkitError:
        return explain(self._up.output if self._up else "", self._plan.file.name, holder, self._services)

    def stop_compose(self, *, kill: bool) -> None:
        self._stopped = True
        if self._up:
            self._up.stop(kill=kill)

    def take_down(self, *, kill: bool) -> None:
        Thread(target=self._take_down, args=(kill,), name="down", daemon=True).start()

    def close(self) -> None:
        """Read no more; what containers that have ended said is waited for."""
        for stream in self._streams[1:]:
            stream.join(LAST_WORDS_S if self._gone else 0)
        for stream in self._streams:
            stream.close()

    def _compose_up(self, how: str, then: Callable[[int], None]) -> None:
        argv = self._argv("up", how, *self._plan.arguments)
        self._up = ComposeRun(argv, cwd=self._plan.folder, env=self._plan.environ, on_end=then)

    def _started_by_old(self, code: int) -> None:
        if code or self._stopped:
            self._composed(code)
        else:
            self._compose_up("--detach", then=self._composed)

    def _composed(self, code: int) -> None:
        self._inbox.put(Composed(code))

    def _argv(self, *arguments: str) -> list[str]:
        return [*self._compose.argv, "-f", str(self._plan.file), *arguments]

    def _services(self) -> list[str]:
        """All that the compose file has, with those of profiles that are off."""
        try:
            return ask(self._argv("--profile", "*", "config", "--services")).split()
        except DockerError:
            return []

    def _take_down(self, kill: bool) -> None:
        problem = ""
        try:
            for one in self.look() if not kill else ():
                if not one.running and one.id in self._logs:
                    self._logs[one.id].join(LAST_WORDS_S)  # with the container its output goes
            take_down(self._docker, self._plan.project, self._plan.folder, kill=kill)
        except DockerError:
            try:  # of several that end at once, one may have been in another's way
                take_down(self._docker, self._plan.project, self._plan.folder, kill=True)
            except DockerError as error:
                problem = str(error)
        self._gone = not problem
        self._inbox.put(Down(problem))
