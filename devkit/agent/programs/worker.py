"""One generation of the Celery worker: it starts like `celery worker`, and can hand over to the next one.

Orders: "drain": stop consuming, and give back at once what was only prefetched (tasks that wait for a free process, an
ETA or a rate limit); "resume": consume again after all; "stop": drain, finish what runs, and end; "release": let tasks
that are paused in the debugger run on; "abandon": treat what still runs as Celery does when a pool process is lost, and
end.
"""

import fcntl
import json
import logging
import os
import select
import signal
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import celery
from celery import bootsteps, signals
from celery.exceptions import TaskRevokedError
from celery.worker import state

from ..app.describe import Problem, load_app
from ..fork.zygote import Generation
from . import hurry

if TYPE_CHECKING:
    from ..debugger.install import Debugging

CHECK_S = 0.05
FULL_S = 0.005
NAMES_TOLD = 20


def run(generation: Generation, order: "dict[str, Any]") -> None:
    """Import the app afresh and run the worker until it has been told to stop."""
    sys.argv = ["celery", *order["argv"]]
    celery.maybe_patch_concurrency()  # gevent and eventlet want to patch before anything else is imported
    from ..debugger.install import Debugging
    from ..recorder import install

    debugging = Debugging(order["debug"])
    debugging.install()
    try:
        app = load_app(order["module"], order["attribute"])
    except Problem as problem:
        generation.failed(problem)
    if generation.stale():
        return
    debugging.watch(app, order["root"])
    install.install(app, order["root"], **order["failures"])
    generation.imported()
    if generation.number > 1:
        _be_brief()
    signals.worker_ready.connect(lambda **_: generation.live(), weak=False)
    hurry.prepare()
    app.steps["consumer"].add(_handover_step(generation, debugging))
    from celery.bin.celery import main

    main()


def _be_brief() -> None:
    """What a worker says at each start has been said once; one line a reload is enough."""
    for name in ("celery.apps.worker", "celery.worker.consumer.connection"):
        logging.getLogger(name).addFilter(lambda record: record.levelno > logging.INFO)
    from celery.exceptions import SecurityWarning

    warnings.filterwarnings("ignore", category=SecurityWarning)


