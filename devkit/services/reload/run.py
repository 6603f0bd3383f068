"""Runs the worker or the API with hot reload: joins the handover with its zygotes, its watcher and its parent."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from devkit.errors import DevkitError
from devkit.model.loop import Signalled
from devkit.model.private import make_runtime
from devkit.model.rdb import DEBUG_FOLDER
from devkit.model.text import exit_in_words
from devkit.model.wire import ApiOrder, Server, ServiceOrder, State, WorkerOrder
from devkit.reload.handover import Handover
from devkit.reload.messages import AllGone, Inbox, Message, Told, ZygoteEnded
from devkit.reload.program import Program
from devkit.reload.zygote import ZygoteProcess
from devkit.services.commands import zygote_argv
from devkit.services.environment.kept import surroundings_now
from devkit.services.environment.surroundings import changes
from devkit.services.project.broker import settled
from devkit.services.project.facts import problem_error
from devkit.services.project.python import find_python
from devkit.services.project.target import given_brokers
from devkit.services.reload.eyes import Eyes, Voice, settings_files
from devkit.services.reload.parent import Parent
from devkit.services.reload.ready import ReadyFile, with_data
from devkit.services.signals import signals_into
from devkit.settings.discover import AppRef
from devkit.settings.evidence.given import Whose
from devkit.settings.load import Settings
from devkit.settings.options import Options
from devkit.settings.paths import Paths
from devkit.stack.restarts import Restarts
from devkit.store.sessions import PAUSED, Sessions


class Plan(Protocol):
    """What is to run: `devkit.services.reload.worker.WorkerPlan` or `devkit.services.reload.api.ApiPlan`.

    `name` is which of its kind it is; empty: the first.
    """

    kind: Whose
    name: str
    keep: tuple[int, ...]
    resumes: bool

    def preloads(self, settings: Settings) -> bool: ...
    def drain_s(self, options: Options) -> float: ...
    def take(self, order: ServiceOrder) -> None: ...
    def find_app(self, settings: Settings) -> AppRef: ...
    def bind(self, settings: Settings, port: int | None) -> str: ...
    def order(self, settings: Settings, app: AppRef, env: Mapping[str, str], number: int) -> WorkerOrder | ApiOrder: ...


def run_reloading(
    load: Callable[[], Settings],
    plan: Plan,
    voice: Voice,
    *,
    port: int | None = None,
    ready_file: str | None = None,
) -> int:
    """Run until stopped; returns the exit code. `load` reads the settings, now and whenever they change.

    `ready_file` is there as long as a generation is live.
    """
    flag = ReadyFile(ready_file)
    try:
        return _Runner(with_data(load, voice.notice), plan, voice, flag).run(port)
    finally:
        flag.show(there=False)


class _Runner:
    def __init__(self, load: Callable[[], Settings], plan: Plan, voice: Voice, ready_file: ReadyFile) -> None:
        self._load = load
        self._settings = load()
        paths = self._settings.paths
        self._plan = plan
        self._voice = voice
        self._parent = Parent()
        self._ready_file = ready_file
        self._inbox: Inbox = SimpleQueue()
        self._loans = _address(paths) if plan.kind == "worker" and not plan.name else ""  # one lends for all
        paths.preload.mkdir(exist_ok=True)
        self._learned = paths.preload / f"{plan.name or plan.kind}.json"
        self._sessions = Sessions(os.fspath(paths.sessions))
        self._late: dict[str, str] = {}
        self._given: Mapping[str, str] = {}
        self._servers: Sequence[Server] = ()
        self._app: AppRef | None = None
        self._folder: Path | None = None  # of the app, as soon as it is known
        self._eyes: Eyes | None = None

    def run(self, port: int | None) -> int:
        zygote = self._make_zygote()  # it imports what it can while the rest is found out
        with signals_into(lambda signum: self._inbox.put(Signalled(signum))):
            return self._run(zygote, port)

    def _run(self, zygote: ZygoteProcess, port: int | None) -> int:
        if self._parent:
            zygote, order = self._await_order(zygote)
            if order is None:
                zygote.close()
                return 1
            app = order["run"]
            self._plan.take(order)
            self._app = AppRef(Path(app["cwd"]), app["module"], app["attribute"])
            self._late = settled(app["env"], self._settings.paths.data)
            self._given, self._servers = order.get("given", {}), order.get("servers", ())
            port = order.get("port", port)
        else:
            self._find_out()
        assert self._app is not None
        zygote = self._fit(zygote, self._app.folder)
        url = self._plan.bind(self._settings, port)
        if url and not self._parent:
            self._voice.notice(f"{self._app} on {url}")
        options = self._settings.options
        self._eyes = eyes = Eyes(self._settings, self._app, self._inbox, self._learned, self._voice)
        ready = [zygote]
        program = self._program(lambda: ready.pop() if ready else self._make_zygote())
        if program.spawn and options.fork is None:
            self._voice.notice("no forking on this system: each reload starts a new process, which takes longer")
        handover = Handover(
            program,
            inbox=self._inbox,
            reporter=_Reporter(self._voice, self._parent, self._ready_file),
            base=self._settings.root,
            watch=eyes,
            refresh=self._refresh,
            paused=lambda pid: paused_tasks(self._sessions, pid),
            delays=Restarts().crashed,
            waits_for_save=options.reload,
            heals=options.reload,
        )
        return handover.run()

    def _find_out(self) -> None:
        """What a parent's order would tell. Raises DevkitError."""
        self._app = self._plan.find_app(self._settings)
        self._late, running = given_brokers(self._settings)
        around = surroundings_now(self._settings, self._plan.kind, self._late, running)
        self._given, self._servers = around.given, around.servers

    def _await_order(self, zygote: ZygoteProcess) -> tuple[ZygoteProcess, ServiceOrder | None]:
        """Pass questions about the app on to the zygote, until the order to run arrives."""
        for order in self._parent.orders():
            if "run" in order:
                return zygote, order
            zygote = self._fit(zygote, Path(order["describe"]["cwd"]))
            zygote.order(describe=order["describe"])
            waiting: list[Message] = []
            while True:
                match message := self._inbox.get():
                    case Told(_, note) if "facts" in note or "problem" in note:
                        self._parent.tell(**note)
                        break
                    case ZygoteEnded(_, code):
                        raise DevkitError(
                            f"{zygote.program} cannot run devkit's agent: it {exit_in_words(code)}",
                            mend=['name the project\'s interpreter: python = "..." under [tool.devkit]'],
                        )
                    case Signalled():
                        return zygote, None
                    case _:
                        waiting.append(message)
            for message in waiting:
                self._inbox.put(message)
        return zygote, None

    def _fit(self, zygote: ZygoteProcess, folder: Path) -> ZygoteProcess:
        """Another zygote, where the app's folder has an interpreter of its own."""
        self._folder = folder
        if self._python() == zygote.program:
            return zygote
        zygote.kill()
        waiting: list[Message] = []
        ends = 0
        while ends < len((ZygoteEnded, AllGone)):
            match message := self._inbox.get():
                case ZygoteEnded(zygote.pid) | AllGone(zygote.pid):
                    ends += 1
                case Told(zygote.pid):
                    pass
                case _:
                    waiting.append(message)
        for message in waiting:
            self._inbox.put(message)
        return self._make_zygote()

    def _python(self) -> str:
        settings = self._settings
        return find_python(settings.root, settings.options.python, settings.environ, self._folder)

    def _make_zygote(self) -> ZygoteProcess:
        settings, plan = self._settings, self._plan
        learned = str(self._learned) if plan.preloads(settings) else ""
        lends = self._loans if settings.options.fork is not False else ""
        argv = zygote_argv(self._python(), plan.kind, learned, settings.options.no_preload or "", lends)
        environ = {**settings.environ, "PYTHONUNBUFFERED": "1"}
        if plan.kind == "worker":
            environ[DEBUG_FOLDER] = os.fspath(settings.paths.debug)
        return ZygoteProcess(argv, cwd=settings.root, env=environ, keep=plan.keep, inbox=self._inbox)

    def _program(self, make_zygote: Callable[[], ZygoteProcess]) -> Program:
        assert self._app is not None
        settings, app = self._settings, self._app
        fork = settings.options.fork
        around = changes(settings, self._given, self._servers)

        return Program(
            make_zygote=make_zygote,
            order=lambda number: self._plan.order(settings, app, {**around, **self._late}, number),
            problem=lambda problem: problem_error(problem, app, settings.root),
            resumes=self._plan.resumes,
            drain_s=self._plan.drain_s(settings.options),
            spawn=sys.platform == "darwin" if fork is None else not fork,
        )

    def _refresh(self, paths: Sequence[Path]) -> tuple[Program, str] | None:
        """The program anew, where one of the paths holds settings. Raises DevkitError for settings that are wrong."""
        changed = [path.name for path in paths if path in settings_files(self._settings)]
        if not changed:
            return None
        before, self._settings = self._settings, self._load()
        said = [(one.options, one.workers, one.apis) for one in (before, self._settings)]
        if said[0] != said[1] and not self._parent:
            self._find_out()
        if self._settings.options != before.options and self._eyes:
            self._eyes.renew(self._settings)
        return self._program(self._make_zygote), f"{', '.join(changed)} changed"


def _address(paths: Paths) -> str:
    """Where the zygote may lend forks; empty where no folder is this user's alone."""
    try:
        make_runtime(paths.runtime)
    except DevkitError:
        return ""
    return os.fspath(paths.loans)


class _Reporter:
    """`devkit.reload.program.Announcer`: tells people, the parent and whoever looks at the ready file."""

    def __init__(self, voice: Voice, parent: Parent, ready_file: ReadyFile) -> None:
        self.notice = voice.notice
        self.problem = voice.problem
        self._parent = parent
        self._ready_file = ready_file

    def progress(self, generation: int, state: State, note: str) -> None:
        self._ready_file.show(there=state in ("ready", "reloading"))
        self._parent.progress(generation, state, note)


def paused_tasks(sessions: Sessions, pid: int) -> str:
    """The tasks of a worker that wait for somebody to debug them, in words; empty if none does."""
    found = [session for session in sessions.all() if session.main_pid == pid and session.state == PAUSED]
    return ", ".join(f"{session.task or session.id} at {session.file}:{session.line}" for session in found)
