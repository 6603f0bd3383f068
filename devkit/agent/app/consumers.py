"""Whether a worker takes tasks from a queue, asked of the workers while something else is waited for."""

from threading import Thread
from typing import Any

FIRST_S, ALL_S = 0.5, 1.0


class Consumers:
    """Asks in the background; `workers` are those that answered, each with its queues, once it is `known`."""

    def __init__(self, app: Any, queue: str) -> None:
        self.queue = queue
        self.workers: dict[str, list[str]] = {}
        self.known = False
        self._app = app
        self._thread = Thread(target=self._ask, name="consumers", daemon=True)
        self._thread.start()

    @property
    def is_consumed(self) -> bool:
        return any(self.queue in queues for queues in self.workers.values())

    def wait(self, seconds: "float | None" = None) -> None:
        """Until it is known, or for so long."""
        self._thread.join(seconds)

    def _ask(self) -> None:
        # Who asks for one answer has it at once; for all of them the whole time passes.
        try:
            self._hear(timeout=FIRST_S, limit=1)
            if not self.is_consumed:
                self._hear(timeout=ALL_S)
            self.known = True
        except Exception:  # a broker that cannot carry questions
            return

    def _hear(self, **how: Any) -> None:
        for answer in self._app.control.broadcast("active_queues", reply=True, **how) or ():
            for worker, queues in answer.items():
                if isinstance(queues, list):
                    self.workers[worker] = sorted(str(queue["name"]) for queue in queues)