def _handover_step(generation: Generation, debugging: "Debugging") -> type:
    from celery.concurrency import solo, thread

    from .standstill import Standstill

    class Step(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no type hints
        """Listens to the generation's orders for as long as the consumer has a connection."""

        requires = ("celery.worker.consumer.tasks:Tasks",)
        name = "devkit.handover"

        def __init__(self, consumer: Any, **options: Any) -> None:
            self.handover = Handover(generation, consumer, debugging)
            self.standstill = Standstill(consumer, debugging.sessions, self.handover.give_back)
            if isinstance(consumer.pool, thread.TaskPool) or sys.platform != "linux":
                debugging.watch_each_task()
            if isinstance(consumer.pool, solo.TaskPool):
                debugging.while_waiting = self._while_paused  # nobody else can: the only thread is paused
            super().__init__(consumer, **options)

        def start(self, consumer: Any) -> None:
            self.standstill.begin()
            if consumer.hub is None:  # greenlets, or a broker that Celery polls
                threading.Thread(target=self.handover.listen, daemon=True).start()

        def _while_paused(self) -> None:
            self.handover.hear()
            self.standstill.tick_alone()

        def stop(self, _: Any) -> None:
            # It is about to connect anew, for which it may have to wait: what it has not heard it must hear now.
            self.handover.connection_lost()

        def register_with_event_loop(self, _: Any, hub: Any) -> None:
            # Here, before it consumes, is the last moment to find out that a newer generation is on its way.
            self.handover.register(hub)

    return Step


class Handover:
    """The end of a generation."""

    def __init__(self, generation: Generation, consumer: Any, debugging: "Debugging") -> None:
        self._generation = generation
        self._consumer = consumer
        self._debugging = debugging
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
                    self._debugging.release()
                if order is None or order["order"] in ("stop", "abandon"):
                    state.should_stop = 0

    def hear(self) -> None:
        if self._consumer.connection is None:
            self.hear_without_broker()
            return
        for order in self._generation.orders.arrived():
            self._obey("stop" if order is None else order["order"])
            if order is None:  # nobody is left who could tell more
                self._debugging.release()
            if order is None and self._consumer.hub is not None:
                self._consumer.hub.remove_reader(self._generation.orders.fd)

    def _obey(self, order: str) -> None:
        if order == "abandon":
            self._abandon()
        elif order == "release":
            self._debugging.release()
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
            _quietly(consumer, lambda: consumer.app.control.revoke(revoked))
        self._stop_consuming()
        self.give_back()
        running = self._running()
        names = [f"{request.name}[{request.id}]" for request in running[:NAMES_TOLD]]
        self._generation.tell(draining=len(running), tasks=names, given_back=self._given_back)

    def _stop_consuming(self) -> None:
        _send_back_what_is_under_way(self._consumer.connection.transport)
        _quietly(self._consumer, self._consumer.task_consumer.cancel)

    def _resume(self) -> None:
        """Consume again: the newer generation is gone."""
        self._draining = False
        _quietly(self._consumer, self._consumer.task_consumer.consume)

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
            _quietly(self._consumer, lambda: _requeue(messages))

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

        from ..recorder import install

        if not self._draining:
            self._drain()
        running = self._running()
        for request in running:
            try:
                raise WorkerLostError("abandoned: new code is live, and this ran for longer than drain_timeout allows")
            except WorkerLostError:
                request.on_failure(ExceptionInfo(), return_ok=False)
        self._generation.tell(abandoned=[f"{request.name}[{request.id}]" for request in running[:NAMES_TOLD]])
        install.flush()
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


def _send_back_what_is_under_way(transport: Any) -> None:
    """kombu puts a message that arrives after the cancellation behind all others, and warns of it."""

    def send_back(raw: Any) -> None:
        channel = next(filter(None, transport.channels))
        message = channel.Message(raw, channel=channel)
        channel.qos.append(message, message.delivery_tag)
        _requeue([message])

    if hasattr(transport, "_reject_inbound_message"):
        transport._reject_inbound_message = send_back
    logging.getLogger("kombu.transport.virtual.base").addFilter(lambda record: record.levelno > logging.WARNING)


def _requeue(messages: "list[Any]") -> None:
    """Put messages of one consumer back in front of their queues, in the order in which they came."""
    channel = messages[0].channel
    qos: Any = getattr(channel, "qos", None)
    if not hasattr(qos, "restore_by_tag"):
        # RabbitMQ remembers each one's place; what kombu keeps in other stores it puts in front of what is there.
        for message in reversed(messages) if qos else messages:
            message.requeue()
        return
    # kombu's reject of a Redis message would put it behind all others; and one by one they would be taken by a waiting
    # worker in the wrong order.
    with channel.conn_or_acquire() as client:
        kept = client.hmget(qos.unacked_key, [message.delivery_tag for message in messages])
        with client.pipeline() as pipe:
            for message, text in reversed(list(zip(messages, kept))):  # noqa: B905 - Python 3.10
                if text is not None:
                    body, exchange, routing_key = json.loads(text)
                    qos._remove_from_indices(message.delivery_tag, pipe)
                    channel._do_restore_message(body, exchange, routing_key, pipe)
            pipe.execute()
    for message in messages:
        super(type(qos), qos).ack(message.delivery_tag)
        message._state = "REQUEUED"


def _quietly(consumer: Any, call: Any) -> None:
    """A broker that is gone keeps what it has; it delivers that again."""
    from kombu.common import ignore_errors

    ignore_errors(consumer.connection, call)  # type: ignore[no-untyped-call]
