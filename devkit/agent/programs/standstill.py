"""Time stands still for a task that is paused: neither its time limits nor the broker's patience end.

Runs in the worker's main process, which enforces both.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery.worker import state

from ...model.session import Session
from ...store.sessions import PAUSED, Sessions

TICK_S = 5.0
# RabbitMQ closes the channel of a consumer that leaves a message unacknowledged for too long: half an hour, unless set
# otherwise, and never less than a minute.
PATIENCE_S = 30.0


class Standstill:
    """One worker's clocks."""

    def __init__(self, consumer: Any, sessions: Sessions, give_back: "Callable[[], None]") -> None:
        """`give_back` returns to the broker what was delivered and has not been begun."""
        self._consumer = consumer
        self._sessions = sessions
        self._give_back = give_back
        self._given_back_at = 0.0
        self._interval_s = TICK_S
        self._granted: dict[int, float] = {}  # seconds by which a task's limits were put off, by the pool's job
        self._ticked_at = time.monotonic()

    def begin(self) -> None:
        """The pool has started, the consumer consumes; to be called for each connection."""
        _hold_time_limits(getattr(self._consumer.pool, "_pool", None), self._owed)
        qos = getattr(self._consumer.task_consumer.channel, "qos", None)
        visibility_s = getattr(qos, "visibility_timeout", None) or TICK_S * 3
        self._interval_s = min(TICK_S, visibility_s / 3)
        self._consumer.timer.call_repeatedly(self._interval_s, self.tick)

    def tick(self) -> None:
        """Where a task of this worker is paused, tell the broker that its messages are still wanted."""
        paused = [one for one in self._sessions.all() if one.state == PAUSED and one.main_pid == os.getpid()]
        if paused:
            with suppress(Exception):  # a broker that is gone delivers again, as ever
                self._keep_unacknowledged(paused)

    def tick_alone(self) -> None:
        """For a pool without processes, in which nobody else has the time: the same, and the connection's heartbeat."""
        if time.monotonic() - self._ticked_at < self._interval_s:
            return
        self._ticked_at = time.monotonic()
        self.tick()
        with suppress(Exception):
            connection = self._consumer.connection.connection
            connection.send_heartbeat()
            connection.last_heartbeat_received = time.monotonic()

    def _keep_unacknowledged(self, paused: "list[Session]") -> None:
        channel = self._consumer.task_consumer.channel
        qos: Any = getattr(channel, "qos", None)
        if qos is None:
            self._spare_patience(paused)
            return
        # Redis: kombu gives back what was delivered longer than visibility_timeout ago.
        tags = list(getattr(qos, "_delivered", ()))
        if tags and hasattr(qos, "unacked_index_key"):
            with channel.conn_or_acquire() as client:
                client.zadd(qos.unacked_index_key, dict.fromkeys(tags, time.time()), xx=True)

    def _spare_patience(self, paused: "list[Session]") -> None:
        """RabbitMQ: acknowledge what is paused, even if that should come after it has run; and have delivered anew
        what waits behind it."""
        now = time.time()
        for session in paused:
            request = state.requests.get(session.task_id)
            if request and not request.acknowledged and now - session.since > PATIENCE_S:
                request.acknowledged = True
                request.message.ack()  # at once; the request's own way is by the event loop, which may be paused, too
        if now - min(session.since for session in paused) > PATIENCE_S < now - self._given_back_at:
            self._given_back_at = now
            self._give_back()

    def _owed(self, task_id: str, job: int) -> float:
        """The seconds that a task has been paused and that its limits have not been put off by yet."""
        paused = 0.0
        for session in self._sessions.of_task(task_id):
            now = time.time() - session.since if session.state == PAUSED else 0.0
            paused = max(paused, session.paused_s + now)
        owed = paused - self._granted.get(job, 0.0)
        if owed > 0:
            self._granted[job] = paused
        return max(owed, 0.0)


def _hold_time_limits(pool: Any, owed: Any) -> None:
    """Celery's pool of processes sets timers; one that is due while its task is paused, or was, is set again."""
    if not hasattr(pool, "_on_soft_timeout") or "_on_soft_timeout" in vars(pool):
        return

    on_soft, on_hard = pool._on_soft_timeout, pool._on_hard_timeout

    def later(job: Any, call: Any, hub: Any) -> bool:
        result = pool._cache.get(job)
        seconds = owed(result.correlation_id, job) if result is not None else 0.0
        if seconds:
            pool._tref_for_id[job] = hub.call_later(seconds, call)
        return bool(seconds)

    def on_soft_timeout(job: Any, soft: float, hard: float, hub: Any) -> None:
        if not later(job, lambda: on_soft_timeout(job, soft, hard, hub), hub):
            on_soft(job, soft, hard, hub)

    def on_hard_timeout(job: Any) -> None:
        from kombu.asynchronous import get_event_loop

        hub = get_event_loop()
        if hub is None or not later(job, lambda: on_hard_timeout(job), hub):
            on_hard(job)

    pool._on_soft_timeout, pool._on_hard_timeout = on_soft_timeout, on_hard_timeout
