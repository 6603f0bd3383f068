"""A process that has imported what the project needs from elsewhere, and forks generations of the project's code.

A generation is one start of the worker or of the API with the code as it is now. It begins as a fork of this
process, so it has only the project's own modules to import. This process stays single-threaded and never imports
any of them.

Orders come on standard input (`devkit.model.wire.ZygoteOrder`). When they end, as they do when devkit is killed, every
generation finishes what it runs, and this process ends after them. A generation whose zygote is killed does the same.
"""

import gc
import importlib
import importlib.metadata
import os
import select
import signal
import sys
from contextlib import suppress
from functools import cache

from ...model.lines import line, write
from ...model.wire import ApiOrder, AppPlace, WorkerOrder, ZygoteOrder
from ..app import bytecode
from ..app.describe import describe
from ..app.load import Problem
from ..pipes import Notify, Orders
from .generation import ThisGeneration
from .launch import enter, without_input
from .loan import Loans, become
from .preload import Preload, installed_folders, threads

AGENT = __package__.rpartition(".")[0]
# What a kind of generation imports in any case, in the order in which it is needed: first what can tell about the app.
MODULES = {
    "worker": (
        "celery.app.base", "celery.backends.redis", "kombu.transport.redis", f"{AGENT}.app.command",
        "celery.apps.worker", "celery.worker.consumer", "celery.concurrency.prefork", "celery.concurrency.solo",
        "celery.concurrency.thread", "celery.contrib.rdb",
    ),
    "api": (
        "uvicorn.main", "uvicorn.protocols.http.auto", "fastapi", "celery.app.base", "celery.backends.redis",
        "kombu.transport.redis",
    ),
}  # fmt: skip
NEEDED_TO_DESCRIBE = 3
# What a replay needs besides.
TO_LEND = tuple(f"{AGENT}.replay.{name}" for name in ("serve", "run", "call", "sandbox", "lookup"))


def main(argv: "list[str]") -> None:
    """`argv`: the kind of its generations; the file of the modules learned, empty if nothing may be imported ahead;
    packages never to import ahead, with commas; the address at which forks are lent, empty if they are not."""
    kind, learned, never, lends = argv
    gc.disable()  # imports make thousands of objects and hardly any garbage
    # redis-py asks for its own version, which means reading a file, for each connection. What is installed does not
    # change in the life of a zygote.
    importlib.metadata.version = cache(importlib.metadata.version)
    with suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("redis")
    preload = Preload(learned, frozenset(name.strip() for name in never.split(",")))
    loans = None
    with suppress(OSError):  # whoever wants to borrow does without
        loans = Loans(lends) if lends and learned else None
    modules = [*MODULES[kind], *(TO_LEND if loans else ())]
    Zygote(preload, loans).run(modules if learned else [])


