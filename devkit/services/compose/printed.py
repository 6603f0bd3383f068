"""What services in containers have printed, where docker alone keeps it; merged by docker's times."""

import heapq
import time
from collections.abc import Generator, Iterable, Sequence
from queue import Empty, SimpleQueue

from devkit.containers.docker import Container, DockerError
from devkit.containers.project import printed
from devkit.containers.streams import Stream, split, stamped_logs
from devkit.services.compose.found import ComposedStack
from devkit.stack.logfile import Line

LOOK_S = 0.5
MICROSECONDS = len("2026-01-01T00:00:00.000000")


class PrintedInContainers:
    """`devkit.services.running.Printed`."""

    def __init__(self, stack: ComposedStack, names: Sequence[str]) -> None:
        """Raises UsageError for a service that there is not; no name: all of them."""
        self._stack = stack
        self._chosen = stack.chosen(names)
        self._seen: dict[str, str] = {}  # when each printed last, by id
        self._news: SimpleQueue[tuple[str, str, bytes] | str] = SimpleQueue()
        self._streams: dict[str, Stream] = {}
        self.names = [stack.names[one.id] for one in self._chosen]

    def past(self, last: int | None) -> Iterable[Line]:
        return heapq.merge(*(self._past(one, last) for one in self._chosen), key=lambda line: line[0])

    def coming(self) -> Iterable[Line]:
        """Also of containers that start again."""
        ended = {one.id for one in self._chosen}
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
            ended |= yield from self._until_one_ends(LOOK_S if ended else None)

    def close(self) -> None:
        for stream in self._streams.values():
            stream.close()

    def _past(self, container: Container, last: int | None) -> Iterable[Line]:
        # Lines of its two outputs may come in another order than they were printed in.
        lines = sorted(map(split, printed(self._stack.docker, container.id, last, stamped=True).splitlines()))
        if lines:
            self._seen[container.id] = lines[-1][0]
        return (self._line(container.id, at, text) for at, text in lines)

    def _listen(self, container: Container) -> None:
        self._streams[container.id] = stamped_logs(
            self._stack.docker,
            container.id,
            self._seen.get(container.id, ""),
            lambda at, text: self._news.put((container.id, at, text)),
            lambda: self._news.put(container.id),
        )

    def _until_one_ends(self, patience_s: float | None) -> Generator[Line, None, set[str]]:
        """What comes in this time, or until a container ends; returns those that did."""
        deadline = None if patience_s is None else time.monotonic() + patience_s
        while True:
            try:
                news = self._news.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except Empty:
                return set()
            if isinstance(news, str):
                return {news}
            self._seen[news[0]] = news[1]
            yield self._line(*news)

    def _line(self, container: str, at: str, text: bytes) -> Line:
        return f"{at[:MICROSECONDS]}Z", self._stack.names[container], text
