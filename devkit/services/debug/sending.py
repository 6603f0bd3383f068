"""The task that `devkit debug --run` sends, and its news while it is debugged."""

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from devkit.errors import DevkitError


class Sending:
    """A task under way: what becomes of it is told in the background."""

    def __init__(self, news: Iterator[dict[str, Any]], at_end: Callable[[], object] = lambda: None) -> None:
        self._at_end = at_end
        self._news: SimpleQueue[dict[str, Any] | DevkitError | None] = SimpleQueue()
        self._thread = Thread(target=self._follow, args=(news,), daemon=True)
        self._thread.start()

    def news(self, timeout: float) -> Iterator[dict[str, Any]]:
        """What arrives within that time. Raises the DevkitError for which it could not be sent."""
        try:
            item = self._news.get(timeout=timeout)
            while item is not None:
                if isinstance(item, DevkitError):
                    raise item
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

    def _follow(self, news: Iterator[dict[str, Any]]) -> None:
        try:
            for item in news:
                self._news.put(item)
        except DevkitError as error:
            self._news.put(error)
