"""What workers tell of one task while it is waited for: Celery's events, where the broker can carry them."""

import time
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

ENDS = {
    "task-succeeded": "SUCCESS",
    "task-failed": "FAILURE",
    "task-revoked": "REVOKED",
    "task-rejected": "REJECTED",
}
AGAIN_S = 1.0


class TaskEvents:
    """Listens from before the task is sent; `worker` has it, which has `started` it, and `end` is the event that ended
    it.

    No event comes from a worker without -E, nor through a broker that cannot carry them.
    """

    def __init__(self, app: Any, task_id: str) -> None:
        self.worker = ""
        self.started = False
        self.retried: dict[str, Any] | None = None
        self.end: dict[str, Any] | None = None
        self._app, self._task_id = app, task_id
        self._open = ExitStack()
        self._connection: Any = None
        self._again = 0.0
        self._news = False

    def __enter__(self) -> "TaskEvents":
        self._listen()
        self.wait(0.001)  # some brokers know of a listener only once it listens
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None:
        self._close()

    def wait(self, seconds: float) -> None:
        """Take what comes within that time; returns early when something of the task has come."""
        if self._connection is None and time.monotonic() > self._again:
            self._listen()
        if self._connection is None:
            time.sleep(seconds)
            return
        until, self._news = time.monotonic() + seconds, False
        try:
            # All workers' events come; reading one of them must not take as long as asking for the result.
            while not self._news and (left := until - time.monotonic()) > 0:
                self._connection.drain_events(timeout=left)
        except TimeoutError:
            pass
        except Exception:  # the broker is away
            self._close()
            time.sleep(seconds)

    def _listen(self) -> None:
        from kombu.messaging import Consumer

        self._again = time.monotonic() + AGAIN_S
        try:
            connection = self._open.enter_context(self._app.connection_for_read())
            connection.ensure_connection(max_retries=0, timeout=AGAIN_S)
            receiver = self._app.events.Receiver(connection, handlers={"*": self._take})
            consumer = Consumer(  # type: ignore[no-untyped-call]
                connection.default_channel, queues=[receiver.queue], callbacks=[receiver._receive], no_ack=True,
                accept=receiver.accept,
            )  # fmt: skip
            self._open.enter_context(consumer)
            self._connection = connection
        except Exception:
            self._close()

    def _close(self) -> None:
        self._connection = None
        with suppress(Exception):
            self._open.close()
        self._open = ExitStack()

    def _take(self, event: "dict[str, Any]") -> None:
        if event.get("uuid") != self._task_id:
            return
        self._news = True
        kind = event.get("type", "")
        if kind == "task-received":
            self.worker, self.started, self.end = str(event.get("hostname", "")), False, None
        elif kind == "task-started":
            self.started = True
        elif kind == "task-retried":
            self.retried = event
        elif kind in ENDS:
            self.end = event
