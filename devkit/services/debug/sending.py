"""The task that `devkit debug --run` sends, and its news while it is debugged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from devkit.errors import DevkitError
from devkit.model.breakpoint import Breakpoint
from devkit.model.wire import SendNews
from devkit.settings.load import Settings
from devkit.store.breakpoints import Breakpoints


class Sending:
    """A task under way: what becomes of it is told in the background. `sent` and `done`: so far as was told."""

    def __init__(self, task_id: str, news: Iterator[SendNews], at_end: Callable[[], object] = lambda: None) -> None:
        self.task_id = task_id
        self.sent = self.done = False
        self._at_end = at_end
        self._news: SimpleQueue[SendNews | DevkitError | None] = SimpleQueue()
        self._thread = Thread(target=self._follow, args=(news,), daemon=True)
        self._thread.start()

    def news(self, timeout: float) -> Iterator[SendNews]:
        """What arrives within that time. Raises the DevkitError for which it could not be sent."""
        try:
            item = self._news.get(timeout=timeout)
            while item is not None:
                if isinstance(item, DevkitError):
                    raise item
                self.sent |= "sent" in item
                self.done |= "done" in item
                yield item
                item = self._news.get_nowait()
        except Empty:
            pass

    def close(self) -> None:
        """Stop asking what becomes of the task; it goes on itself."""
        self._at_end()
        if self._thread.is_alive():
            import psutil

            for child in psutil.Process().children():  # no other is of use to who has debugged
                child.kill()
            self._thread.join()

    def _follow(self, news: Iterator[SendNews]) -> None:
        try:
            for item in news:
                self._news.put(item)
        except DevkitError as error:
            self._news.put(error)


def send_to_debug(
    settings: Settings,
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    queue: str | None,
    *,
    pause: bool,
) -> Sending:
    """Send a task, in the background. With `pause` it stops at its first line, if it calls no debugger itself."""
    from uuid import uuid4

    from devkit.services.project.send import send

    task_id, breakpoints = str(uuid4()), Breakpoints(str(settings.paths.debug))
    once = breakpoints.add(Breakpoint(0, "task", task=task, task_id=task_id)) if pause else None
    news = send(settings, task, args, kwargs, queue=queue, wait=True, task_id=task_id)
    return Sending(task_id, news, lambda: breakpoints.remove([once.number] if once else []))