class Zygote:
    """The orders, the generations that were forked, and what is still to be imported."""

    def __init__(self, preload: Preload, loans: "Loans | None" = None) -> None:
        self._loans = loans
        self._preload = preload
        self._notify = Notify()
        self._orders = Orders()
        self._generations: dict[int, tuple[int, int]] = {}  # number → pid, pipe for its orders
        self._describing = 0
        self._fit = True
        self._ended, ended = os.pipe()
        os.set_blocking(self._ended, False)
        os.set_blocking(ended, False)
        signal.set_wakeup_fd(ended)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup = ended

    def run(self, modules: "list[str]") -> None:
        """Serve until there are no more orders and no generation is left."""
        self._notify.tell(installed=installed_folders())
        self._modules = modules
        for _ in range(NEEDED_TO_DESCRIBE):
            self._import_next()
        open_for_orders = True
        while open_for_orders or self._generations:
            if open_for_orders and not self._orders.waiting() and self._import_next():
                continue
            waited = [
                self._ended,
                *([self._orders.fd] * open_for_orders),
                *([self._loans.fd] if self._loans and self._loans.fd >= 0 else []),
            ]
            readable = select.select(waited, [], [])[0]
            if self._ended in readable:
                self._reap()
            if self._loans and self._loans.fd in readable:
                self._lend(self._loans)
            if self._orders.fd in readable:
                for order in self._orders.arrived():
                    if order is None:
                        open_for_orders = False
                        self._let_go()
                    else:
                        self._obey(order)

    def _import_next(self) -> bool:
        """Import one of the modules that are still missing; whether there was one."""
        if self._modules:
            # The program itself will say what it misses; without redis-py kombu's error is not ImportError.
            with suppress(Exception):
                importlib.import_module(self._modules.pop(0))
            return True
        for name in self._preload.missing() if self._fit else ():
            if why := self._preload.load(name):
                # What it holds now its children would hold, too: another zygote has to take its place.
                self._fit = False
                self._notify.tell(unfit=name, why=why)
            return True
        self._preload.done()
        return False

    def _obey(self, order: ZygoteOrder) -> None:
        if "describe" in order:
            self._describing = self._describe(order["describe"])
        elif "start" in order:
            self._start(order)
        elif "tell" in order:
            self._tell(order["tell"], order["order"])
        elif "learn" in order:
            self._preload.reload()

    def _describe(self, app: AppPlace) -> int:
        """Fork a child that tells about the app; returns its pid."""
        child = os.fork()
        if child:
            return child
        self._become_child()
        enter(app)
        # What the project prints on import it prints again when the service runs: once is enough.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nowhere, fd)
        try:
            self._notify.tell(facts=describe(app["module"], app["attribute"]))
        except Problem as problem:
            self._notify.tell(**problem.report)
        os._exit(0)

    def _start(self, order: ZygoteOrder) -> None:
        while self._import_next():
            pass
        number = order["start"]
        if not self._fit:
            return  # devkit knows, and asks another zygote
        if order["become"]:
            self._orders.fd = os.dup(0)  # its orders stay readable, but not as the program's input
            self._become_child()
            self._become(number, order["program"], self._orders)
        if threads() > 1:
            self._notify.tell(unforkable=number, why=f"{threads()} threads run before any code of the project does")
            return
        gc.freeze()  # what is imported stays: no collection in a child need touch, and thereby copy, its pages
        theirs, ours = os.pipe()
        child = os.fork()
        if child:
            os.close(theirs)
            self._generations[number] = (child, ours)
            with suppress(OSError):
                os.setpgid(child, child)  # so that it can be killed together with its pool
            return
        with suppress(OSError):
            os.setpgid(0, 0)  # whoever comes first
        for _, pipe in self._generations.values():
            os.close(pipe)  # the end of a pipe is seen only when nobody holds it open
        os.close(ours)
        self._become_child()
        self._become(number, order["program"], Orders(theirs))

    def _lend(self, loans: Loans) -> None:
        """Fork for `devkit replay`, with the code as it is now."""
        if threads() > 1 or not self._fit:
            loans.close()  # it is asked no more: a process that is started does as well
            return
        gc.freeze()
        if asked := loans.lend():
            self._become_child()
            become(*asked)

    def _become_child(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._ended)
        os.close(self._wakeup)

    def _become(self, number: int, program: "WorkerOrder | ApiOrder", orders: Orders) -> None:
        """Run the generation in this process, to its end."""
        without_input()
        enter(program)
        bytecode.distrust_recent()
        generation = ThisGeneration(number, self._notify, orders, self._preload)
        generation.tell(pid=os.getpid())
        try:
            module = importlib.import_module(f"{AGENT}.programs.{program['kind']}")
        except ImportError as error:
            generation.failed(Problem(f"no {error.name}", python=sys.executable, message=str(error)))
        module.run(generation, program)
        sys.exit(0)

    def _tell(self, number: int, order: str) -> None:
        if number in self._generations:
            with suppress(OSError):
                write(self._generations[number][1], line(ZygoteOrder(order=order)))

    def _let_go(self) -> None:
        """Close what the generations listen to: each finishes what it runs and ends."""
        for _, pipe in self._generations.values():
            os.close(pipe)

    def _reap(self) -> None:
        with suppress(OSError):
            while os.read(self._ended, 4096):
                pass
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._child_ended(*ended)

    def _child_ended(self, pid: int, status: int) -> None:
        if self._loans:
            self._loans.ended(pid, status)
        code = os.waitstatus_to_exitcode(status)
        if pid == self._describing and code:
            # By a crash or by os._exit: devkit must not wait for an answer.
            self._notify.tell(problem="died", code=code)
        for number, (child, pipe) in list(self._generations.items()):
            if child == pid:
                del self._generations[number]
                with suppress(OSError):
                    os.close(pipe)
                with suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)  # what is left of its pool
                self._notify.tell(exited=number, code=code)
