"""Runs a project's stack: joins the supervisor with its processes, its guard, its lock and its control socket."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from queue import SimpleQueue
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

from devkit.model.loop import Signalled
from devkit.model.wire import Note
from devkit.services.alone import only_stack
from devkit.services.environment.kept import keep
from devkit.services.signals import signals_into
from devkit.services.stack.assemble import Stack, assemble
from devkit.services.stack.containers import stop_left
from devkit.services.stack.early import EarlyProcesses
from devkit.settings.load import Settings
from devkit.settings.paths import Paths
from devkit.stack import lock, sessions
from devkit.stack.control import ControlServer
from devkit.stack.guard import Guard
from devkit.stack.messages import Exited, Gone, Inbox, Progressed, Ready
from devkit.stack.ports import is_free
from devkit.stack.process import Process
from devkit.stack.service import Finish, Notice, Poll, Service
from devkit.stack.supervisor import Reporter, Supervisor

PORTS_RELEASED_S = 5.0
OTHERS_S = 1.0
FIRST_POLL_S, POLL_GROWTH = 0.02, 0.02


MakeReporter = Callable[[Sequence[str], Inbox], AbstractContextManager[Reporter]]


def run_stack(settings: Settings, wanted: Sequence[str], make_reporter: MakeReporter) -> int:
    """Assemble and run the stack until it is stopped; returns the exit code. Raises DevkitError before it starts.

    When this returns, every process that it started has ended, and their ports are free.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # `devkit up &` in a script: what is ignored here would be ignored by every service, too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        # Until the loop takes over, each ends devkit by way of its clean-up, as Ctrl-C does.
        if signal.getsignal(signum) == signal.SIG_DFL:
            signal.signal(signum, signal.default_int_handler)
    with ExitStack() as cleanup:
        left = cleanup.enter_context(only_stack(settings))
        left += stop_left(settings.paths, settings.environ)
        early = EarlyProcesses()
        cleanup.callback(early.close)
        stack = assemble(settings, wanted, early)
        keep(settings.paths, stack.project.surroundings)
        early.close(besides=[service.argv for service in stack.services])
        cleanup.callback(stack.ports.close)
        inbox: Inbox = SimpleQueue()
        names = [service.name for service in stack.services]
        reporter = cleanup.enter_context(make_reporter(names, inbox))
        reporter.notice(f"starting {', '.join(names)}")
        if left:
            reporter.notice(f"ended what a crash had left running: {', '.join(left)}")
        for note in stack.notes:
            reporter.notice(note)
        return _supervise(stack, early, inbox, reporter)


def _supervise(stack: Stack, early: EarlyProcesses, inbox: Inbox, reporter: Reporter) -> int:
    paths = stack.project.settings.paths
    guard = Guard(stack.run)
    processes = _Processes(early, guard, inbox, reporter, paths)
    supervisor = Supervisor(
        stack.services,
        spawn=processes.spawn,
        inbox=inbox,
        reporter=reporter,
        start_timeout_s=stack.project.settings.options.timeout,
        answer=lambda services: stack.status(os.getpid(), services).to_wire(),
    )
    server = ControlServer(paths.socket, inbox)
    started = Event()
    for service in stack.services:
        if service.external and service.ready:
            Thread(target=_watch_others, args=(service, inbox, started), name=service.name, daemon=True).start()
    try:
        with signals_into(lambda signum: inbox.put(Signalled(signum))):
            code = supervisor.run()
    finally:
        started.set()
        server.close()
        early.close()
        sessions.kill_strays(stack.run)
        guard.close()
        _wait_for_ports(stack.services)
        lock.forget(paths.data)
        paths.loans.unlink(missing_ok=True)  # the zygote is killed with the socket of its own
    return code


class _Processes:
    """Starts services for the supervisor and turns what becomes of them into messages."""

    def __init__(self, early: EarlyProcesses, guard: Guard, inbox: Inbox, reporter: Reporter, paths: Paths) -> None:
        self._early = early
        self._guard = guard
        self._inbox = inbox
        self._reporter = reporter
        self._paths = paths
        self._running: dict[str, int] = {}
        self._recording = Lock()

    def spawn(self, service: Service) -> Process:
        """Start a service, or give its order to the process that was started early."""
        process = self._early.take(service.argv) or Process(
            service.argv,
            cwd=service.cwd,
            env=service.env,
            talks=service.order is not None,
            stdin_open=service.stdin_open,
        )
        self._guard.started(process.pid)
        ended = Event()

        def on_exit(code: int) -> None:
            ended.set()
            self._guard.ended(process.pid)
            self._reporter.ended(service.name)
            self._inbox.put(Exited(service.name, process.pid, code))

        process.follow(lambda chunk: self._reporter.output(service.name, chunk), on_exit)
        if service.order:
            process.say(service.order)
            process.end_orders()
        Thread(target=self._watch, args=(service, process, ended), name=f"start of {service.name}", daemon=True).start()
        return process

    def _watch(self, service: Service, process: Process, ended: Event) -> None:
        """Say when the service is ready; then note its pid for a start after a crash."""
        match service.ready:
            case Poll(check):
                if not _poll(check, ended):
                    return
            case Notice():
                while (news := process.answer()) and "ready" not in news:
                    self._progressed(service, process, news)
                if news is None:
                    return
            case Finish():
                return  # its exit says it
        self._inbox.put(Ready(service.name, process.pid))
        with self._recording:
            self._running[service.name] = process.pid
            lock.record(self._paths.data, self._running)
        while service.order and (news := process.answer()):
            self._progressed(service, process, news)

    def _progressed(self, service: Service, process: Process, news: Note) -> None:
        if progress := news.get("progress"):
            if progress["state"] == "failed":
                process.wait_for_output()  # it says why
            self._inbox.put(Progressed(service.name, process.pid, **progress))


def _poll(check: Callable[[], bool], ended: Event) -> bool:
    """Ask until the answer is yes, the less often the longer it takes: an answer is never known much too late."""
    began = time.monotonic()
    while not ended.is_set():
        if check():
            return True
        ended.wait(FIRST_POLL_S + (time.monotonic() - began) * POLL_GROWTH)
    return False


def _watch_others(service: Service, inbox: Inbox, over: Event) -> None:
    """Say when what is not ours to start has gone: who asks for it would wait until the time of the start is over."""
    assert isinstance(service.ready, Poll)
    while not over.wait(OTHERS_S):
        if not (service.ready.check() or service.ready.check()):
            inbox.put(Gone(service.name))
            return


def _wait_for_ports(services: Sequence[Service]) -> None:
    """A server's port is free once its process has ended; the kernel may take a moment to let it go."""
    urls = [urlsplit(service.url) for service in services if service.url and not service.external]
    ports = [url.port for url in urls if url.port]
    deadline = time.monotonic() + PORTS_RELEASED_S
    while not all(map(is_free, ports)) and time.monotonic() < deadline:
        time.sleep(0.02)
