"""The world of a stack in containers: docker, compose and the reporter, too."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from devkit.containers.docker import Container, DockerError
from devkit.containers.streams import Event
from devkit.errors import DevkitError
from devkit.model.loop import Signalled
from devkit.services.compose.messages import Happened, Message
from devkit.services.compose.watch import Watch
from tests.unit.services.compose.listed import container
from tests.unit.world import ReportingWorld

CTRL_C = Signalled(signal.SIGINT)
EARLIER, LATER = "2026-11-22T20:40:00.0Z", "2026-11-22T20:50:00.0Z"


class World(ReportingWorld[Message]):
    """Runs a watch over a history: one message each second, from the first on, unless `wait` lets time pass.

    Each message comes with what docker has to tell by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.containers: dict[str, Container] = {}
        self.answers = True
        self._last = 0.0

    def run(self, *, stays: bool = False, before: Sequence[str] = ()) -> int:
        """The exit code, once all has happened."""
        watch = Watch(self, self, self, start_timeout_s=60.0, stays=stays, before=before, clock=lambda: self.now)
        code = watch.run()
        assert not self._future, self.log
        return code

    # What happens

    def then(self, message: Message, change: Callable[[], object] = lambda: None) -> "World":
        self._last += 1

        def event() -> Message:
            change()
            return message

        self.at(self._last, event)
        return self

    def wait(self, seconds: float) -> "World":
        self._last += seconds
        return self

    def event(self, action: str, service: str, code: int = 0, by: str = "", **more: Any) -> "World":
        """Something happens to a container, which then is like that."""
        id_ = container(service).id
        return self.then(Happened(Event(id_, action, code, by)), lambda: self.set(service, **more))

    def dies(self, service: str, code: int, **more: Any) -> "World":
        return self.event("die", service, code, **{"state": "exited", "exit_code": code, **more})

    def set(self, service: str, **more: Any) -> None:
        """A container is made, or changes."""
        before = self.containers.get(service) or container(service, started_at=EARLIER)
        self.containers[service] = replace(before, **more)

    # The engine

    def look(self, containers: Sequence[str] = ()) -> list[Container]:
        if not self.answers:
            raise DockerError("timed out")
        return [one for one in self.containers.values() if not containers or one.id in containers]

    def follow(self, name: str, container: Container) -> None:
        self.note(f"follow {name}")

    def last_words(self, container: Container) -> str:
        return f"last words of {container.service}"

    def keep(self, times: Mapping[str, float]) -> None:
        pass

    def explain(self) -> DevkitError:
        return DevkitError("compose failed")

    def stop_compose(self, *, kill: bool) -> None:
        self.note("kill compose" if kill else "stop compose")

    def take_down(self, *, kill: bool) -> None:
        self.note("kill all" if kill else "take down")

    # The reporter

    def add(self, names: Sequence[str]) -> None:
        pass
