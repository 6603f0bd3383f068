"""One generation of the API: uvicorn on a socket that outlives it.

Orders: "drain": accept no more connections (the next generation does), let every connection finish what it has begun,
close each after its next response, and end; "stop", "abandon": end now, with uvicorn's grace for what is not done.
"""

import asyncio
import importlib
import inspect
import logging
import socket
import sys
from typing import Any

from ...model.wire import ApiOrder
from ..app.describe import refuse_anothers
from ..app.load import Problem, import_attribute
from ..fork.generation import ThisGeneration

CHECK_S = 0.05
CLOSE = (b"connection", b"close")


# Not an import statement: devkit itself never imports the project's web server.
uvicorn: Any = importlib.import_module("uvicorn")
GRACE = "timeout_graceful_shutdown"
STARTUP_FAILURE = 3  # uvicorn's exit code for it
HAS_GRACE = GRACE in inspect.signature(uvicorn.Config).parameters  # from 0.22 on


def run(generation: ThisGeneration, order: ApiOrder) -> None:
    """Import the application afresh and serve it until told to stop."""
    try:
        application = import_attribute(order["module"], order["attribute"])
        for app in _celery_apps():
            refuse_anothers(app)
    except Problem as problem:
        generation.failed(problem)
    if generation.stale():
        return
    generation.imported()
    grace = {GRACE: order["grace_s"]} if HAS_GRACE else {}
    config = uvicorn.Config(application, **grace)
    if generation.number > 1:
        _be_brief()
    server = Server(config)
    server.generation, server.grace_s = generation, order["grace_s"]
    server.run(sockets=[socket.socket(fileno=order["socket"])])


def _celery_apps() -> "list[Any]":
    """Those that the application has imported, to send tasks."""
    state = sys.modules.get("celery._state")
    return list(state._get_active_apps()) if state else []


def _be_brief() -> None:
    """What a server says at each start and stop has been said once; one line a reload is enough."""
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno > logging.INFO)


class Server(uvicorn.Server):  # type: ignore[misc]  # its module is Any here
    """A server that hears orders, and says when it answers."""

    generation: ThisGeneration
    grace_s: float
    draining: "asyncio.Task[None] | None" = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if self.lifespan.should_exit:  # newer ones exit by themselves
            sys.exit(STARTUP_FAILURE)
        asyncio.get_running_loop().add_reader(self.generation.orders.fd, self._heard)
        self.generation.live()

    async def shutdown(self, sockets: Any = None) -> None:
        if not HAS_GRACE:
            asyncio.get_running_loop().call_later(self.grace_s, self._cut_off)
        await super().shutdown(sockets=sockets)

    def _cut_off(self) -> None:
        """End what has not ended in time, for a uvicorn that would wait for it for ever."""
        for task in self.server_state.tasks:
            task.cancel()
        for connection in self.server_state.connections:
            connection.transport.abort()

    def _heard(self) -> None:
        for order in self.generation.orders.arrived():
            if order is None:  # nobody is left who could tell more
                asyncio.get_running_loop().remove_reader(self.generation.orders.fd)
            self._obey("stop" if order is None else order["order"])

    def _obey(self, order: str) -> None:
        if order == "drain":
            self.draining = asyncio.ensure_future(self._drain())
            return
        if order == "abandon":
            left = _busy(self.server_state)
            self.generation.tell(abandoned=[f"{left} connection{'s'[: left != 1]}"])
        self.should_exit = True

    async def _drain(self) -> None:
        _be_brief()
        # asyncio drops a connection that it has accepted, but not yet handed over, when its server is closed
        # (base_events.Server._attach): so it first stops to accept.
        for listening in [sock for server in self.servers for sock in server.sockets]:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await asyncio.sleep(CHECK_S)
        for server in self.servers:
            server.close()
        state = self.server_state
        _announce_the_end(self.config, state)
        self.generation.tell(draining=_busy(state), tasks=[], given_back=0)
        while state.connections or state.tasks:
            await asyncio.sleep(CHECK_S)
        self.generation.tell(done=True)
        self.should_exit = True


def _announce_the_end(config: Any, state: Any) -> None:
    """Every response from here on says that it is the connection's last: no client sends into a closed one."""
    config.encoded_headers.append(CLOSE)
    state.default_headers = [*state.default_headers, CLOSE]
    for connection in list(state.connections):
        if hasattr(connection, "default_headers"):  # before uvicorn 0.19 each keeps those that it has begun with
            connection.default_headers = state.default_headers
        cycle = getattr(connection, "cycle", None)
        if cycle is not None and not cycle.response_complete:
            cycle.default_headers = [*cycle.default_headers, CLOSE]


def _busy(state: Any) -> int:
    """How many requests, streams and WebSockets are not done."""

    def is_done(connection: Any) -> bool:
        if not hasattr(connection, "cycle"):
            return False  # a WebSocket
        return connection.cycle is None or connection.cycle.response_complete

    return sum(not is_done(connection) for connection in state.connections)
