"""One generation of the Celery worker: it starts like `celery worker`, and can hand over to the next one.

Orders: "drain": stop consuming, and give back at once what was only prefetched (tasks that wait for a free process, an
ETA or a rate limit); "resume": consume again after all; "stop": drain, finish what runs, and end; "release": let tasks
that are paused in the debugger run on; "abandon": treat what still runs as Celery does when a pool process is lost, and
end.
"""

import logging
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import celery
from celery import bootsteps, signals
from celery.exceptions import WorkerShutdown

from ...model.wire import WorkerOrder
from ..app.describe import forces_root, refuse_anothers
from ..app.load import Problem, failed, load_app
from ..fork.generation import ThisGeneration
from ..ours import anothers
from . import hurry
from .drain import Drainer

if TYPE_CHECKING:
    from ..debugger.install import Debugging


def run(generation: ThisGeneration, order: WorkerOrder) -> None:
    """Import the app afresh and run the worker until it has been told to stop."""
    sys.argv = ["celery", *order["argv"]]
    try:
        celery.maybe_patch_concurrency()  # gevent and eventlet want to patch before anything else is imported
    except ImportError as error:
        generation.failed(failed(error))
    from ..app.queues import consumed
    from ..debugger.install import Debugging
    from ..recorder.install import add_recorder

    debugging = Debugging(order["debug"])
    debugging.install()
    try:
        app = load_app(order["module"], order["attribute"])
        refuse_anothers(app)
    except Problem as problem:
        generation.failed(problem)
    if generation.stale():
        return
    if forces_root(app):  # in a container of the user's own, say
        os.environ["C_FORCE_ROOT"] = "1"
    if order["consume"] and (queues := consumed(app, order["consume"])):
        sys.argv += ["-Q", ",".join(queues)]
    debugging.watch(app, order["root"])
    add_recorder(app, order["root"], **order["failures"])
    generation.imported()
    if generation.number > 1:
        _be_brief()
    signals.worker_ready.connect(lambda **_: generation.live(), weak=False)
    hurry.prepare()
    app.steps["consumer"].add(_handover_step(generation, debugging))
    from ..app.command import main

    main()


def _be_brief() -> None:
    """What a worker says at each start has been said once; one line a reload is enough."""
    for name in ("celery.apps.worker", "celery.worker.consumer.connection"):
        logging.getLogger(name).addFilter(lambda record: record.levelno > logging.INFO)
    warnings.filterwarnings("ignore", module=r"celery\.platforms")  # it should not run as root


def _handover_step(generation: ThisGeneration, debugging: "Debugging") -> type:
    from celery.concurrency import solo, thread

    from .standstill import Standstill

    class Step(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no type hints
        """Listens to the generation's orders for as long as the consumer has a connection."""

        requires = ("celery.worker.consumer.tasks:Tasks",)
        name = "devkit.handover"

        def __init__(self, consumer: Any, **options: Any) -> None:
            self.drainer = Drainer(generation, consumer, debugging.release)
            self.standstill = Standstill(consumer, debugging.sessions, self.drainer.give_back)
            if isinstance(consumer.pool, thread.TaskPool) or sys.platform != "linux":
                debugging.watch_each_task()
            if isinstance(consumer.pool, solo.TaskPool):
                debugging.release.while_waiting = self._while_paused  # nobody else can: the only thread is paused
            super().__init__(consumer, **options)

        def start(self, consumer: Any) -> None:
            if anothers(consumer.app):  # the broker was away, and another project's has come to have its address
                raise WorkerShutdown(1)
            self.standstill.begin()
            if consumer.hub is None:  # greenlets, or a broker that Celery polls
                threading.Thread(target=self.drainer.listen, daemon=True).start()

        def _while_paused(self) -> None:
            self.drainer.hear()
            self.standstill.tick_alone()

        def stop(self, _: Any) -> None:
            # It is about to connect anew, for which it may have to wait: what it has not heard it must hear now.
            self.drainer.connection_lost()

        def register_with_event_loop(self, _: Any, hub: Any) -> None:
            # Here, before it consumes, is the last moment to find out that a newer generation is on its way.
            self.drainer.register(hub)

    return Step
