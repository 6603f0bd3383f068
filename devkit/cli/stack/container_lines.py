"""The view behind `devkit logs` where docker keeps the output: the same form, merged by docker's times."""

import heapq
import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

from devkit.cli.stack.lines import Line, Lines
from devkit.containers.docker import Container, DockerError
from devkit.containers.project import printed
from devkit.containers.streams import Stream, split, stamped_logs
from devkit.services.compose.found import ComposedStack

LOOK_S = 0.5
MICROSECONDS = len("2026-01-01T00:00:00.000000")


class ContainerLogView:
    """Shows the lines of the named services, or of all, that run in containers."""

    def __init__(self, stack: ComposedStack, names: Sequence[str], *, as_json: bool, following: bool) -> None:
        """Raises UsageError for a service that there is not."""
        self._stack = stack
        self._chosen = stack.chosen(names)
        self._seen: dict[str, str] = {}  # when each printed last, by id
        self._news: SimpleQueue[tuple[str, str, bytes] | str] = SimpleQueue()
        self._streams: dict[str, Stream] = {}
        self._shown = Lines([stack.names[one.id] for one in self._chosen], as_json=as_json, following=following)

    def show_past(self, last: int | None) -> None:
        """Show what there is, at most the `last` lines of each container."""
        self._shown.past(heapq.merge(*(self._past(one, last) for one in self._chosen), key=lambda line: line[0]))

    def follow(self) -> None:
        """Show what comes, also of containers that start again, until none of the stack runs any more."""
        ids = {one.id for one in self._chosen}
        ended = {*ids}
        while True:
            try:
                now = self._stack.again() if ended else self._stack
            except DockerError:
                return  # the engine has ended
            if ended and not now.running:
                return
            for container in now.containers:
                if container.id in ended and container.running:
                    ended.discard(container.id)
                    self._listen(container)
            ended |= self._pass_on(LOOK_S if ended else None)

    def close(self) -> None:
        """Write out what is left."""
        for stream in self._streams.values():
            stream.close()
        self._shown.close()

    def _past(self, container: Container, last: int | None) -> Iterator[Line]:
        # Lines of its two outputs may come in another order than they were printed in.
        lines = sorted(map(split, printed(self._stack.docker, container.id, last, stamped=True).splitlines()))
        if lines:
            self._seen[container.id] = lines[-1][0]
        return (self._line(container.id, at, text) for at, text in lines)

    def _listen(self, container: Container) -> None:
        def printed(at: str, text: bytes) -> None:
            self._news.put((container.id, at, text))

        self._streams[container.id] = stamped_logs(
            self._stack.docker,
            container.id,
            self._seen.get(container.id, ""),
            printed,
            lambda: self._news.put(container.id),
        )

    def _pass_on(self, patience_s: float | None) -> set[str]:
        """Show what comes in this time, or until a container ends; returns those that did."""
        deadline = None if patience_s is None else time.monotonic() + patience_s
        while True:
            try:
                news = self._news.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except Empty:
                return set()
            if isinstance(news, str):
                return {news}
            self._seen[news[0]] = news[1]
            self._shown.more([self._line(*news)])

    def _line(self, container: str, at: str, text: bytes) -> Line:
        return f"{at[:MICROSECONDS]}Z", self._stack.names[container], text
