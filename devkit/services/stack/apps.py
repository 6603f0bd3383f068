"""The Celery apps of a stack: each is asked for its facts, and gets a broker and a result backend."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import NamedTuple

from devkit.errors import DevkitError
from devkit.model.wire import AppFacts
from devkit.services.ports import Port, Ports
from devkit.services.project.broker import Choice, asked_for, settled
from devkit.services.project.facts import ask_facts
from devkit.services.project.mends import ServiceDownError
from devkit.services.project.unreached import task_modules
from devkit.services.stack.choice import choose
from devkit.services.stack.early import EarlyProcesses
from devkit.services.stack.first import ask_with_broker, wants_broker
from devkit.services.stack.project import StackProject
from devkit.services.stack.rabbitmq import find_rabbitmq_server
from devkit.settings.discover import AppRef
from devkit.stack.process import Process


@dataclass(frozen=True)
class StackApp:
    """`facts` is None for an app that cannot be asked: its worker says why when it does not start.

    `included` are modules with tasks that nothing imports for it, and that its processes are to import; `fails` is why
    these cannot be imported, where they cannot.
    """

    ref: AppRef
    facts: AppFacts | None
    choice: Choice
    included: Sequence[str] = ()
    fails: str = ""

    def environ(self) -> dict[str, str]:
        """The variables that its processes get."""
        return {**self.choice.environ(), **including(self.included)}


def including(modules: Sequence[str]) -> dict[str, str]:
    """The variable by which a process imports these after the app (`devkit.agent.app.load`)."""
    return {"DEVKIT_INCLUDE": ",".join(modules)} if modules else {}


def settle(
    of: Callable[[AppRef], StackProject], askers: Mapping[AppRef, Process], ports: Ports, early: EarlyProcesses
) -> Sequence[StackApp]:
    """Ask each app by a process of its own; `of` is the project as that app sees it. Raises DevkitError where the first
    cannot be asked, or where what was asked for does not answer."""
    first, *others = askers
    project = of(first)
    path = project.settings.environ.get("PATH", "")
    port = _OnePort(ports)
    asked = asked_for(project.settings)
    told: dict[AppRef, _Told] = {}

    def ask_further(ref: AppRef) -> None:
        one = of(ref)
        with suppress(DevkitError):
            told[ref] = _with_tasks(one, askers[ref], _ask(one, askers[ref], asked.environ()), asked.environ())

    def app(ref: AppRef, choice: Choice | None) -> StackApp:
        facts, included, fails = told[ref]
        choice = choice or choose(facts, asked, port, lambda: find_rabbitmq_server(path) is not None)
        return StackApp(ref, facts, choice, included, fails)

    threads = [Thread(target=ask_further, args=(ref,), name=f"facts of {ref}", daemon=True) for ref in others]
    for thread in threads:
        thread.start()
    facts, choice = _ask_first(project, askers[first], ports, early)
    told[first] = _with_tasks(project, askers[first], facts, (choice or asked).environ())
    if choice and choice.embedded_port:
        port.given["redis"] = choice.embedded_port
    if choice and choice.rabbitmq_port:
        port.given["rabbitmq"] = choice.rabbitmq_port
    apps = [app(first, choice)]
    for thread in threads:
        thread.join()
    for ref in others:
        with suppress(DevkitError, KeyError):
            apps.append(app(ref, None))
            continue
        apps.append(StackApp(ref, None, apps[0].choice))
    return apps


class _Told(NamedTuple):
    """As in `StackApp`."""

    facts: AppFacts
    included: Sequence[str] = ()
    fails: str = ""


def _with_tasks(project: StackProject, asker: Process, facts: AppFacts, given: Mapping[str, str]) -> _Told:
    """The facts of an app without tasks, asked again with the modules that have some for it."""
    modules = [] if facts["tasks"] else task_modules(project.settings.root, project.celery)
    if not modules:
        return _Told(facts)
    try:
        return _Told(_ask(project, asker, {**given, **including(modules)}), modules)
    except DevkitError as error:  # the app is as it was
        return _Told(facts, fails=error.what)


def _ask(project: StackProject, asker: Process, given: Mapping[str, str]) -> AppFacts:
    """The app's facts, with these addresses of a broker and a result backend. Raises DevkitError."""
    settings = project.settings
    changed = project.surroundings["worker"].with_brokers(given).changes(settings)
    environ = {**changed, **settled(given, settings.paths.data)}
    return ask_facts(asker, project.celery, environ, settings.options.timeout, settings.root)


def _ask_first(
    project: StackProject, asker: Process, ports: Ports, early: EarlyProcesses
) -> tuple[AppFacts, Choice | None]:
    """The same; and the choice, where a broker had to be started for it. Raises DevkitError."""
    asked = asked_for(project.settings)
    try:
        return _ask(project, asker, asked.environ()), None
    except ServiceDownError as error:
        if asked.broker or not wants_broker(error, project.surroundings["worker"]):
            raise
        return ask_with_broker(partial(_ask, project, asker), error, asked, project, ports, early)


class _OnePort:
    """One port for each name: what is embedded for one app serves all."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.given: dict[str, Port] = {}

    def __call__(self, name: str, asked: int | None = None, wish: int | None = None) -> Port:
        if name not in self.given:
            self.given[name] = self._ports.choose(name, asked, wish)
        return self.given[name]
