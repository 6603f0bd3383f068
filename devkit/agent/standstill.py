"""Time stands still for a task that is paused: neither its time limits nor the broker's patience end.

Runs in the worker's main process, which enforces both.
"""

import os
import time
from contextlib import suppress
from typing import Any

from ..store.sessions import PAUSED, Sessions

TICK_S = 5.0
# What RabbitMQ is asked to wait for an acknowledgement (it reads it from 3.11.15 on; its own default is 30 minutes).
CONSUMER_TIMEOUT_MS = 7 * 24 * 3600 * 1000


class Standstill:
    """One worker's clocks."""

    def __init__(self, consumer: Any, sessions: Sessions) -> None:
        self._consumer = consumer
        self._sessions = sessions
        self._granted: dict[str, float] = {}  # seconds by which a task's limits were put off, by its id
        self._ticked_at = time.monotonic()
        for queue in consumer.app.amqp.queues.consume_from.values():
            queue.consumer_arguments = {"x-consumer-timeout": CONSUMER_TIMEOUT_MS, **(queue.consumer_arguments or {})}

    def begin(self) -> None:
        """The pool has started, the consumer consumes; to be called for each connection."""
        _hold_time_limits(getattr(self._consumer.pool, "_pool", None), self._owed)
        qos = getattr(self._consumer.task_consumer.channel, "qos", None)
        visibility_s = getattr(qos, "visibility_timeout", None) or TICK_S * 3
        self._consumer.timer.call_repeatedly(min(TICK_S, visibility_s / 3), self.tick)

    def tick(self) -> None:
        """Where a task of this worker is paused, tell the broker that its messages are still wanted."""
        if any(one.state == PAUSED and one.main_pid == os.getpid() for one in self._sessions.all()):
            with suppress(Exception):  # a broker that is gone delivers again, as ever
                self._keep_unacknowledged()

    def tick_alone(self) -> None:
        """For a pool without processes, in which nobody else has the time: the same, and the connection's heartbeat."""
        if time.monotonic() - self._ticked_at < TICK_S:
            return
        self._ticked_at = time.monotonic()
        self.tick()
        with suppress(Exception):
            connection = self._consumer.connection.connection
            connection.send_heartbeat()
            connection.last_heartbeat_received = time.monotonic()

    def _keep_unacknowledged(self) -> None:
        """Redis: kombu gives back what was delivered longer than visibility_timeout ago."""
        channel = self._consumer.task_consumer.channel
        qos: Any = getattr(channel, "qos", None)
        tags = list(getattr(qos, "_delivered", ()))
        if tags and hasattr(qos, "unacked_index_key"):
            with channel.conn_or_acquire() as client:
                client.zadd(qos.unacked_index_key, dict.fromkeys(tags, time.time()), xx=True)

    def _owed(self, task_id: str) -> float:
        """The seconds that a task has been paused and that its limits have not been put off by yet."""
        paused = 0.0
        for session in self._sessions.of_task(task_id):
            now = time.time() - session.since if session.state == PAUSED else 0.0
            paused = max(paused, session.paused_s + now)
        owed = paused - self._granted.get(task_id, 0.0)
        if owed > 0:
            self._granted[task_id] = paused
        return max(owed, 0.0)


def _hold_time_limits(pool: Any, owed: Any) -> None:
    """Celery's pool of processes sets timers; one that is due while its task is paused, or was, is set again."""
    if not hasattr(pool, "_on_soft_timeout") or "_on_soft_timeout" in vars(pool):
        return

    on_soft, on_hard = pool._on_soft_timeout, pool._on_hard_timeout

    def later(job: Any, call: Any, hub: Any) -> bool:
        result = pool._cache.get(job)
        seconds = owed(result.correlation_id) if result is not None else 0.0
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
