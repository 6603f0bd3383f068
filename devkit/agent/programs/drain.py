"""How a worker stops consuming and leaves when the next generation has taken over."""

import fcntl
import os
import select
import signal
import threading
import time
from typing import Any

from celery.exceptions import TaskRevokedError
from celery.worker import state

from ..debugger.release import Release
from ..fork.generation import ThisGeneration
from . import hurry
from .requeue import quietly, requeue, send_back_what_is_under_way

CHECK_S = 0.05
FULL_S = 0.005
NAMES_TOLD = 20


class Drainer:
    """Ends a generation, as it is ordered to."""

    def __init__(self, generation: ThisGeneration, consumer: Any, release: Release) -> None:
        self._generation = generation
        self._consumer = consumer
        self._release = release
        self._given_back = 0
        self._draining = False
        self._leaving = False
        self._is_green = getattr(consumer.pool, "is_green", False)
        self._futures: dict[str, Any] = {}  # of the pool of threads, which queues what it cannot start
        _signal_when_readable(generation.orders.fd, self.hear_without_broker)
        consumer.pool.on_apply = self._before(consumer.pool.on_apply)

    def _before(self, apply: Any) -> Any:
        """A pool's `on_apply` that looks for orders first: a solo pool comes to it from one task to the next."""

        def on_apply(*args: Any, correlation_id: str = "", **options: Any) -> Any:
            if not self._is_green:
                self.hear()
            # It would wait in the pool, which lets nobody take it back.
            while self._is_green and not self._draining and _is_full(self._consumer.pool):
                time.sleep(FULL_S)
            if self._draining:
                raise TaskRevokedError(correlation_id)  # Celery leaves it alone; it is given back like the others
            result = apply(*args, correlation_id=correlation_id, **options)
            if future := getattr(result, "f", None):
                self._futures[correlation_id] = future
                future.add_done_callback(lambda _: self._futures.pop(correlation_id, None))
            return result

        return on_apply

    def register(self, hub: Any) -> None:
        """Hear orders in the worker's event loop, which is made anew with each connection."""
        if self._leaving or self._generation.stale():
            state.should_stop = 0
            state.maybe_shutdown()
        if self._draining:  # a new connection begins to consume again
            hub.call_soon(self._stop_consuming)
        hub.add_reader(self._generation.orders.fd, self.hear)

    def listen(self) -> None:
        """Hear orders in a thread, for workers without an event loop; under greenlets it is one of them."""
        while not self._leaving:
            select.select([self._generation.orders.fd], [], [])
            if self._is_green:
                self.hear()
            else:  # the worker's own thread does it between two looks for messages
                self._consumer.call_soon(self.hear)
                time.sleep(CHECK_S)

    def connection_lost(self) -> None:
        """Whoever was about to leave cannot wait for an event loop that may never come back."""
        if self._leaving:
            state.should_stop = 0
        self.hear_without_broker()

    def hear_without_broker(self, *_: object) -> None:
        """A worker that tries to reach its broker has no loop that could hear, but looks whether it should stop."""
        if self._consumer.connection is None:
            for order in self._generation.orders.arrived():
                self._draining = True
                if order is None or order["order"] == "release":
                    self._release.give()
                if order is None or order["order"] in ("stop", "abandon"):
                    state.should_stop = 0

    def hear(self) -> None:
        if self._consumer.connection is None:
            self.hear_without_broker()
            return
        for order in self._generation.orders.arrived():
            self._obey("stop" if order is None else order["order"])
            if order is None:  # nobody is left who could tell more
                self._release.give()
            if order is None and self._consumer.hub is not None:
                self._consumer.hub.remove_reader(self._generation.orders.fd)

    def _obey(self, order: str) -> None:
        if order == "abandon":
            self._abandon()
        elif order == "release":
            self._release.give()
        elif order == "resume":
            self._resume()
        else:
            if not self._draining:
                self._drain()
            if order == "stop" and not self._leaving:
                self._leave()

    def _drain(self) -> None:
        """Stop consuming, and give back what nobody has begun."""
        self._draining, self._given_back = True, 0
        consumer = self._consumer
        if revoked := list(state.revoked):
            # The next generation has not heard of them, and may get one of these tasks in a moment.
            quietly(consumer, lambda: consumer.app.control.revoke(revoked))
        self._stop_consuming()
        self.give_back()
        running = self._running()
        names = [f"{request.name}[{request.id}]" for request in running[:NAMES_TOLD]]
        self._generation.tell(draining=len(running), tasks=names, given_back=self._given_back)

    def _stop_consuming(self) -> None:
        send_back_what_is_under_way(self._consumer.connection.transport)
        quietly(self._consumer, self._consumer.task_consumer.cancel)

    def _resume(self) -> None:
        """Consume again: the newer generation is gone."""
        self._draining = False
        quietly(self._consumer, self._consumer.task_consumer.consume)

    def _leave(self) -> None:
        """End as soon as nothing runs."""
        self._leaving = True
        self._later(self._leave_when_done)

    def _leave_when_done(self) -> None:
        if self._busy():
            self._later(self._leave_when_done)
            return
        self._generation.tell(done=True)
        hurry.end()
        state.should_stop = 0

    def _later(self, call: Any) -> None:
        """Call it in a moment, where the worker looks after its consumer."""
        if self._consumer.hub is not None:
            self._consumer.hub.call_later(CHECK_S, call)
        elif self._is_green:
            threading.Timer(CHECK_S, call).start()
        else:
            threading.Timer(CHECK_S, self._consumer.call_soon, [call]).start()

    def _busy(self) -> bool:
        self.give_back()  # a message may have been on its way
        return bool(self._running())

    def _running(self) -> "list[Any]":
        """What the pool has: started, or about to be."""
        return [request for request in list(state.reserved_requests) if not self._is_waiting(request)]

    def give_back(self) -> None:
        """Return to the broker what nobody has begun."""
        waiting = self._take_waiting()
        messages = [request.message for request in waiting if not request.acknowledged]
        for request in waiting:
            request.acknowledged = True
            state.task_ready(request)
        if messages:
            self._given_back += len(messages)
            quietly(self._consumer, lambda: requeue(messages))

    def _take_waiting(self) -> "list[Any]":
        consumer = self._consumer
        found = [request for request in list(state.reserved_requests) if self._is_waiting(request)]
        if consumer.controller.semaphore:
            consumer.controller.semaphore._waiting.clear()  # its clear() forgets those that run, too
        for bucket in consumer.task_buckets.values():
            if bucket:
                found += [request for request, _ in bucket.contents]
                bucket.clear_pending()
        eta = (consumer.apply_eta_task, consumer._limit_post_eta)
        for scheduled in list(consumer.timer.queue):
            if scheduled.entry.fun in eta and not scheduled.entry.canceled:
                consumer.timer.cancel(scheduled.entry)
                found.append(scheduled.entry.args[0])
        order = {request: place for place, request in enumerate(state.requests.values())}  # as they were received
        return sorted(set(found), key=lambda request: order.get(request, len(order)))

    def _is_waiting(self, request: Any) -> bool:
        """Whether it has not been given to the pool, or can be taken back from there."""
        if request in state.active_requests:
            return False
        future = self._futures.get(request.id)
        return request._apply_result is None or (future is not None and future.cancel())

    def _abandon(self) -> None:
        """Give up what runs, as Celery does with the task of a pool process that was lost; then end, all at once."""
        from billiard.einfo import ExceptionInfo
        from billiard.exceptions import WorkerLostError

        from ..recorder.install import flush

        if not self._draining:
            self._drain()
        running = self._running()
        for request in running:
            try:
                raise WorkerLostError("abandoned: new code is live, and this ran for longer than drain_timeout allows")
            except WorkerLostError:
                request.on_failure(ExceptionInfo(), return_ok=False)
        self._generation.tell(abandoned=[f"{request.name}[{request.id}]" for request in running[:NAMES_TOLD]])
        flush()
        self._later(lambda: os.killpg(0, signal.SIGKILL))  # the acknowledgements go out before


def _signal_when_readable(fd: int, handler: Any) -> None:
    """Call the handler in the main thread, whatever that waits for, when something can be read."""
    signal.signal(signal.SIGIO, handler)
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)


def _is_full(pool: Any) -> bool:
    """Whether a pool of greenlets has no free place; gevent and eventlet have each their own question."""
    greenlets = pool._pool
    free: int = greenlets.free_count() if hasattr(greenlets, "free_count") else greenlets.free()
    return free <= 0
